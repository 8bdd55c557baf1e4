// SPDX-License-Identifier: Apache-2.0
/** Copies by the array: how little the gateway has to do with them, between which gateways and arrays they work, and hosts. */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NtStatus } from "../../src/nt/status.ts";
import { offloadRead, offloadWriteAll } from "../../test/support/offload-client.ts";
import { withUnit } from "../initiator/unit.ts";
import { arrayTarget, launchArray, type RunningArray } from "../lib/array.ts";
import { must } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { sha256, writeRandomFile } from "../lib/temp.ts";
import { copyByToken, hashOf, holds, MiB, putRandom, statusOf, withTree } from "./files.ts";
import { Gateway, shareOn } from "./gateway.ts";

const IMAGE = 1024 * MiB;
const FILE = 24 * MiB;
/** Bytes that the gateway copies at a time. */
const PIECE = 8 * MiB;
const BLOCK = 512;

/** Starts an array with LUNs of so many MiB in a folder of its own. */
async function arrayIn(context: SuiteContext, name: string, ...sizes: readonly number[]): Promise<RunningArray> {
  const folder = join(context.workDir, name);
  mkdirSync(folder, { recursive: true });
  const luns = sizes.flatMap((size, lun) => ["--lun", `${join(folder, `lun${lun}`)}:${size}M,id=lun${lun}`]);
  return launchArray(folder, 1, ["--identity", name, ...luns]);
}

/** A file as large as a LUN: filled, and looked at, by an initiator that is none of ours. */
async function wholeLuns(context: SuiteContext): Promise<void> {
  const array = await arrayIn(context, "images", IMAGE / MiB, IMAGE / MiB);
  const image = join(context.workDir, "image");
  const share = { ...shareOn("images", array, 0, 1), files: ["source.img", "target.img"] };
  try {
    await writeRandomFile(image, IMAGE);
    await must("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", image, array.url(0)]);
    const hash = await sha256(image);
    const gateway = await Gateway.launch({ folder: join(context.workDir, "gateway-images"), shares: [share] });
    try {
      await context.report.check("array-share.1-gib-without-the-gateway", () =>
        withTree(gateway, share.name, async (tree) => {
          const before = await array.traffic();
          await copyByToken(tree, "source.img", tree, "target.img");
          const moved = (await array.traffic()) - before;
          process.stdout.write(`# iSCSI traffic for 1 GiB: ${moved} bytes\n`);
          expect(moved < MiB, `${moved} bytes went between the gateway and the array`);
          expect((await hashOf(tree, "target.img")) === hash, "the share shows other data");
        }),
      );
      await context.report.check("array-share.1-gib-through-another-initiator", async () => {
        await gateway.stop();
        await must("qemu-img", ["compare", "-f", "raw", image, array.url(1)]);
      });
    } finally {
      await gateway.stop();
    }
  } finally {
    await array.stop();
    await must("rm", ["-f", image]);
  }
}

