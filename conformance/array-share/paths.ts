// SPDX-License-Identifier: Apache-2.0
/**
 * An array behind two portals, of which one is lost in the middle of a copy, and then both: by connections that are reset, as when a
 * portal is switched off, and by silence, as when a cable is pulled. Nobody is told of silence: the gateway has to ask.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NtStatus } from "../../src/nt/status.ts";
import { offloadRead, offloadWriteAll } from "../../test/support/offload-client.ts";
import type { SmbTree } from "../../test/support/smb-client.ts";
import { launchArray, type RunningArray } from "../lib/array.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { delay } from "../lib/temp.ts";
import { CuttingProxy } from "../resume/proxy.ts";
import { content, copyByToken, eventually, holds, MiB, putRandom, statusOf, withTree } from "./files.ts";
import { Gateway } from "./gateway.ts";

const FILE = 8 * MiB;
/** Milliseconds after which a client must have been told that no path is left; commands have 30 seconds. */
const PATIENCE = 35_000;
/** Milliseconds for the gateway to find portals again that came back; it looks every 30 seconds at least. */
const RECOVERY = 40_000;
/** Milliseconds in which another share answers, whatever happens to the array. */
const UNAFFECTED = 3000;

interface Stage {
  readonly context: SuiteContext;
  readonly array: RunningArray;
  /** In front of the portals, in the order of preference. */
  readonly proxies: readonly [CuttingProxy, CuttingProxy];
  readonly gateway: Gateway;
}

type Loss = "refuse" | "fallSilent";

/** The next WRITE USING TOKEN takes so many milliseconds. */
const slowCopy = ({ array }: Stage, milliseconds: number) =>
  array.control("POST", "/faults", { command: "WRITE USING TOKEN", fault: { delay: milliseconds } });

/** Begins a copy of a whole file by a token. @returns its end, once the array is at it */
async function beginCopy(stage: Stage, tree: SmbTree, name: string, slow: number) {
  const source = await tree.create("source");
  const target = await tree.create(name);
  const { token } = await offloadRead(source, { length: FILE });
  await slowCopy(stage, slow);
  const copying = statusOf(offloadWriteAll(target, token, { length: FILE })).finally(async () => {
    await source.close();
    await target.close();
  });
  await delay(500);
  return { copying };
}

/** Every block of the file is the one that it had, or the one that the copy brings. */
function isMixture(found: Buffer, before: Buffer, after: Buffer): boolean {
  if (found.length !== before.length) return false;
  for (let at = 0; at < found.length; at += 512) {
    const block = found.subarray(at, at + 512);
    if (!block.equals(before.subarray(at, at + 512)) && !block.equals(after.subarray(at, at + 512))) return false;
  }
  return true;
}

/**
 * The path in use goes with a copy at work. The copy comes to its end on the other one, and what the array was still doing for
 * the lost one does not come after it: what the client writes next stays.
 */
async function oneLost(stage: Stage, loss: Loss): Promise<void> {
  const { gateway, proxies } = stage;
  const lost = proxies.find(({ connections }) => connections > 0);
  expect(lost !== undefined && proxies.every((one) => one === lost || one.connections === 0), "not one path is in use");
  await withTree(gateway, "san", async (tree) => {
    const data = await putRandom(tree, "source", FILE);
    await putRandom(tree, "target", FILE);
    const before = await gateway.offloaded("array");
    // Longer than a copy may take in all: where the command is not ended on the lost path, it runs when everything else is over.
    // The array itself ends the commands of a connection that is cut.
    const slow = loss === "refuse" ? 3000 : 22_000;
    const { copying } = await beginCopy(stage, tree, "target", slow);
    const started = performance.now();
    lost[loss]();
    const status = await copying;
    const elapsed = performance.now() - started;
    expect(status === NtStatus.SUCCESS, `the copy ends with ${status.toString(16)}`);
    expect(elapsed < slow, `the copy took ${elapsed.toFixed(0)} ms: it waited for the command on the lost path`);
    expect((await gateway.offloaded("array")) - before === FILE, "the array has not copied on the other path");
    const file = await tree.create("target");
    const later = Buffer.alloc(MiB, 0x77);
    await file.write(MiB, later);
    await file.close();
    await delay(Math.max(0, slow + 1000 - (performance.now() - started)));
    later.copy(data, MiB);
    await holds(tree, "target", data);
    process.stdout.write(`# ${loss}: the copy went on after ${elapsed.toFixed(0)} ms\n`);
  });
  lost.reopen();
}

