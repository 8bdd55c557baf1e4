// SPDX-License-Identifier: Apache-2.0
/**
 * Cut and resume: clients write and copy while their connections are cut at random, and, on a continuously available share,
 * while the server is killed. No acknowledged byte may be lost, and no lock be held by nobody.
 */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NtStatus } from "../../src/nt/status.ts";
import { LockFlag } from "../../src/smb2/wire/constants.ts";
import { durableHandleRequestV2Context } from "../../src/smb2/wire/create-context-data.ts";
import { StatusError } from "../../test/support/smb-connection.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { alice as aliceAccount, type RunningServer, startServer } from "../lib/server.ts";
import { freePort } from "../lib/temp.ts";
import { CuttingProxy } from "./proxy.ts";
import { FILE_SIZE, isCut, LOCKED, mount, pause, Worker } from "./worker.ts";

const alice = { userName: aliceAccount.name, password: aliceAccount.password };
const WORKERS = 2;
/** Milliseconds between two cuts, and between two kills, at most. */
const CUT_INTERVAL = 700;
const KILL_INTERVAL = 4000;

/** Numbers that are the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}

interface Run {
  readonly context: SuiteContext;
  readonly share: string;
  readonly persistent: boolean;
  /** Milliseconds. */
  readonly duration: number;
  readonly seed: number;
}

async function run({ context, share, persistent, duration, seed }: Run): Promise<string> {
  const random = randomFrom(seed);
  const folder = join(context.workDir, share);
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const start = () =>
    startServer(context.serverKind, {
      shares: [{ name: share, path: folder, ...(persistent ? { continuousAvailability: true } : {}) }],
      workDir: join(context.workDir, `server-${share}`),
      port,
    });
  let server: RunningServer = await start();
  const proxy = await CuttingProxy.start(() => port);
  const workers = Array.from(
    { length: WORKERS },
    (_, index) =>
      new Worker({
        port: proxy.port,
        account: alice,
        share,
        name: `file-${index}`,
        persistent,
        random: randomFrom(seed + index + 1),
      }),
  );
  const kinds = { cuts: 0, kills: 0, probes: 0 };
  try {
    for (const worker of workers) await worker.start();
    const end = Date.now() + duration;
    let failed = false;
    const isOver = () => failed || Date.now() >= end;
    const working = workers.map((worker) =>
      worker.work(isOver).catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    );
    const cutting = (async () => {
      while (!isOver()) {
        await pause(random() * CUT_INTERVAL);
        proxy.cut();
        kinds.cuts += 1;
      }
    })();
    const killing = (async () => {
      while (persistent && !isOver()) {
        await pause(1000 + random() * KILL_INTERVAL);
        process.kill(server.pid, "SIGKILL");
        while (server.alive()) await pause(10);
        kinds.kills += 1;
        server = await start();
      }
    })();
    const probing = (async () => {
      while (persistent && !isOver()) {
        await pause(100);
        if (await isLockFree(port, share, "file-0")) throw new Error("a lock was free while its owner lives");
        kinds.probes += 1;
      }
    })();
    const results = await Promise.allSettled([...working, cutting, killing, probing]);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    for (const worker of workers) await worker.close();
    for (const [index, worker] of workers.entries()) {
      const name = `file-${index}`;
      const stored = readFileSync(join(folder, name));
      expect(stored.length === FILE_SIZE && stored.equals(worker.content), `${name} holds something else on the disk`);
      expect((await isLockFree(port, share, name)) === true, `a lock on ${name} is held by nobody`);
    }
    await lockOfTheDead(port, share);
  } finally {
    proxy.close();
    await server.stop();
  }
  const operations = workers.reduce((sum, worker) => sum + worker.operations, 0);
  const reconnects = workers.reduce((sum, worker) => sum + worker.reconnects, 0);
  const { cuts, kills, probes } = kinds;
  return `${operations} operations, ${cuts} cuts, ${kills} kills, ${reconnects} handles taken up, ${probes} looks at the lock`;
}

/** Whether another client gets the range that a worker holds; `undefined` where nobody can tell for now. */
async function isLockFree(port: number, share: string, name: string): Promise<boolean | undefined> {
  try {
    const tree = await mount({ port, account: alice, share });
    try {
      const file = await tree.create(name, { desiredAccess: 3 });
      await file.lock(LOCKED.offset, LOCKED.length, LockFlag.EXCLUSIVE_LOCK);
      return true;
    } finally {
      tree.session.connection.close();
    }
  } catch (error) {
    if (error instanceof StatusError) {
      if (error.status === NtStatus.LOCK_NOT_GRANTED) return false;
      if (error.status === NtStatus.FILE_NOT_AVAILABLE) return undefined;
    } else if (isCut(error)) return undefined;
    throw error;
  }
}

/** A client that never comes back loses its lock when the time of its handle is over. */
async function lockOfTheDead(port: number, share: string): Promise<void> {
  const tree = await mount({ port, account: alice, share });
  const createGuid = Buffer.alloc(16, 0xdd);
  const file = await tree.create("dead", {
    createDisposition: 5,
    requestedOplockLevel: 9,
    contexts: [durableHandleRequestV2Context({ timeout: 1500, flags: 2, createGuid })],
  });
  await file.lock(LOCKED.offset, LOCKED.length);
  tree.session.connection.close();
  await pause(2000);
  expect((await isLockFree(port, share, "dead")) === true, "a lock outlives its client");
}

export const resumeSuite = {
  name: "resume",
  tools: [],
  run: async (context: SuiteContext): Promise<void> => {
    const { values } = parseArgs({
      args: [...context.args],
      options: { seconds: { type: "string", default: "40" }, seed: { type: "string" } },
    });
    const duration = (Number(values.seconds) * 1000) / 2;
    const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
    process.stdout.write(`# seed ${seed}\n`);
    if (context.serverKind !== "tessera") {
      context.report.add("resume", "skip", "made for Tessera: it kills and starts the server");
      return;
    }
    for (const [name, persistent] of [
      ["cut", false],
      ["cut-and-kill", true],
    ] as const) {
      await context.report.check(`resume.${name}`, async () => {
        const done = await run({ context, share: persistent ? "ca" : "data", persistent, duration, seed });
        process.stdout.write(`# ${done}\n`);
      });
    }
  },
};
