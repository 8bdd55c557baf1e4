// SPDX-License-Identifier: Apache-2.0
/** Measurements with Debian's smbclient, dialect 3.1.1: streams, server-side copy, many files, long listings. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cpuSeconds } from "../../conformance/lib/server.ts";
import { type Protection, smbclientOk } from "../../conformance/lib/smbclient.ts";
import { writeRandomFile } from "../../conformance/lib/temp.ts";
import type { Benchmark, Group, Sample, Target } from "../benchmark.ts";
import type { Scale } from "../scale.ts";
import { freshFolder, manyFiles, openToAll } from "../share-files.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const SMALL = 4096;
const TIMEOUT = 300_000;

function client(target: Target, share: string, commands: string, protection: Protection = "off"): Promise<string> {
  return smbclientOk(target.server, share, commands, { protection, cwd: target.client, timeout: TIMEOUT });
}

/** Seconds that smbclient takes to start, log on and leave: no part of what is measured by its wall time. */
async function overhead(target: Target, share: string): Promise<number> {
  const samples: number[] = [];
  for (let sample = 0; sample < 3; sample += 1) samples.push(await seconds(() => client(target, share, "pwd")));
  return Math.min(...samples);
}

async function seconds(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) / 1000;
}

/** What commands take, without the client's start, and what of the server's processor. */
async function timed(target: Target, share: string, commands: string): Promise<{ seconds: number; cpu: number }> {
  const base = await overhead(target, share);
  const before = cpuSeconds(target.server.pid);
  const taken = await seconds(() => client(target, share, commands));
  return { seconds: Math.max(taken - base, 0.001), cpu: cpuSeconds(target.server.pid) - before };
}

/** The rate that smbclient prints, in kibibytes a second, as megabytes a second. */
async function printedRate(target: Target, commands: string, protection: Protection, pattern: RegExp, bytes: number) {
  const before = cpuSeconds(target.server.pid);
  const output = await client(target, "xfs", commands, protection);
  const rate = Number(pattern.exec(output)?.[1]);
  if (!Number.isFinite(rate)) throw new Error(`smbclient printed no rate\n${output}`);
  return { value: (rate * 1024) / 1e6, cost: ((cpuSeconds(target.server.pid) - before) * GiB) / bytes };
}

async function streamFile(folder: string, bytes: number): Promise<string> {
  const file = join(folder, "stream.bin");
  if (!existsSync(file)) await writeRandomFile(file, bytes);
  openToAll(file);
  return file;
}

const rate = { unit: "MB/s", better: "higher", cost: "GiB" } as const;
const count = { unit: "1/s", better: "higher", cost: "1,000" } as const;

function get(protection: Protection, { streamMiB }: Scale): Benchmark {
  return {
    ...rate,
    name: `smbclient: get ${streamMiB} MiB, protection ${protection}`,
    setUp: async (target) => {
      await streamFile(target.xfs, streamMiB * MiB);
      const pattern = /\(([\d.]+) KiloBytes\/sec\)/;
      return { measure: () => printedRate(target, "get stream.bin /dev/null", protection, pattern, streamMiB * MiB) };
    },
  };
}

function put(protection: Protection, { streamMiB }: Scale): Benchmark {
  return {
    ...rate,
    name: `smbclient: put ${streamMiB} MiB, protection ${protection}`,
    setUp: async (target) => {
      const file = await streamFile(target.client, streamMiB * MiB);
      return {
        measure: () => {
          rmSync(join(target.xfs, "sent.bin"), { force: true });
          return printedRate(target, `put ${file} sent.bin`, protection, /\(([\d.]+) kb\/s\)/, streamMiB * MiB);
        },
      };
    },
  };
}

/** @param copies how many in one session: where blocks are shared, a single one is over too soon to be timed */
function serverSideCopy(fileSystem: "xfs" | "ext4", copies: number, { streamMiB }: Scale): Benchmark {
  return {
    ...rate,
    name: `smbclient: scopy (copychunk) of ${streamMiB} MiB on ${fileSystem === "xfs" ? "XFS" : "ext4"}`,
    setUp: async (target) => {
      await streamFile(target[fileSystem], streamMiB * MiB);
      const names = Array.from({ length: copies }, (_, index) => `copy-${index}.bin`);
      const erase = () => {
        for (const name of names) rmSync(join(target[fileSystem], name), { force: true });
      };
      return {
        measure: async (): Promise<Sample> => {
          erase();
          const commands = names.map((name) => `scopy stream.bin ${name}`).join("; ");
          const taken = await timed(target, fileSystem, commands);
          erase();
          const bytes = copies * streamMiB * MiB;
          return { value: bytes / 1e6 / taken.seconds, cost: (taken.cpu * GiB) / bytes };
        },
      };
    },
  };
}

async function rateOf(target: Target, commands: string, things: number): Promise<Sample> {
  const taken = await timed(target, "xfs", commands);
  return { value: things / taken.seconds, cost: (taken.cpu / things) * 1000 };
}

function putSmallFiles({ putFiles }: Scale): Benchmark {
  return {
    ...count,
    name: `smbclient: put ${putFiles.toLocaleString("en-US")} files of 4 KiB`,
    setUp: async (target) => {
      const folder = join(target.client, "small");
      mkdirSync(folder, { recursive: true });
      const content = Buffer.alloc(SMALL, "small file ");
      for (let index = 0; index < putFiles; index += 1) writeFileSync(join(folder, `file-${index}.dat`), content);
      return {
        measure: () => {
          freshFolder(join(target.xfs, "small"));
          return rateOf(target, `prompt off; lcd ${folder}; cd small; mput *`, putFiles);
        },
      };
    },
  };
}

function listing({ listed }: Scale): Benchmark {
  const names = Math.ceil(listed / 5);
  return {
    ...count,
    name: `smbclient: list ${names.toLocaleString("en-US")} names, entries`,
    setUp: async (target) => {
      manyFiles(join(target.xfs, "printed"), names);
      return { measure: () => rateOf(target, "cd printed; ls", names) };
    },
  };
}

export const smbclient: Group = {
  name: "smbclient",
  about: "get, put, server-side copy, many files and a long listing with smbclient",
  tools: ["smbclient"],
  benchmarks: (scale) => [
    ...(["off", "sign", "encrypt"] as const).flatMap((protection) => [get(protection, scale), put(protection, scale)]),
    serverSideCopy("xfs", 16, scale),
    serverSideCopy("ext4", 2, scale),
    putSmallFiles(scale),
    listing(scale),
  ],
};