/** Both paths go with a copy, a write and a read at work. */
async function bothLost(stage: Stage, loss: Loss): Promise<void> {
  const { gateway, proxies } = stage;
  await withTree(gateway, "san", (tree) =>
    withTree(gateway, "plain", async (plain) => {
      const data = await putRandom(tree, "source", FILE);
      const old = await putRandom(tree, "target", FILE);
      const written = await tree.createFile("written");
      await written.write(0, Buffer.alloc(MiB, 1));
      const target = await tree.create("target");
      const { copying } = await beginCopy(stage, tree, "target", 60_000);
      const started = performance.now();
      const timed = async (action: Promise<unknown>) => {
        const status = await statusOf(action);
        return { status, elapsed: performance.now() - started };
      };
      for (const proxy of proxies) proxy[loss]();
      const source = await tree.create("source");
      const working = [
        timed(copying.then((status) => expect(status === NtStatus.IO_DEVICE_ERROR, status.toString(16)))),
        timed(written.write(0, Buffer.alloc(MiB, 2))),
        timed(source.read(0, MiB)),
      ] as const;
      // Meanwhile another share works as ever.
      const quick = performance.now();
      await holds(plain, "other", await putRandom(plain, "other", FILE));
      expect(performance.now() - quick < UNAFFECTED, "a share on a folder is held up");
      const [copy, write, read] = await Promise.all(working);
      const again = performance.now();
      // What the lost copy may still be writing to cannot be read, and that has to be said in time, too.
      const reading = await timed(target.read(0, MiB));
      const wait = performance.now() - again;
      process.stdout.write(
        `# ${loss}: copy, write and read ended after ${[copy, write, read].map((one) => one.elapsed.toFixed(0)).join(", ")} ms, a further read after ${wait.toFixed(0)} ms\n`,
      );
      expect(
        write.status !== NtStatus.SUCCESS && read.status !== NtStatus.SUCCESS,
        "data went nowhere, or came from there",
      );
      expect(reading.status !== NtStatus.SUCCESS, "data came from nowhere");
      for (const { elapsed } of [copy, write, read])
        expect(elapsed < PATIENCE, `a client waited ${elapsed.toFixed(0)} ms`);
      expect(wait < PATIENCE, `a client waited ${wait.toFixed(0)} ms`);

      for (const proxy of proxies) proxy.reopen();
      await stage.array.control("DELETE", "/faults");
      await eventually(RECOVERY, () => holds(tree, "source", data));
      expect(isMixture(await content(tree, "target"), old, data), "the target holds what nobody wrote there");
      const first = await written.read(0, MiB);
      expect(isMixture(first, Buffer.alloc(MiB, 1), Buffer.alloc(MiB, 2)), "the file holds what nobody wrote there");
      // The handles of before work on, and so do copies.
      await written.write(0, Buffer.alloc(MiB, 3));
      expect((await written.read(0, MiB)).equals(Buffer.alloc(MiB, 3)), "a write is lost");
      await copyByToken(tree, "source", tree, "target");
      await holds(tree, "target", data);
      for (const file of [written, source, target]) await file.close();
    }),
  );
}

export async function paths(context: SuiteContext): Promise<void> {
  const folder = join(context.workDir, "paths");
  mkdirSync(folder, { recursive: true });
  const array = await launchArray(folder, 2, ["--lun", `${join(folder, "lun0")}:256M,id=lun0`]);
  const proxies = [
    await CuttingProxy.start(() => array.ports[0] ?? 0),
    await CuttingProxy.start(() => array.ports[1] ?? 0),
  ] as const;
  const gateway = await Gateway.launch({
    folder: join(context.workDir, "gateway-paths"),
    shares: [{ name: "san", ports: proxies.map(({ port }) => port), luns: [0] }],
    folders: ["plain"],
  });
  const stage: Stage = { context, array, proxies, gateway };
  const { report } = context;
  try {
    await report.check("array-share.path-cut-mid-copy", () => oneLost(stage, "refuse"));
    await report.check("array-share.path-silent-mid-copy", () => oneLost(stage, "fallSilent"));
    await report.check("array-share.both-paths-cut", () => bothLost(stage, "refuse"));
    await report.check("array-share.both-paths-silent", () => bothLost(stage, "fallSilent"));
    await gateway.stop();
    await report.check("array-share.sound-after-lost-paths", async () => void (await gateway.check("san")));
  } finally {
    for (const proxy of proxies) proxy.close();
    await gateway.stop();
    await array.stop();
  }
}
