// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, onTestFinished } from "vitest";
import { PreserveBudget } from "../../src/offload/preserve-budget.ts";
import { StreamPreserver, type StreamSnapshot } from "../../src/offload/stream-preserver.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { Volume, VolumeStream } from "../../src/vfs/volume.ts";
import { temporaryVolume } from "../vfs/posix/support.ts";

const MIB = 1024 * 1024;

interface Setup {
  readonly volume: Volume;
  readonly data: VolumeStream;
  readonly budget: PreserveBudget;
  readonly preserver: StreamPreserver;
  readonly idle: () => boolean;
}

async function start(volume: Volume, content: Buffer, limit = 64 * MIB): Promise<Setup> {
  const { file } = await volume.create(["file"], { directory: false, attributes: 0 });
  const data = await file.openStream("");
  if (data === undefined) throw new Error("no stream");
  await data.write(0, content);
  const watch = await data.watch?.();
  if (watch === undefined) throw new Error("no watch");
  const budget = new PreserveBudget(limit);
  let idle = false;
  const preserver = new StreamPreserver({ volume, data, watch, budget, idle: () => (idle = true) });
  onTestFinished(async () => {
    await data.close();
    await file.close();
  });
  return { volume, data, budget, preserver, idle: () => idle };
}

/** What a snapshot stands for, read wherever it is. */
async function read(snapshot: StreamSnapshot): Promise<Buffer> {
  const { offset, length } = snapshot.range;
  const bytes = Buffer.alloc(length);
  for (let at = offset; at < offset + length; ) {
    const place = snapshot.locate(at, offset + length - at);
    const part = bytes.subarray(at - offset, at - offset + place.length);
    if (Buffer.isBuffer(place.from)) place.from.copy(part, 0, place.offset, place.offset + place.length);
    else if (place.from !== undefined) expect(await place.from.read(place.offset, part)).toBe(part.length);
    at += place.length;
  }
  return bytes;
}

const write = ({ preserver, data }: Setup, offset: number, bytes: Buffer) =>
  preserver.change({ offset, length: bytes.length }, () => data.write(offset, bytes));

const kinds: readonly [string, () => Promise<Volume>][] = [
  ["a volume without scratch streams", async () => new MemoryVolume()],
  ["a folder", async () => (await temporaryVolume()).volume],
];

