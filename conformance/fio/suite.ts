// SPDX-License-Identifier: Apache-2.0
/**
 * fio in a QEMU guest writes through the Linux kernel's cifs client and verifies the checksum in each block that it reads back,
 * while the connection is cut at random, and, with persistent handles, the server is killed and started again. Two jobs
 * at one time: one through the client's cache, which writes late and under a lease, and one past it (O_DIRECT). Each is
 * one open file that has to outlive every cut. At the end fio on this machine verifies the same files on the server's disk: a block
 * that was acknowledged and lost, or that an old write replaced late, would be missing there.
 */
import { existsSync, mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildInitramfs, guestProgram, RunningGuest } from "../lib/guest.ts";
import { guestKernel, smbClientModules } from "../lib/guest-kernel.ts";
import { run } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { type RunningServer, startServer } from "../lib/server.ts";
import { delay, freePort } from "../lib/temp.ts";
import { CuttingProxy } from "../resume/proxy.ts";

const script = fileURLToPath(new URL("guest.sh", import.meta.url));

const modules = [...smbClientModules, "crc32c_generic", "crc32c_intel"];

/** How the client asks for handles that outlive a cut: durable ones of version 2 by itself, the others when told to. */
const modes = ["durable", "resilient", "persistent"] as const;
type Mode = (typeof modes)[number];

/** Milliseconds. */
const BOOT = 180_000;
const MODE = 120_000;
/** Between two cuts: at least and at most. */
const SHORTEST = 200;
const LONGEST = 1800;

/** The rate has it last for 14 seconds at least, however fast the machine is. */
const FIO = [
  ...["--thread", "--ioengine=psync", "--rw=randwrite", "--bsrange=4k-96k", "--size=16M", "--rate=,1200k"],
  "--fallocate=none",
  ...["--verify=crc32c", "--verify_fatal=1", "--verify_state_save=0", "--randrepeat=1"],
];
/** One job through the client's cache, and one past it: a write of either returns only when the server has the data. */
const JOBS = ["--name=cached", "--sync=1", "--name=direct", "--direct=1"];
/**
 * What the client was sending when a cut came it gives up (Linux 6.1), and tells so with EIO, EAGAIN, EPIPE, ECONNABORTED or
 * ECONNRESET: nothing was acknowledged, and fio goes on without that block. Any other error, and a block that holds
 * something else, is the end.
 */
const GO_ON = ["--continue_on_error=io", "--ignore_error=5:11:32:103:104,5:11:32:103:104"];

