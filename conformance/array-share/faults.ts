// SPDX-License-Identifier: Apache-2.0
/** What clients notice of an array that fails: as little as can be, and nothing of it on other shares. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NtStatus } from "../../src/nt/status.ts";
import { offloadRead, offloadWriteAll } from "../../test/support/offload-client.ts";
import type { SmbTree } from "../../test/support/smb-client.ts";
import { arrayTarget, launchArray, type RunningArray } from "../lib/array.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { CuttingProxy } from "../resume/proxy.ts";
import { copyByToken, eventually, holds, MiB, putData, putRandom, statusOf, withTree } from "./files.ts";
import { type ArrayShare, Gateway, shareOn } from "./gateway.ts";

const FILE = 8 * MiB;
/** Milliseconds for the gateway to find an array again that came back; it looks every 30 seconds at least. */
const RECOVERY = 40_000;
/** Milliseconds after which a client must have been told that the array is gone. */
const PATIENCE = 35_000;

interface Fault {
  readonly name: string;
  readonly rules: readonly object[];
  /** The copy is the array's in spite of it; otherwise it only has to come out whole. */
  readonly byArray: boolean;
}

const wut = (fault: object, rest: object = {}) => ({ command: "WRITE USING TOKEN", ...rest, fault });
const pt = (fault: object, rest: object = {}) => ({ command: "POPULATE TOKEN", ...rest, fault });

/** Faults through which a copy has to come, whole. */
const copyFaults: readonly Fault[] = [
  { name: "dropped-before", rules: [wut({ drop: "before" })], byArray: true },
  { name: "dropped-after", rules: [wut({ drop: "after" })], byArray: true },
  { name: "populate-dropped", rules: [pt({ drop: "after" })], byArray: true },
  {
    name: "truncated",
    rules: [wut({ truncate: { blocks: 1024, report: "information", key: "copy-aborted" } })],
    byArray: true,
  },
  { name: "truncated-odd", rules: [wut({ truncate: { blocks: 1001, report: "good" } })], byArray: true },
  { name: "token-truncated", rules: [pt({ truncate: { blocks: 5000, report: "good" } })], byArray: true },
  { name: "in-progress", rules: [pt({ inProgress: { polls: 2 } }), wut({ inProgress: { polls: 3 } })], byArray: true },
  {
    name: "busy",
    rules: [pt({ status: "BUSY" }, { times: 3 }), wut({ status: "TASK_SET_FULL" }, { times: 3 })],
    byArray: true,
  },
  { name: "unreachable", rules: [wut({ sense: { key: 5, code: 8, qualifier: 4 } }, { times: null })], byArray: false },
];

class Faults {
  readonly #context: SuiteContext;
  readonly #array: RunningArray;
  readonly #gateway: Gateway;

  constructor(context: SuiteContext, array: RunningArray, gateway: Gateway) {
    this.#context = context;
    this.#array = array;
    this.#gateway = gateway;
  }

  async run(): Promise<void> {
    await this.#copies();
    await this.#expired();
    await this.#units();
  }

