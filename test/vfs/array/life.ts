// SPDX-License-Identifier: Apache-2.0

import { expect } from "vitest";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import type { LogicalUnit } from "../../../src/scsi/logical-unit.ts";
import { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { checkCatalogue } from "../../../src/vfs/array/check.ts";
import { CatalogueStore, type Change } from "../../../src/vfs/array/store.ts";
import { silent } from "./support.ts";
import { checkContent, contentOf, type Interrupted, NAMES, perform, type Step, Workload } from "./workload.ts";

/** The life of a process that works on an array volume, and its end in the middle of it. */

class Crash extends Error {}

/** Steps that the process has left. */
class Lifetime {
  left: number;

  constructor(steps: number) {
    this.left = steps;
  }

  /** Counts a step. @throws Crash the process has ended */
  step(): void {
    if (this.left-- <= 0) throw new Crash();
  }

  end(): void {
    this.left = -1;
  }

  get over(): boolean {
    return this.left < 0;
  }
}

class MortalStore extends CatalogueStore {
  readonly #lifetime: Lifetime;

  constructor(path: string, lifetime: Lifetime) {
    super(path);
    this.#lifetime = lifetime;
  }

  override async apply(changes: readonly Change[]): Promise<void> {
    this.#lifetime.step();
    await super.apply(changes);
    this.#lifetime.step();
  }
}

/** A unit as the process has it, which gives no command any more once it has ended. */
function mortal(
  unit: LogicalUnit,
  lifetime: Lifetime,
  tear: (lba: number, data: Buffer) => Promise<void>,
): LogicalUnit {
  const steps: Pick<LogicalUnit, "write" | "writeUsingToken"> = {
    write: async (lba, data, options) => {
      if (lifetime.over) throw new Crash();
      try {
        lifetime.step();
      } catch (error) {
        await tear(lba, Buffer.concat(data));
        throw error;
      }
      await unit.write(lba, data, options);
    },
    writeUsingToken: async (request, options) => {
      lifetime.step();
      const blocks = await unit.writeUsingToken(request, options);
      lifetime.step();
      return blocks;
    },
  };
  return new Proxy<LogicalUnit>(unit, {
    get: (_, key) => {
      if (key in steps) return Reflect.get(steps, key);
      const value: unknown = Reflect.get(unit, key);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]) => {
        if (lifetime.over) throw new Crash();
        return Reflect.apply(value, unit, args);
      };
    },
  });
}

/** What is around the process. */
export interface World {
  /** Of the catalogue. */
  readonly folder: string;
  readonly units: readonly LogicalUnit[];
  /** Puts the first bytes of a write on a LUN, as the end of the process in the middle of it leaves them. */
  tear(lun: number, lba: number, data: Buffer): Promise<void>;
  /** Resolves when there is a session with each unit, and no command of an earlier one can change anything. */
  quiet(): Promise<void>;
  /** The process is gone: no session ends any more. @returns the units as the next process finds them */
  after(): Promise<readonly LogicalUnit[]>;
}

/** What came of all lives, for who looks at many. */
export const counts = { lives: 0, crashes: 0, failedSteps: 0 };

/** How often a file is looked at while sessions end. */
const MAX_TRIES = 10;

/** What a client hears of a session that has ended. */
const isLost = (error: unknown) => error instanceof SmbError && error.status === NtStatus.IO_DEVICE_ERROR;

async function insist<T>(world: World, action: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (!isLost(error) || tries === MAX_TRIES) throw error;
      await world.quiet();
    }
  }
}

/** Room that failed writes held is free again as soon as they are dead: what is free is what the catalogue leaves over. */
async function checkRoom(volume: ArrayVolume, store: CatalogueStore, world: World): Promise<void> {
  await world.quiet();
  await store.flush();
  await new Promise(setImmediate);
  expect(volume.space().free).toBe(checkCatalogue(store).free);
}

/**
 * Lives through a workload until the process ends after so many `steps` of its own (writes, copies and transactions, each with a
 * before and an after), and looks at what is left. A step of the workload that fails for a lost session has done a part of what it
 * was to do, or nothing, or all; what that is has to stay.
 */
export async function live(world: World, steps: readonly Step[], end: number): Promise<void> {
  const { folder } = world;
  const workload = new Workload();
  const lifetime = new Lifetime(end);
  const store = new MortalStore(folder, lifetime);
  const luns = world.units.map((unit, lun) => mortal(unit, lifetime, (lba, data) => world.tear(lun, lba, data)));
  const volume = await ArrayVolume.open({ catalogue: folder, store, luns, log: silent });
  const { free } = volume.space();
  /** What the last step has left undecided. */
  const undecided = new Map<string, Interrupted>();
  counts.lives += 1;
  for (const one of steps) {
    const { data, changes } = workload.plan(one);
    try {
      await perform(volume, one, data);
    } catch (error) {
      if (lifetime.over) {
        for (const [path, change] of changes) undecided.set(path, change);
        break;
      }
      if (!isLost(error)) throw error;
      counts.failedSteps += 1;
      for (const [path, change] of changes) {
        const found = await insist(world, () => contentOf(volume, path));
        checkContent(found, change, path);
        workload.set(path, found);
      }
      continue;
    }
    for (const [path, { after }] of changes) workload.set(path, after);
    if (lifetime.over) break;
  }
  if (lifetime.over) counts.crashes += 1;
  else await checkRoom(volume, store, world);
  lifetime.end();
  await store.close();

  const units = await world.after();
  const next = new CatalogueStore(folder);
  const again = await ArrayVolume.open({ catalogue: folder, store: next, luns: units, log: silent });
  for (const path of NAMES) {
    const known = workload.contents.get(path);
    checkContent(await contentOf(again, path), undecided.get(path) ?? { before: known, after: known }, path);
  }
  for (const path of NAMES) await perform(again, { kind: "remove", name: path }, Buffer.alloc(0));
  await next.flush();
  await new Promise(setImmediate);
  expect(again.space().free).toBe(free);
  await again.close();
  const left = new CatalogueStore(folder);
  const report = checkCatalogue(left);
  await left.close();
  expect(report).toMatchObject({ problems: [], files: 0, extents: 0, removed: 0 });
}