/** Errors that fio has counted in its jobs. */
const errorsOf = (text: string): number =>
  [...text.matchAll(/errors *: total= *(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);

/** Cuts in one mode: after those the work comes to its end. */
const MOST_CUTS = 10;
const FEWEST_CUTS = 3;

interface Cuts {
  readonly proxy: CuttingProxy;
  readonly server: () => RunningServer;
  readonly restart: () => Promise<void>;
}

/** Cuts for as long as the guest works; kills the server once. @returns what was done */
async function disturb(
  mode: Mode,
  directory: string,
  over: () => boolean,
  { proxy, server, restart }: Cuts,
): Promise<string> {
  let cuts = 0;
  let kills = 0;
  // Where a cut meets it, an open may fail, as on any file system that is away for a moment: both files are open before the first.
  const isWritten = (name: string) => existsSync(join(directory, name)) && statSync(join(directory, name)).size > 0;
  while (!over() && !(isWritten("cached.0.0") && isWritten("direct.0.0"))) await delay(20);
  for (;;) {
    await delay(SHORTEST + Math.random() * (LONGEST - SHORTEST));
    if (over()) break;
    if (mode === "persistent" && cuts >= 2 && kills === 0) {
      process.kill(server().pid, "SIGKILL");
      while (server().alive()) await delay(10);
      await restart();
      kills += 1;
    } else if (cuts < MOST_CUTS) cuts += proxy.cut();
  }
  expect(
    cuts >= FEWEST_CUTS && (mode !== "persistent" || kills === 1),
    `only ${cuts} cuts and ${kills} kills: fio was done before`,
  );
  return `${cuts} cuts, ${kills} kills`;
}

export const fioSuite = {
  name: "fio",
  tools: ["qemu-system-x86_64", "busybox", "cpio", "fio"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir, args } = context;
    if (context.serverKind !== "tessera") {
      report.add("fio", "skip", "made for Tessera: it kills and starts the server");
      return;
    }
    const chosen = modes.filter((mode) => args.length === 0 || args.includes(mode));
    const folders = { data: join(workDir, "data"), ca: join(workDir, "ca") };
    for (const path of Object.values(folders)) mkdirSync(path);
    const port = await freePort();
    const start = () =>
      startServer(context.serverKind, {
        shares: [
          { name: "data", path: folders.data },
          { name: "ca", path: folders.ca, continuousAvailability: true },
        ],
        workDir: join(workDir, "server"),
        port,
      });
    let server = await start();
    const proxy = await CuttingProxy.start(() => port);
    const kernel = await guestKernel();
    const initramfs = await buildInitramfs({
      folder: workDir,
      kernel,
      script,
      modules,
      programs: [guestProgram("fio")],
      settings: {
        PORT: String(proxy.port),
        USERNAME: server.account.name,
        PASSWORD: server.account.password,
        MODES: chosen.join(" "),
        FIO: guestProgram("fio"),
        FIO_OPTIONS: [...FIO, ...GO_ON].join(" "),
        FIO_JOBS: JOBS.join(" "),
      },
    });
    const guest = new RunningGuest(kernel, initramfs);
    const cuts: Cuts = {
      proxy,
      server: () => server,
      restart: async () => {
        server = await start();
      },
    };
    try {
      for (const mode of chosen) {
        await report.check(`fio.${mode}`, async () => {
          const directory = join(mode === "persistent" ? folders.ca : folders.data, mode);
          await guest.line(new RegExp(`^CUT ${mode}$`, "m"), BOOT);
          const started = performance.now();
          let over = false;
          const verified = guest.line(new RegExp(`^CASE ${mode}.verify (pass|fail) ?(.*)$`, "m"), MODE).finally(() => {
            over = true;
          });
          const [[, status, seen], what] = await Promise.all([verified, disturb(mode, directory, () => over, cuts)]);
          process.stdout.write(`# ${mode}: ${what} in ${((performance.now() - started) / 1000).toFixed(1)} s\n`);
          expect(status === "pass", seen ?? "");
          await guest.line(new RegExp(`^CASE ${mode}.unmount`, "m"), MODE);
          const [, given = ""] = await guest.line(new RegExp(`^ERRORS ${mode} ?(.*)$`, "m"), MODE);
          const lost = errorsOf(given);
          const found = await run(guestProgram("fio"), [
            ...[...FIO, "--verify_only", "--continue_on_error=all", `--directory=${directory}`],
            ...JOBS,
          ]);
          const missing = errorsOf(found.stdout);
          const blocks = /issued rwts: total=(\d+)/g;
          const read = [...found.stdout.matchAll(blocks)].reduce((sum, [, count]) => sum + Number(count), 0);
          process.stdout.write(`# ${mode}: ${read} blocks on the disk, ${missing} not there, ${lost} given up\n`);
          expect(read > 100, `fio did not look at the files\n${found.output.slice(-2000)}`);
          expect(missing <= lost, `${missing} blocks are missing\n${found.output.slice(-2000)}`);
        });
      }
      await guest.line(/^GUEST done$/m, MODE);
      for (const [, name = "", status, seen] of guest.console.matchAll(/^CASE (\S+) (pass|fail) ?(.*)$/gm)) {
        if (!name.endsWith(".verify")) report.add(`fio.${name}`, status === "pass" ? "pass" : "fail", seen);
      }
      await report.check("fio.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await guest.stop();
      proxy.close();
      await server.stop();
    }
  },
};