/** Design: one gateway or two, one array or two. A file on `from` is copied to `to` by its token. */
async function configurations(context: SuiteContext): Promise<void> {
  const { report, workDir } = context;
  const a = await arrayIn(context, "a", 256, 256, 256, 256, 256);
  const b = await arrayIn(context, "b", 256, 256);
  const first = await Gateway.launch({
    folder: join(workDir, "gateway-1"),
    // Two LUNs in one volume, another volume on the same array, and one on the other array.
    shares: [shareOn("one", a, 0, 1), shareOn("two", a, 2), shareOn("other", b, 0)],
  });
  const second = await Gateway.launch({
    folder: join(workDir, "gateway-2"),
    shares: [shareOn("near", a, 3), shareOn("far", b, 1)],
  });
  try {
    await withTree(first, "one", async (one) => {
      const data = await putRandom(one, "source", FILE);
      /** Copies, and tells how much of it the array did. */
      const copied = async (to: Gateway, share: string, way: "array" | "process", least = FILE) => {
        const [before, traffic] = [await to.offloaded(way), await a.traffic()];
        await withTree(to, share, (tree) => copyByToken(one, "source", tree, "copy"));
        const moved = (await a.traffic()) - traffic;
        const done = (await to.offloaded(way)) - before;
        expect(done >= least && done <= FILE, `${done} of ${FILE} bytes were copied by ${way}`);
        expect(way === "process" || moved < MiB, `${moved} bytes of traffic`);
        await withTree(to, share, (tree) => holds(tree, "copy", data));
      };
      await report.check("array-share.one-gateway-one-array", async () => {
        await copied(first, "one", "array");
        await copied(first, "two", "array");
      });
      // The first piece counts as the array's, which was asked to copy it.
      await report.check("array-share.one-gateway-two-arrays", () => copied(first, "other", "process", FILE - PIECE));
      await report.check("array-share.two-gateways-one-array", () => copied(second, "near", "array"));
      await report.check("array-share.two-gateways-two-arrays", () =>
        withTree(second, "far", async (far) => {
          const old = await putRandom(far, "kept", FILE);
          const token = await tokenOf(one, "source");
          // The second time the gateway remembers what the array said.
          for (let round = 0; round < 2; round += 1) {
            const status = await statusOf(writeAll(far, "kept", token));
            const refusals: readonly number[] = [NtStatus.INVALID_TOKEN, NtStatus.DEVICE_UNREACHABLE];
            expect(refusals.includes(status), `the client is told ${status.toString(16)}`);
          }
          await holds(far, "kept", old);
        }),
      );
      await report.check("array-share.host", () => host(a, one, data));
      await report.check("array-share.host-token-forged", async () => {
        const forged = Buffer.from(await tokenOf(one, "source"));
        for (let at = 200; at < 232; at += 1) forged[at] = (forged[at] ?? 0) ^ 0xff;
        const status = await withTree(second, "near", async (near) => {
          await putRandom(near, "forged", FILE);
          return await statusOf(writeAll(near, "forged", forged));
        });
        expect(status === NtStatus.INVALID_TOKEN, `the client is told ${status.toString(16)}`);
      });
    });
    await first.stop();
    await second.stop();
    await report.check("array-share.sound-after-copies", async () => {
      for (const name of ["one", "two", "other"]) await first.check(name);
      for (const name of ["near", "far"]) await second.check(name);
    });
  } finally {
    await Promise.all([first.stop(), second.stop()]);
    await Promise.all([a.stop(), b.stop()]);
  }
}

type Tree = Parameters<typeof holds>[0];

async function tokenOf(tree: Tree, name: string): Promise<Buffer> {
  const file = await tree.create(name);
  const { token } = await offloadRead(file, { length: FILE });
  await file.close();
  return token;
}

async function writeAll(tree: Tree, name: string, token: Buffer): Promise<void> {
  const file = await tree.create(name);
  try {
    await offloadWriteAll(file, token, { length: FILE });
  } finally {
    await file.close();
  }
}

/** A host that has a LUN of the array to itself, and hands tokens to the share and takes them from it. */
async function host(array: RunningArray, tree: Tree, data: Buffer): Promise<void> {
  await withUnit(
    { ports: array.ports, targetName: arrayTarget, lun: 4, initiatorName: "iqn.2026-01.test:host" },
    async (unit) => {
      const own = randomBytes(FILE);
      for (let at = 0; at < FILE; at += MiB) await unit.write(at / BLOCK, [own.subarray(at, at + MiB)]);
      const ranges = [{ lba: 0, blocks: FILE / BLOCK }];
      const { token } = await unit.populateToken({ ranges, inactivityTimeout: 60 });
      const file = await tree.createFile("from-host");
      await file.close();
      await writeAll(tree, "from-host", token);
      await holds(tree, "from-host", own);
      const ours = await tokenOf(tree, "source");
      const blocks = await unit.writeUsingToken({ token: ours, offsetInRod: 0, ranges });
      expect(blocks === FILE / BLOCK, `the host wrote ${blocks} blocks`);
      const found = Buffer.alloc(FILE);
      await unit.read(0, [found]);
      expect(found.equals(data), "the host finds other data");
    },
  );
}

export async function copies(context: SuiteContext): Promise<void> {
  await wholeLuns(context);
  await configurations(context);
}