  #check(name: string, body: (tree: SmbTree) => Promise<void>): Promise<boolean> {
    return this.#context.report.check(`array-share.${name}`, async () => {
      try {
        await withTree(this.#gateway, "san", body);
      } finally {
        await this.#array.control("DELETE", "/faults");
      }
    });
  }

  async #copies(): Promise<void> {
    for (const { name, rules, byArray } of copyFaults) {
      await this.#check(`copy-${name}`, async (tree) => {
        const data = await putRandom(tree, "source", FILE);
        await putRandom(tree, "target", FILE);
        const before = await this.#gateway.offloaded("array");
        for (const rule of rules) await this.#array.control("POST", "/faults", rule);
        await copyByToken(tree, "source", tree, "target");
        const done = (await this.#gateway.offloaded("array")) - before;
        expect(!byArray || done === FILE, `the array copied ${done} of ${FILE} bytes`);
        await holds(tree, "target", data);
      });
    }
  }

  /** The array has forgotten a token: the gateway still has the data. */
  async #expired(): Promise<void> {
    await this.#check("copy-expired", async (tree) => {
      const data = await putRandom(tree, "source", FILE);
      await putRandom(tree, "target", FILE);
      const source = await tree.create("source");
      const target = await tree.create("target");
      const { token } = await offloadRead(source, { length: FILE });
      await this.#array.control("POST", "/", { expireTokens: true });
      await offloadWriteAll(target, token, { length: FILE });
      await source.close();
      await target.close();
      await holds(tree, "target", data);
    });
  }

  async #units(): Promise<void> {
    await this.#check("session-dropped", async (tree) => {
      for (const command of ["READ(16)", "WRITE(16)", "SYNCHRONIZE CACHE(10)"]) {
        await this.#array.control("POST", "/faults", { command, fault: { drop: "before" } });
      }
      const data = await putRandom(tree, "dropped", FILE);
      const file = await tree.create("dropped");
      await file.flush();
      await file.close();
      await holds(tree, "dropped", data);
    });
    await this.#check("unit-attention", async (tree) => {
      await this.#array.control("POST", "/units/lun0", { attention: { code: 0x29, qualifier: 0 } });
      await holds(tree, "keep", await putRandom(tree, "keep", FILE));
    });
    await this.#check("read-only-unit", async (tree) => {
      const data = await putRandom(tree, "kept", FILE);
      await this.#array.control("POST", "/units/lun0", { readOnly: true });
      const status = await statusOf(putRandom(tree, "kept", FILE));
      await this.#array.control("POST", "/units/lun0", { readOnly: false });
      expect(status === NtStatus.MEDIA_WRITE_PROTECTED, `a write ends with ${status.toString(16)}`);
      await putData(tree, "kept", data);
      await holds(tree, "kept", data);
    });
    await this.#check("medium-error", async (tree) => {
      const data = await putRandom(tree, "damaged", FILE);
      await this.#array.control("POST", "/faults", {
        command: "READ(16)",
        times: null,
        fault: { sense: { key: 3, code: 0x11, qualifier: 0 } },
      });
      const status = await statusOf(holds(tree, "damaged", data));
      expect(status === NtStatus.DEVICE_DATA_ERROR, `a read ends with ${status.toString(16)}`);
      await this.#array.control("DELETE", "/faults");
      await holds(tree, "damaged", data);
    });
    await this.#check("grown-unit", async (tree) => {
      // What does not fit does so once the LUN has grown.
      await this.#array.control("POST", "/units/lun0", { size: 512 * MiB });
      await eventually(5000, async () => {
        const file = await tree.createFile("large");
        await file.close();
        await putRandom(tree, "probe", MiB);
        expect(this.#gateway.log().includes("has grown"), "nobody noticed that the LUN has grown");
      });
    });
  }
}

const arrayArgs = (folder: string) => ["--identity", "faults", "--lun", `${join(folder, "lun0")}:256M,id=lun0`];

async function withFaults(context: SuiteContext): Promise<void> {
  const folder = join(context.workDir, "faults");
  mkdirSync(folder, { recursive: true });
  const array = await launchArray(folder, 2, arrayArgs(folder));
  const options = { folder: join(context.workDir, "gateway-faults"), shares: [shareOn("san", array, 0)] };
  const gateway = await Gateway.launch(options);
  try {
    await new Faults(context, array, gateway).run();
    await gateway.stop();
    await context.report.check("array-share.sound-after-faults", async () => void (await gateway.check("san")));
  } finally {
    await gateway.stop();
    await array.stop();
  }
}

/** The first portal goes away for good with a copy at work, and data on their way. */
async function portalLost(context: SuiteContext): Promise<void> {
  const folder = join(context.workDir, "portals");
  mkdirSync(folder, { recursive: true });
  const array = await launchArray(folder, 2, arrayArgs(folder));
  const proxy = await CuttingProxy.start(() => array.ports[0] ?? 0);
  const share: ArrayShare = { name: "san", ports: [proxy.port, array.ports[1] ?? 0], luns: [0] };
  const gateway = await Gateway.launch({ folder: join(context.workDir, "gateway-portals"), shares: [share] });
  try {
    await context.report.check("array-share.portal-lost", () =>
      withTree(gateway, "san", async (tree) => {
        const data = await putRandom(tree, "source", FILE);
        await array.control("POST", "/faults", wut({ delay: 500 }));
        const copying = copyByToken(tree, "source", tree, "target");
        const writing = putRandom(tree, "written", FILE);
        await new Promise((resolve) => setTimeout(resolve, 250));
        proxy.close();
        await copying;
        await holds(tree, "target", data);
        await holds(tree, "written", await writing);
        const before = await gateway.offloaded("array");
        await copyByToken(tree, "source", tree, "again");
        expect((await gateway.offloaded("array")) - before === FILE, "the second portal does not copy");
      }),
    );
  } finally {
    proxy.close();
    await gateway.stop();
    await array.stop();
  }
}

