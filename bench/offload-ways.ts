// SPDX-License-Identifier: Apache-2.0
/** The ways in which `npm run bench:offload` copies a file on the server, and what one measurement of each tells. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { must } from "../conformance/lib/process.ts";
import { cpuSeconds, type RunningServer, type ServerKind } from "../conformance/lib/server.ts";
import { smbclientOk } from "../conformance/lib/smbclient.ts";
import { offloadCopy } from "../test/support/offload-client.ts";
import { mountTcp } from "../test/support/tcp-client.ts";
import { type Place, type Size, shares, sourceName } from "./offload-places.ts";

const GiB = 1024 ** 3;
const TIMEOUT = 600_000;

/** One measurement, for each copy. */
export interface Sample {
  readonly seconds: number;
  /** Seconds of the server's processor time for all copies of the measurement, and how many GiB those were. */
  readonly cpu?: { readonly seconds: number; readonly gibibytes: number };
  /** Between open and close. */
  readonly requests?: number;
  /** Bytes on the wire, both directions. */
  readonly traffic?: number;
}

export interface Case {
  readonly place: Place;
  readonly size: Size;
  readonly servers: ReadonlyMap<ServerKind, RunningServer>;
}

export interface Way {
  readonly name: string;
  readonly run: (subject: Case) => Promise<Sample>;
}

const copyCount = ({ place, size }: Case) => (shares(place.fileSystem) ? size.copies.shared : size.copies.moved);
const copyNames = (subject: Case) => Array.from({ length: copyCount(subject) }, (_, index) => `copy-${index}`);

function serverOf({ servers }: Case, kind: ServerKind): RunningServer {
  const server = servers.get(kind);
  if (server === undefined) throw new Error(`no ${kind}`);
  return server;
}

/** Runs copies into an empty place, with nothing left to be written to disk by whatever was before. @returns seconds for all */
async function timed(subject: Case, kind: ServerKind, run: () => Promise<void>): Promise<number> {
  const folder = join(subject.place.path, kind);
  const erase = () => {
    for (const name of copyNames(subject)) rmSync(join(folder, name), { force: true });
  };
  erase();
  await must("sync", []);
  const started = performance.now();
  await run();
  const seconds = (performance.now() - started) / 1000;
  erase();
  return seconds;
}

/** Adds the processor time that a server spends on a measurement. */
async function withCpu(subject: Case, server: RunningServer, run: () => Promise<Sample>): Promise<Sample> {
  const before = cpuSeconds(server.pid);
  const sample = await run();
  const gibibytes = (copyCount(subject) * subject.size.bytes) / GiB;
  return { ...sample, cpu: { seconds: cpuSeconds(server.pid) - before, gibibytes } };
}

/** From opening to closing, on a connection that is there. */
async function odx(subject: Case): Promise<Sample> {
  const server = serverOf(subject, "tessera");
  const { name, password } = server.account;
  const { fileSystem } = subject.place;
  const { tree, transport, close } = await mountTcp(server.port, { userName: name, password }, fileSystem);
  try {
    return await withCpu(subject, server, async () => {
      const before = transport.traffic;
      let requests = 0;
      const seconds = await timed(subject, "tessera", async () => {
        for (const copy of copyNames(subject)) {
          const source = await tree.create(sourceName(subject.size));
          const target = await tree.createFile(copy);
          requests = (await offloadCopy(source, target, subject.size.bytes)).requests;
          await target.close();
          await source.close();
        }
      });
      const count = copyCount(subject);
      return { seconds: seconds / count, requests, traffic: (transport.traffic - before) / count };
    });
  } finally {
    close();
  }
}

/** smbclient's scopy, less what smbclient takes to start and log on. */
function scopy(kind: ServerKind): (subject: Case) => Promise<Sample> {
  return async (subject) => {
    const server = serverOf(subject, kind);
    const client = (commands: string) => smbclientOk(server, subject.place.fileSystem, commands, { timeout: TIMEOUT });
    const base: number[] = [];
    for (let sample = 0; sample < 3; sample += 1) {
      const started = performance.now();
      await client("pwd");
      base.push((performance.now() - started) / 1000);
    }
    return withCpu(subject, server, async () => {
      const commands = copyNames(subject).map((copy) => `scopy ${sourceName(subject.size)} ${copy}`);
      const seconds = await timed(subject, kind, async () => {
        await client(commands.join("; "));
      });
      return { seconds: Math.max(seconds - Math.min(...base), 0) / copyCount(subject) };
    });
  };
}

/** cp, with what it takes to start. */
function localCopy(...options: readonly string[]): (subject: Case) => Promise<Sample> {
  return async (subject) => {
    const cwd = join(subject.place.path, "tessera");
    const seconds = await timed(subject, "tessera", async () => {
      for (const copy of copyNames(subject)) {
        await must("cp", [...options, sourceName(subject.size), copy], { cwd, timeout: TIMEOUT });
      }
    });
    return { seconds: seconds / copyCount(subject) };
  };
}

export const odxWay: Way = { name: "ODX, Tessera", run: odx };
export const ourCopychunk: Way = { name: "copychunk, Tessera", run: scopy("tessera") };
export const sambasCopychunk: Way = { name: "copychunk, Samba", run: scopy("samba") };
export const localReflink: Way = { name: "`cp --reflink=always`, local", run: localCopy("--reflink=always") };
export const localCp: Way = { name: "`cp`, local", run: localCopy() };

/** The ways that are measured in a place, with files of a size. */
export function waysFor({ fileSystem }: Place, { sparse }: Size): readonly Way[] {
  if (shares(fileSystem)) return [odxWay, ourCopychunk, sambasCopychunk, localReflink];
  // Copychunk reads and writes the holes of a sparse file too, which is no measure for anything.
  return sparse ? [odxWay, localCp] : [odxWay, ourCopychunk, sambasCopychunk, localCp];
}
