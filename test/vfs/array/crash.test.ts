// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import type { LogicalUnit } from "../../../src/scsi/logical-unit.ts";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { checkCatalogue } from "../../../src/vfs/array/check.ts";
import { CatalogueStore, type Change } from "../../../src/vfs/array/store.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";
import { LossyUnit, type SessionDrop } from "../../support/lossy-unit.ts";
import type { MemoryUnit } from "../../support/memory-array.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";

/**
 * The process ends at every step of a random workload: before, in the middle of or after a write to a LUN or a copy on it, and
 * before or after a transaction of the catalogue. Before that the sessions with the LUNs end with commands at work: a step fails
 * then, and what it was to change is old or new, byte by byte. Then the volume is opened again, and holds what was acknowledged.
 */

const NAMES = ["a", "b", "c"];
const SIZE = 1024 * 1024;
const UNIT = 4096;

type Step =
  | { readonly kind: "write"; readonly name: string; readonly offset: number; readonly length: number }
  | { readonly kind: "zero"; readonly name: string; readonly offset: number; readonly length: number }
  | { readonly kind: "resize"; readonly name: string; readonly size: number }
  | {
      readonly kind: "copy";
      readonly name: string;
      readonly from: string;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: "remove"; readonly name: string }
  | { readonly kind: "sparse"; readonly name: string };

const MAX_DROPS = 6;

const drop: fc.Arbitrary<SessionDrop> = fc.record({
  after: fc.nat(24),
  fate: fc.constantFrom("nothing", "part", "all"),
  bytes: fc.nat(UNIT * 3),
  turns: fc.nat(6),
  patient: fc.boolean(),
});