/** An array that is switched off with clients at work, one that is not there at the start, and LUNs that come later. */
async function arrayGone(context: SuiteContext): Promise<void> {
  const { report, workDir } = context;
  const folder = join(workDir, "gone");
  mkdirSync(folder, { recursive: true });
  const args = arrayArgs(folder);
  let array = await launchArray(folder, 1, args);
  const gateway = await Gateway.launch({
    folder: join(workDir, "gateway-gone"),
    shares: [shareOn("san", array, 0)],
    folders: ["plain"],
  });
  try {
    await withTree(gateway, "san", (tree) =>
      withTree(gateway, "plain", async (plain) => {
        const data = await putRandom(tree, "file", FILE);
        await report.check("array-share.array-gone", async () => {
          const file = await tree.create("file");
          await array.stop();
          const started = performance.now();
          const reading = statusOf(file.read(0, MiB));
          // Meanwhile the others work as ever, and names are there.
          await holds(plain, "other", await putRandom(plain, "other", FILE));
          expect((await tree.tryCreate("file")) === NtStatus.SUCCESS, "the name is gone");
          const status = await reading;
          const elapsed = performance.now() - started;
          expect(status !== NtStatus.SUCCESS, "data came from nowhere");
          expect(elapsed < PATIENCE, `the client waited ${elapsed.toFixed(0)} ms`);
          const again = performance.now();
          const statuses = await Promise.all([1, 2, 3, 4].map(() => statusOf(file.write(0, Buffer.alloc(MiB)))));
          const wait = performance.now() - again;
          expect(
            statuses.every((one) => one !== NtStatus.SUCCESS),
            "data went nowhere",
          );
          expect(wait < PATIENCE, `the client waited ${wait.toFixed(0)} ms`);
          process.stdout.write(`# told after ${elapsed.toFixed(0)} ms, then after ${wait.toFixed(0)} ms\n`);
          const lines = gateway
            .log()
            .split("\n")
            .filter((line) => line.includes("LUN of the volume is missing"));
          expect(lines.length === 1, `${lines.length} lines in the log say that it is missing`);
        });
        await report.check("array-share.array-back", async () => {
          array = await launchArray(folder, 1, args, array);
          await eventually(RECOVERY, () => holds(tree, "file", data));
          await copyByToken(tree, "file", tree, "copy");
          await holds(tree, "copy", data);
        });
        await report.check("array-share.missing-at-start", async () => {
          await gateway.stop();
          await array.control("POST", "/", { map: { target: arrayTarget, lun: 0, unit: null } });
          await gateway.start();
          await withTree(gateway, "plain", (other) => putRandom(other, "other", MiB));
          await withTree(gateway, "san", async (late) => {
            const file = await late.create("file");
            const started = performance.now();
            const status = await statusOf(file.read(0, MiB));
            const elapsed = performance.now() - started;
            expect(status !== NtStatus.SUCCESS && elapsed < PATIENCE, `${status.toString(16)} after ${elapsed} ms`);
            await array.control("POST", "/", { map: { target: arrayTarget, lun: 0, unit: "lun0" } });
            await eventually(RECOVERY, () => holds(late, "file", data));
            await putRandom(late, "file", MiB);
          });
        });
      }),
    );
    await gateway.stop();
    await report.check("array-share.sound-after-outages", async () => void (await gateway.check("san")));
  } finally {
    await gateway.stop();
    await array.stop();
  }
}

export async function faults(context: SuiteContext): Promise<void> {
  await withFaults(context);
  await portalLost(context);
  await arrayGone(context);
}
