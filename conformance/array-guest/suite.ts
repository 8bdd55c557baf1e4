// SPDX-License-Identifier: Apache-2.0
/** The simulated array against the Linux kernel's initiator in a QEMU guest: raw token commands, and a file system. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { arrayTarget, launchArray } from "../lib/array.ts";
import { bootGuest, buildInitramfs, guestProgram } from "../lib/guest.ts";
import { guestKernel } from "../lib/guest-kernel.ts";
import { expect, type SuiteContext } from "../lib/report.ts";

const script = fileURLToPath(new URL("guest.sh", import.meta.url));

const modules = ["virtio_pci", "virtio_net", "sd_mod", "sg", "iscsi_tcp", "crc32c_generic", "crc32c_intel", "ext4"];
const programs = ["iscsistart", "sg_raw", "sg_vpd", "sg_readcap", "mke2fs", "e2fsck"];

/** Milliseconds for the boot and all cases; emulation is slow. */
const timeLimit = 400_000;
/** Read by the guest once, at the end. */
const abortedBlock = 7000 * 8;
const mebibyte = 1024 * 1024;

const chap = { user: "guest", secret: "a secret of the guest", target: "array", targetSecret: "a secret of the array" };

/** SHA-256 of a part of a file, in hexadecimal. */
function hashOfPart(path: string, offset: number, length: number): string {
  const part = Buffer.alloc(length);
  const fd = openSync(path, "r");
  readSync(fd, part, 0, length, offset);
  closeSync(fd);
  return createHash("sha256").update(part).digest("hex");
}

export const arrayGuestSuite = {
  name: "array-guest",
  tools: ["qemu-system-x86_64", "busybox", "cpio", ...programs],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir } = context;
    const kernel = await guestKernel();
    const first = join(workDir, "first");
    const array = await launchArray(workDir, 1, [
      ...["--chap", `${chap.user}:${chap.secret}`, "--mutual-chap", `${chap.target}:${chap.targetSecret}`],
      ...["--header-digest", "CRC32C,None", "--data-digest", "CRC32C,None"],
      ...["--lun", `${first}:256M,id=first`, "--lun", `${join(workDir, "second")}:256M`],
      ...["--lun", `${join(workDir, "third")}:256M,block=4096`],
    ]);
    try {
      // The one read that the guest does not get an answer to in time: the kernel aborts it and asks again.
      await array.control("POST", "/faults", {
        command: "READ(10)",
        unit: "first",
        lba: abortedBlock,
        fault: { silence: "before" },
      });
      const initramfs = await buildInitramfs({
        folder: workDir,
        kernel,
        script,
        modules,
        programs: programs.map(guestProgram),
        settings: {
          TARGET: arrayTarget,
          PORT: String(array.ports[0]),
          CHAP_USER: chap.user,
          CHAP_SECRET: chap.secret,
          MUTUAL_USER: chap.target,
          MUTUAL_SECRET: chap.targetSecret,
          MKE2FS: guestProgram("mke2fs"),
          MKE2FS_CHECK: guestProgram("e2fsck"),
        },
      });
      const guest = await bootGuest(kernel, initramfs, timeLimit);
      const lines = guest.stdout.replaceAll("\r", "").split("\n");
      for (const line of lines) {
        const result = /^CASE (\S+) (pass|fail) ?(.*)$/.exec(line);
        if (result !== null) {
          report.add(`array-guest.${result[1]}`, result[2] === "pass" ? "pass" : "fail", result[3]);
          continue;
        }
        const sum = /^SUM (\S+) ([0-9a-f]{64})$/.exec(line);
        if (sum === null) continue;
        await report.check(`array-guest.on-disk.${sum[1]}`, () =>
          expect(hashOfPart(first, 32 * mebibyte, 64 * mebibyte) === sum[2], "the LUN's file holds other data"),
        );
      }
      await report.check("array-guest.finished", () =>
        expect(lines.includes("GUEST done"), `the guest did not finish\n${guest.output.slice(-3000)}`),
      );
      await report.check("array-guest.array-alive", () => expect(array.alive(), "the array died"));
    } finally {
      await array.stop();
    }
  },
};
