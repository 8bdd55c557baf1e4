// SPDX-License-Identifier: Apache-2.0
/** The Linux kernel's cifs client in a QEMU guest: one boot, every dialect and sealing. */
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { shareAllBlocks } from "../lib/extents.ts";
import { bootGuest, buildInitramfs, guestProgram } from "../lib/guest.ts";
import { guestKernel, smbClientModules } from "../lib/guest-kernel.ts";
import { mountImage } from "../lib/image.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { startServer } from "../lib/server.ts";
import { sha256 } from "../lib/temp.ts";

const script = fileURLToPath(new URL("guest.sh", import.meta.url));

const modes = ["2.1", "3.0", "3.0-seal", "3.1.1", "3.1.1-sign", "3.1.1-seal"];

/** Milliseconds for the boot and all cases; emulation is slow. */
const timeLimit = 600_000;

/** Links that lead out of the share, as a user of the host could have left them. */
function plantLinks(share: string, outside: string): void {
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "secret\n");
  symlinkSync(join(outside, "secret"), join(share, "leak-absolute"));
  symlinkSync("../outside/secret", join(share, "leak-relative"));
  symlinkSync(outside, join(share, "leak-folder"));
}

export const kernelClientSuite = {
  name: "kernel-client",
  tools: ["qemu-system-x86_64", "busybox", "cpio", "mkfs.xfs", "xfs_io", "filefrag"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir, args } = context;
    const kernel = await guestKernel();
    const image = await mountImage("xfs", workDir, 1024);
    const share = join(image.path, "share");
    mkdirSync(share);
    plantLinks(share, join(image.path, "outside"));
    const server = await startServer(context.serverKind, {
      shares: [{ name: "data", path: share }],
      workDir: join(workDir, "server"),
    });
    try {
      const chosen = args.length > 0 ? args : modes;
      const initramfs = await buildInitramfs({
        folder: workDir,
        kernel,
        script,
        modules: smbClientModules,
        programs: ["cp", "flock", "xfs_io"].map(guestProgram),
        settings: {
          SHARE: "data",
          PORT: String(server.port),
          USERNAME: server.account.name,
          PASSWORD: server.account.password,
          MODES: chosen.join(" "),
          COREUTILS_CP: guestProgram("cp"),
          XFS_IO: guestProgram("xfs_io"),
        },
      });
      const guest = await bootGuest(kernel, initramfs, timeLimit);
      const lines = guest.stdout.replaceAll("\r", "").split("\n");
      for (const line of lines) {
        const result = /^CASE (\S+) (pass|fail) ?(.*)$/.exec(line);
        if (result !== null) {
          report.add(`kernel-client.${result[1]}`, result[2] === "pass" ? "pass" : "fail", result[3]);
          continue;
        }
        const shared = /^SHARED (\S+) (\S+)$/.exec(line);
        if (shared !== null) {
          const [, source = "", copy = ""] = shared;
          await report.check(`kernel-client.shares-blocks.${copy}`, async () => {
            const all = await shareAllBlocks(join(share, source), join(share, copy));
            expect(all, "not all blocks are shared on the server's disk");
          });
          continue;
        }
        const sum = /^SUM (\S+) ([0-9a-f]{64})$/.exec(line);
        if (sum === null) continue;
        await report.check(`kernel-client.on-disk.${sum[1]}`, async () => {
          expect((await sha256(join(share, sum[1] ?? ""))) === sum[2], "the file on the server's disk differs");
        });
      }
      await report.check("kernel-client.finished", () =>
        expect(lines.includes("GUEST done"), `the guest did not finish\n${guest.output.slice(-3000)}`),
      );
      await report.check("kernel-client.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
      await image.unmount();
    }
  },
};