describe.each(kinds)("old data on %s", (_, makeVolume) => {
  const content = Buffer.alloc(3 * MIB, 0x41);

  it("are kept before they are overwritten, in whole blocks, once for all who need them", async () => {
    const setup = await start(await makeVolume(), content);
    const first = setup.preserver.snapshot({ offset: 0, length: 2 * MIB });
    const second = setup.preserver.snapshot({ offset: MIB, length: 2 * MIB });
    await write(setup, MIB + 5000, Buffer.alloc(10, 0x42));
    expect(setup.budget.used).toBe(4096);
    await write(setup, MIB + 5000, Buffer.alloc(10, 0x43));
    expect(setup.budget.used).toBe(4096);
    const third = setup.preserver.snapshot({ offset: MIB, length: MIB });
    await write(setup, MIB + 5000, Buffer.alloc(10, 0x44));
    expect((await read(first)).equals(content.subarray(0, 2 * MIB))).toBe(true);
    expect((await read(second)).equals(content.subarray(0, 2 * MIB))).toBe(true);
    expect((await read(third))[5000]).toBe(0x43);
    await first.release();
    expect((await read(second)).equals(content.subarray(0, 2 * MIB))).toBe(true);
    await second.release();
    expect(setup.budget.used).toBe(4096);
    expect(setup.idle()).toBe(false);
    await third.release();
    expect(setup.budget.used).toBe(0);
    expect(setup.idle()).toBe(true);
  });

  it("cost nothing where a change touches none of them, and no turn of the event loop", async () => {
    const setup = await start(await makeVolume(), content);
    const snapshot = setup.preserver.snapshot({ offset: 0, length: MIB });
    let ran = false;
    const result = setup.preserver.change({ offset: MIB, length: 100 }, () => {
      ran = true;
    });
    expect(ran).toBe(true);
    expect(result).toBeUndefined();
    expect(setup.budget.used).toBe(0);
    await snapshot.release();
  });

  it("are kept when the stream is cut, more than fits memory too", async () => {
    const large = Buffer.alloc(40 * MIB, 0x45);
    const setup = await start(await makeVolume(), large, 100 * MIB);
    const snapshot = setup.preserver.snapshot({ offset: 0, length: large.length });
    await setup.preserver.change({ offset: 0, length: Number.MAX_SAFE_INTEGER }, () => setup.data.setEndOfFile(0));
    if (setup.volume.scratch === undefined) {
      expect(snapshot.lost).toBe("preserve limit");
    } else {
      expect(snapshot.lost).toBeUndefined();
      expect((await read(snapshot)).equals(large)).toBe(true);
    }
    await snapshot.release();
    expect(setup.budget.used).toBe(0);
  });

  it("are kept as holes where they are holes", async () => {
    const setup = await start(await makeVolume(), Buffer.alloc(1));
    await setup.data.setSparse(true);
    await setup.preserver.change({ offset: 0, length: 2 ** 41 }, () => setup.data.setEndOfFile(2 ** 41));
    const snapshot = setup.preserver.snapshot({ offset: 2 ** 30, length: 2 ** 40 });
    await setup.preserver.change({ offset: 0, length: 2 ** 41 }, () => setup.data.setEndOfFile(0));
    expect(snapshot.lost).toBeUndefined();
    expect(snapshot.locate(2 ** 30, 2 ** 40)).toEqual({ from: undefined, offset: 0, length: 2 ** 40 });
    expect(setup.budget.used).toBeLessThan(2 ** 20);
    await snapshot.release();
  });

  it("are lost where they do not fit, and the change goes on", async () => {
    const setup = await start(await makeVolume(), content, 8192);
    const snapshot = setup.preserver.snapshot({ offset: 0, length: content.length });
    const other = setup.preserver.snapshot({ offset: 2 * MIB, length: 4096 });
    await write(setup, 0, Buffer.alloc(100_000, 0x46));
    expect(snapshot.lost).toBe("preserve limit");
    expect(other.lost).toBeUndefined();
    expect(setup.budget.used).toBe(0);
    const changed = Buffer.alloc(1);
    await setup.data.read(99_999, changed);
    expect(changed[0]).toBe(0x46);
    await snapshot.release();
    await other.release();
  });

  it("are lost when somebody else changes them, unless they were kept already", async () => {
    const setup = await start(await makeVolume(), content);
    const partly = setup.preserver.snapshot({ offset: 0, length: MIB });
    const wholly = setup.preserver.snapshot({ offset: 4096, length: 4096 });
    await write(setup, 4096, Buffer.alloc(4096, 0x47));
    const again = await (await setup.volume.open(["file"]))?.file.openStream("");
    await again?.write(0, Buffer.alloc(1));
    await again?.close();
    expect(setup.preserver.isIntact).toBe(false);
    expect(partly.lost).toBe("data changed");
    expect(wholly.lost).toBeUndefined();
    expect((await read(wholly)).equals(content.subarray(0, 4096))).toBe(true);
    await partly.release();
    await wholly.release();
  });

  it("are right when many write at once", async () => {
    const setup = await start(await makeVolume(), content);
    const snapshot = setup.preserver.snapshot({ offset: 0, length: content.length });
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => write(setup, (i * 61_111) % (2 * MIB), Buffer.alloc(100_000, i))),
    );
    expect((await read(snapshot)).equals(content)).toBe(true);
    await snapshot.release();
    expect(setup.budget.used).toBe(0);
  });
});
