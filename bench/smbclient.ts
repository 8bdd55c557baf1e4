// SPDX-License-Identifier: Apache-2.0
/** Measurements with Debian's smbclient, dialect 3.1.1: streams, server-side copy, many files, long listings. */
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Protection, smbclient } from "../conformance/lib/smbclient.ts";
import { writeRandomFile } from "../conformance/lib/temp.ts";
import type { Benchmark, Target } from "./benchmark.ts";

const MiB = 1024 * 1024;
const streamBytes = 512 * MiB;
const smallFiles = 5000;
const smallBytes = 4096;
const listedFiles = 20_000;

/** The client's side lies in memory, so that only the server touches a disk. */
const memory = "/dev/shm";

async function client(target: Target, share: string, commands: string, protection: Protection = "off", cwd = memory) {
  const result = await smbclient(target.server, share, commands, { protection, cwd, timeout: 300_000 });
  if (result.status !== 0 || result.timedOut || /NT_STATUS_/.test(result.output)) {
    throw new Error(`smbclient -c '${commands}' on ${target.server.kind}\n${result.output.slice(-1000)}`);
  }
  return result;
}

/** Milliseconds that smbclient needs to start, log on and leave: no part of what is measured by its wall time. */
async function overhead(target: Target, share: string): Promise<number> {
  const samples: number[] = [];
  for (let sample = 0; sample < 3; sample += 1) samples.push((await client(target, share, "pwd")).elapsed);
  return Math.min(...samples);
}

async function timed(target: Target, share: string, commands: string): Promise<number> {
  const base = await overhead(target, share);
  const { elapsed } = await client(target, share, commands);
  return Math.max(elapsed - base, 1) / 1000;
}

/** The rate that smbclient prints, in kibibytes a second, as megabytes a second. */
function printedRate(output: string, pattern: RegExp): number {
  const rate = Number(pattern.exec(output)?.[1]);
  if (!Number.isFinite(rate)) throw new Error(`smbclient printed no rate\n${output}`);
  return (rate * 1024) / 1e6;
}

const streamFile = (workDir: string) => join(workDir, "stream.bin");

async function prepareStream(target: Target, workDir: string): Promise<void> {
  for (const file of [join(target.xfs, "stream.bin"), streamFile(workDir)]) {
    if (!existsSync(file)) await writeRandomFile(file, streamBytes);
  }
}

/** A new, empty folder on the server's side that the user may write to. */
function freshFolder(path: string): void {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  chmodSync(path, 0o777);
}

function get(protection: Protection): Benchmark {
  return {
    name: `get 512 MiB, protection ${protection}`,
    unit: "MB/s",
    better: "higher",
    prepare: prepareStream,
    measure: async (target) => {
      const { output } = await client(target, "xfs", "get stream.bin /dev/null", protection);
      return printedRate(output, /\(([\d.]+) KiloBytes\/sec\)/);
    },
  };
}

function put(protection: Protection): Benchmark {
  return {
    name: `put 512 MiB, protection ${protection}`,
    unit: "MB/s",
    better: "higher",
    prepare: prepareStream,
    measure: async (target, workDir) => {
      rmSync(join(target.xfs, "sent.bin"), { force: true });
      const { output } = await client(target, "xfs", `put ${streamFile(workDir)} sent.bin`, protection);
      return printedRate(output, /\(([\d.]+) kb\/s\)/);
    },
  };
}

/** @param copies how many in one session: where blocks are shared, a single one is over too soon to be timed */
function serverSideCopy(fileSystem: "xfs" | "ext4", copies: number): Benchmark {
  return {
    name: `scopy 512 MiB on ${fileSystem}`,
    unit: "MB/s",
    better: "higher",
    prepare: async (target) => {
      const file = join(target[fileSystem], "stream.bin");
      if (!existsSync(file)) await writeRandomFile(file, streamBytes);
    },
    measure: async (target) => {
      const names = Array.from({ length: copies }, (_, index) => `copy-${index}.bin`);
      const erase = () => {
        for (const name of names) rmSync(join(target[fileSystem], name), { force: true });
      };
      erase();
      const seconds = await timed(target, fileSystem, names.map((name) => `scopy stream.bin ${name}`).join("; "));
      erase();
      return (copies * streamBytes) / 1e6 / seconds;
    },
  };
}

const createSmallFiles: Benchmark = {
  name: `create, write 4 KiB, close: ${smallFiles} files`,
  unit: "1/s",
  better: "higher",
  prepare: async (_target, workDir) => {
    const folder = join(workDir, "small");
    mkdirSync(folder, { recursive: true });
    const content = Buffer.alloc(smallBytes, "small file ");
    for (let index = 0; index < smallFiles; index += 1) writeFileSync(join(folder, `file-${index}.dat`), content);
  },
  measure: async (target, workDir) => {
    freshFolder(join(target.xfs, "small"));
    const seconds = await timed(target, "xfs", `prompt off; lcd ${join(workDir, "small")}; cd small; mput *`);
    return smallFiles / seconds;
  },
};

const listing: Benchmark = {
  name: `list ${listedFiles} files`,
  unit: "1/s",
  better: "higher",
  prepare: async (target) => {
    const folder = join(target.xfs, "listed");
    freshFolder(folder);
    for (let index = 0; index < listedFiles; index += 1) writeFileSync(join(folder, `file-${index}.txt`), "");
  },
  measure: async (target) => listedFiles / (await timed(target, "xfs", "cd listed; ls")),
};

export const smbclientBenchmarks: readonly Benchmark[] = [
  ...(["off", "sign", "encrypt"] as const).flatMap((protection) => [get(protection), put(protection)]),
  serverSideCopy("xfs", 16),
  serverSideCopy("ext4", 2),
  createSmallFiles,
  listing,
];
