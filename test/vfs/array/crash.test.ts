// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import { checkCatalogue } from "../../../src/vfs/array/check.ts";
import { CatalogueStore, type Change } from "../../../src/vfs/array/store.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";
import type { MemoryUnit } from "../../support/memory-array.ts";
import { ArrayFixture, MEBIBYTE } from "./support.ts";

/**
 * The process ends at every step of a random workload: before, in the middle of or after a write to a LUN, and before or after
 * a transaction of the catalogue. Then the volume is opened again, and holds what was acknowledged.
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

function makeMortal(unit: MemoryUnit, lifetime: Lifetime, torn: number): () => void {
  const write = unit.write.bind(unit);
  unit.write = async (lba, data) => {
    if (lifetime.over) throw new Crash();
    try {
      lifetime.step();
    } catch (error) {
      unit.writeTorn(lba, data, torn);
      throw error;
    }
    await write(lba, data);
  };
  return () => {
    unit.write = write;
  };
}

/** What a byte of a file may be: what was acknowledged last, or what an unacknowledged change would make of it. */
interface Expected {
  readonly acknowledged: Buffer;
  /** After the step during which the process ended. */
  readonly attempted: Buffer | undefined;
  /** The file may be there or not. */
  readonly existence: "yes" | "no" | "either";
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

  /** What the files are after a step, or `undefined` where it does nothing. */
  after(one: Step, data: Buffer): Buffer | undefined {
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

/** Every byte is one that was there before the step, or one that the step puts there. */
function checkContent(found: Buffer | undefined, { acknowledged, attempted, existence }: Expected, path: string): void {
  if (found === undefined) {
    expect(existence, `${path} is gone`).not.toBe("yes");
    return;
  }
  expect(existence, `${path} is there`).not.toBe("no");
  const lengths = [acknowledged.length, attempted?.length ?? acknowledged.length];
  expect(found.length).toBeGreaterThanOrEqual(Math.min(...lengths));
  expect(found.length).toBeLessThanOrEqual(Math.max(...lengths));
  for (let at = 0; at < found.length; at++) {
    const byte = found[at];
    if (byte === (acknowledged[at] ?? 0) || byte === (attempted?.[at] ?? 0)) continue;
    // A range that is zeroed or cut on the way.
    if (attempted !== undefined && byte === 0 && at >= attempted.length) continue;
    throw new Error(`${path}: byte ${at} is ${byte}, not ${acknowledged[at]} or ${attempted?.[at]}`);
  }
}

describe("ArrayVolume: the process ends at any step", () => {
  let fixture: ArrayFixture | undefined;

  afterEach(async () => {
    await fixture?.dispose();
    fixture = undefined;
  });

  const runs = Number(process.env.TESSERA_CRASH_RUNS ?? 60);

  it(`keeps what was acknowledged, loses no room and shows nothing of others (${runs} runs)`, {
    timeout: 600_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 3, maxLength: 25 }),
        fc.nat(120),
        fc.nat(UNIT * 3),
        async (steps, end, torn) => {
          fixture = await ArrayFixture.make({ luns: 2, size: 8 * MEBIBYTE, allocationUnit: UNIT });
          const workload = new Workload();
          const lifetime = new Lifetime(end);
          const store = new MortalStore(fixture.folder, lifetime);
          const revive = fixture.units.map((unit) => makeMortal(unit, lifetime, torn));
          const volume = await fixture.open({ store });
          const { free } = volume.space();
          const expected = new Map<string, Expected>();
          for (const one of steps) {
            const source = one.kind === "copy" ? (workload.contents.get(one.from) ?? Buffer.alloc(0)) : undefined;
            const data =
              one.kind === "write"
                ? workload.stamp(one.length)
                : one.kind === "copy" && one.from !== one.name
                  ? Buffer.from((source ?? Buffer.alloc(0)).subarray(0, one.length))
                  : Buffer.alloc(0);
            const attempted = workload.after(one, data);
            try {
              await perform(volume, one, data);
            } catch (error) {
              if (!lifetime.over) throw error;
              const acknowledged = workload.contents.get(one.name);
              expected.set(one.name, {
                acknowledged: acknowledged ?? Buffer.alloc(0),
                attempted: attempted ?? acknowledged ?? Buffer.alloc(0),
                existence: acknowledged === undefined || attempted === undefined ? "either" : "yes",
              });
              if (one.kind === "copy" && source !== undefined && !workload.contents.has(one.from)) {
                expected.set(one.from, { acknowledged: Buffer.alloc(0), attempted: undefined, existence: "either" });
              }
              break;
            }
            if (attempted === undefined) workload.contents.delete(one.name);
            else workload.contents.set(one.name, attempted);
            if (one.kind === "copy" && one.from !== one.name && !workload.contents.has(one.from)) {
              workload.contents.set(one.from, Buffer.alloc(0));
            }
            if (lifetime.over) break;
          }
          await store.close();
          for (const one of revive) one();

          const next = new CatalogueStore(fixture.folder);
          const again = await fixture.open({ store: next });
          for (const path of NAMES) {
            const known = workload.contents.get(path);
            checkContent(
              await contentOf(again, path),
              expected.get(path) ?? {
                acknowledged: known ?? Buffer.alloc(0),
                attempted: undefined,
                existence: known === undefined ? "no" : "yes",
              },
              path,
            );
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
          await fixture.dispose();
        },
      ),
      { numRuns: runs },
    );
  });
});