const name = fc.constantFrom(...NAMES);
const offset = fc.oneof(
  fc.nat(SIZE / 4),
  fc.nat(60).map((unit) => unit * UNIT),
);
const length = fc.oneof(
  fc.integer({ min: 1, max: 20_000 }),
  fc.integer({ min: 1, max: 30 }).map((unit) => unit * UNIT),
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("write" as const), name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("zero" as const), name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resize" as const), name, size: offset }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("copy" as const), name, from: name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sparse" as const), name }) },
);

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
function mortal(unit: MemoryUnit, lifetime: Lifetime, torn: number): LogicalUnit {
  const steps: Pick<LogicalUnit, "write" | "writeUsingToken"> = {
    write: async (lba, data) => {
      if (lifetime.over) throw new Crash();
      try {
        lifetime.step();
      } catch (error) {
        unit.writeTorn(lba, data, torn);
        throw error;
      }
      await unit.write(lba, data);
    },
    writeUsingToken: async (request) => {
      lifetime.step();
      const blocks = await unit.writeUsingToken(request);
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

class Workload {
  readonly contents = new Map<string, Buffer>();
  #stamp = 0;

  /** Content that no other write has: a byte of another file, or of an earlier one, would be seen. */
  stamp(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at + 4 <= length; at += 4) bytes.writeUInt32BE(0x80000000 + this.#stamp++, at);
    return bytes;
  }

  set(path: string, content: Buffer | undefined): void {
    if (content === undefined) this.contents.delete(path);
    else this.contents.set(path, content);
  }

  /** What a step writes or copies, and what it makes of each file that it touches. */
  plan(one: Step): { readonly data: Buffer; readonly changes: Map<string, Interrupted> } {
    const changes = new Map<string, Interrupted>();
    let data: Buffer = Buffer.alloc(0);
    if (one.kind === "write") data = this.stamp(one.length);
    if (one.kind === "copy" && one.from !== one.name) {
      const before = this.contents.get(one.from);
      // A source that is not there is made.
      const after = before ?? Buffer.alloc(0);
      data = Buffer.from(after.subarray(0, one.length));
      changes.set(one.from, { before, after });
    }
    changes.set(one.name, { before: this.contents.get(one.name), after: this.#after(one, data) });
    return { data, changes };
  }

  /** What a file is after a step, or `undefined` where it is not there. */
  #after(one: Step, data: Buffer): Buffer | undefined {
    const old = this.contents.get(one.name);
    switch (one.kind) {
      case "remove":
        return undefined;
      case "resize": {
        const resized = Buffer.alloc(one.size);
        old?.copy(resized);
        return resized;
      }
      case "sparse":
        return old ?? Buffer.alloc(0);
      case "zero": {
        const zeroed = Buffer.from(old ?? Buffer.alloc(0));
        zeroed.fill(0, Math.min(one.offset, zeroed.length), Math.min(one.offset + one.length, zeroed.length));
        return zeroed;
      }
      default: {
        const written = Buffer.alloc(Math.max(old?.length ?? 0, data.length === 0 ? 0 : one.offset + data.length));
        old?.copy(written);
        data.copy(written, one.offset);
        return written;
      }
    }
  }
}

async function withStream<T>(
  volume: ArrayVolume,
  path: string,
  action: (stream: VolumeStream, file: VolumeFile) => Promise<T>,
): Promise<T> {
  const existing = volume.open([path]);
  const { file } = existing ?? (await volume.create([path], { directory: false, attributes: 0 }));
  const stream = await file.openStream("");
  if (stream === undefined) throw new Error("no data stream");
  try {
    return await action(stream, file);
  } finally {
    await stream.close();
    await file.close();
  }
}

async function perform(volume: ArrayVolume, one: Step, data: Buffer): Promise<void> {
  if (one.kind === "remove") {
    const opened = volume.open([one.name]);
    if (opened === undefined) return;
    try {
      await volume.unlink(opened.file, [one.name]);
    } finally {
      await opened.file.close();
    }
    return;
  }
  await withStream(volume, one.name, async (stream) => {
    if (one.kind === "write") await stream.write(one.offset, data);
    else if (one.kind === "zero") await stream.zero({ offset: one.offset, length: one.length });
    else if (one.kind === "resize") await stream.setEndOfFile(one.size);
    else if (one.kind === "sparse") await stream.setSparse(true);
    else if (one.from !== one.name) {
      await withStream(volume, one.from, async (source) => {
        await stream.copyFrom(source, 0, one.offset, data.length);
      });
    }
  });
}

async function contentOf(volume: ArrayVolume, path: string): Promise<Buffer | undefined> {
  const opened = volume.open([path]);
  if (opened === undefined) return undefined;
  await opened.file.close();
  return await withStream(volume, path, async (stream) => {
    const content = Buffer.alloc((await stream.size()).endOfFile);
    await stream.read(0, content);
    return content;
  });
}

/** A file before a step that did not come to its end, and as the step would have left it; `undefined` where it is not there. */
interface Interrupted {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** Every byte is one that was there before the step, or one that the step puts there; beyond the end of file are zeros. */
function checkContent(found: Buffer | undefined, { before, after }: Interrupted, path: string): void {
  if (found === undefined) {
    expect(before === undefined || after === undefined, `${path} is gone`).toBe(true);
    return;
  }
  expect(before !== undefined || after !== undefined, `${path} is there`).toBe(true);
  const old = before ?? Buffer.alloc(0);
  // Of a file that is to be removed nothing changes before it is gone.
  const next = after ?? old;
  expect(found.length).toBeGreaterThanOrEqual(Math.min(old.length, next.length));
  expect(found.length).toBeLessThanOrEqual(Math.max(old.length, next.length));
  for (let at = 0; at < found.length; at++) {
    const byte = found[at];
    if (byte === (old[at] ?? 0) || byte === (next[at] ?? 0)) continue;
    throw new Error(`${path}: byte ${at} is ${byte}, not ${old[at]} or ${next[at]}`);
  }
}

/** Asks again for as long as sessions end. */
async function insist<T>(lossy: readonly LossyUnit[], action: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await action();
    } catch (error) {
      if (!isLost(error) || tries > MAX_DROPS) throw error;
      for (const one of lossy) await one.quiet();
    }
  }
}

/** What a client hears of a session that has ended. */
const isLost = (error: unknown) => error instanceof SmbError && error.status === NtStatus.IO_DEVICE_ERROR;

/** Room that failed writes held is free again as soon as they are dead: what is free is what the catalogue leaves over. */
async function checkRoom(volume: ArrayVolume, store: CatalogueStore, lossy: readonly LossyUnit[]): Promise<void> {
  for (const one of lossy) await one.quiet();
  await store.flush();
  await new Promise(setImmediate);
  expect(volume.space().free).toBe(checkCatalogue(store).free);
}

interface Life {
  readonly steps: readonly Step[];
  /** Steps of the process. */
  readonly end: number;
  /** Bytes of the last write that reach the LUN. */
  readonly torn: number;
  /** For each of the LUNs. */
  readonly drops: readonly (readonly SessionDrop[])[];
}

/** What came of all runs, for who runs many. */
const counts = { crashes: 0, drops: 0, failed: 0 };

/** Lives through a workload until the process ends, and looks at what is left. */
async function live(fixture: ArrayFixture, { steps, end, torn, drops }: Life): Promise<void> {
  const workload = new Workload();
  const lifetime = new Lifetime(end);
  const store = new MortalStore(fixture.folder, lifetime);
  const lossy = fixture.units.map((unit, lun) => new LossyUnit(unit, drops[lun] ?? []));
  const volume = await fixture.open({ store, luns: fixture.units.map((unit) => mortal(unit, lifetime, torn)) });
  const { free } = volume.space();
  /** What the last step has left undecided. */
  const undecided = new Map<string, Interrupted>();
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
      counts.failed += 1;
      for (const [path, change] of changes) {
        const found = await insist(lossy, () => contentOf(volume, path));
        checkContent(found, change, path);
        workload.set(path, found);
      }
      continue;
    }
    for (const [path, { after }] of changes) workload.set(path, after);
    if (lifetime.over) break;
  }
  if (!lifetime.over) await checkRoom(volume, store, lossy);
  else counts.crashes += 1;
  lifetime.end();
  await store.close();
  for (const one of lossy) {
    await one.release();
    counts.drops += one.dropped;
  }

  const next = new CatalogueStore(fixture.folder);
  const again = await fixture.open({ store: next });
  for (const path of NAMES) {
    const known = workload.contents.get(path);
    checkContent(await contentOf(again, path), undecided.get(path) ?? { before: known, after: known }, path);
  }
  for (const path of NAMES) await perform(again, { kind: "remove", name: path }, Buffer.alloc(0));
  await next.flush();
  await new Promise(setImmediate);
  expect(again.space().free).toBe(free);
  await again.close();
  const after = new CatalogueStore(fixture.folder);
  const report = checkCatalogue(after);
  await after.close();
  expect(report).toMatchObject({ problems: [], files: 0, extents: 0, removed: 0 });
}

describe("ArrayVolume: the process ends at any step, and sessions before it", () => {
  let fixture: ArrayFixture | undefined;

  afterEach(async () => {
    await fixture?.dispose();
    fixture = undefined;
  });

  const runs = Number(process.env.TESSERA_CRASH_RUNS ?? 60);
  const life: fc.Arbitrary<Life> = fc.record({
    steps: fc.array(step, { minLength: 3, maxLength: 25, size: "max" }),
    end: fc.nat(120),
    torn: fc.nat(UNIT * 3),
    drops: fc.array(fc.array(drop, { maxLength: MAX_DROPS / 2, size: "max" }), { minLength: 2, maxLength: 2 }),
  });

  it(`keeps what was acknowledged, loses no room and shows nothing of others (${runs} runs)`, {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(life, async (one) => {
        fixture = await ArrayFixture.make({ luns: 2, size: 8 * MEBIBYTE, allocationUnit: UNIT });
        await live(fixture, one);
        await fixture.dispose();
      }),
      { numRuns: runs },
    );
    if (process.env.TESSERA_CRASH_RUNS !== undefined) console.log(counts);
  });
});
