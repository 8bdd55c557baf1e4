// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect } from "vitest";
import type { ArrayVolume } from "../../../src/vfs/array/array-volume.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";

/** Random work on a few files of an array volume, and what the files have to hold after it. */

export const NAMES = ["a", "b", "c"];
const SIZE = 1024 * 1024;
/** Bytes of an allocation unit. */
export const UNIT = 4096;

export type Step =
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
export const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("write" as const), name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("zero" as const), name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("resize" as const), name, size: offset }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("copy" as const), name, from: name, offset, length }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("remove" as const), name }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sparse" as const), name }) },
);

export class Workload {
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

export async function perform(volume: ArrayVolume, one: Step, data: Buffer): Promise<void> {
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

export async function contentOf(volume: ArrayVolume, path: string): Promise<Buffer | undefined> {
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
export interface Interrupted {
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** Every byte is one that was there before the step, or one that the step puts there; beyond the end of file are zeros. */
export function checkContent(found: Buffer | undefined, { before, after }: Interrupted, path: string): void {
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
