// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it } from "vitest";
import { zeroToken } from "../../../../src/offload/token-seal.ts";
import { RodType } from "../../../../src/scsi/commands/vpd-third-party-copy.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import type { ArrayVolume } from "../../../../src/vfs/array/array-volume.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import { MemoryArray, refusal } from "../../../support/memory-array.ts";
import { offloadRead, offloadWrite, offloadWriteAll, offloadWriteInput } from "../../../support/offload-client.ts";
import { bob, type HarnessOptions, ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile } from "../../../support/smb-client.ts";
import { ArrayFixture, MEBIBYTE } from "../../../vfs/array/support.ts";

const data = Buffer.alloc(2 * MEBIBYTE + 100);
for (let at = 0; at + 4 <= data.length; at += 4) data.writeUInt32BE(at, at);
const transferLength = 2 * MEBIBYTE + 512;

describe("tokens of the storage", () => {
  const mounted: { readonly fixture: ArrayFixture; readonly volume: ArrayVolume }[] = [];

  async function volumeOn(array: MemoryArray, acceptsForeignTokens = true) {
    const fixture = await ArrayFixture.make({ array, luns: 1 });
    const volume = await fixture.open({ acceptsForeignTokens });
    mounted.push({ fixture, volume });
    const [unit] = fixture.units;
    if (unit === undefined) throw new Error("no unit");
    const traffic = () => unit.bytesRead + unit.bytesWritten;
    return { volume, unit, traffic };
  }

  /** A server whose shares "one" and "two" lie on volumes. */
  async function serverOn(one: ArrayVolume, two: HarnessOptions["volume"], options: HarnessOptions = {}) {
    const shares = { one: { volume: one }, ...(two === undefined ? {} : { two: { volume: two } }) };
    return await ServerHarness.start({ ...options, shares });
  }

  async function source(harness: ServerHarness, share = "one"): Promise<SmbFile> {
    const tree = await harness.mount(share);
    await tree.put("source", data);
    return await tree.create("source");
  }

  afterEach(async () => {
    for (const { fixture, volume } of mounted.splice(0)) {
      await volume.close();
      await fixture.dispose();
    }
  });

  const contentOf = (file: SmbFile, length = data.length + 1000) => file.read(0, length);

  it("one server, one array: the array copies, point in time", async () => {
    const array = new MemoryArray();
    const one = await volumeOn(array);
    const two = await volumeOn(array);
    const harness = await serverOn(one.volume, two.volume);
    const file = await source(harness);
    const read = await offloadRead(file, { length: 4 * MEBIBYTE });
    expect(read).toMatchObject({ transferLength, flags: 1 });
    expect(array.tokens.has(read.token.toString("latin1"))).toBe(true);
    await file.write(0, Buffer.alloc(1000, "changed"));
    const target = await (await harness.mount("two")).createFile("target");
    const before = one.traffic() + two.traffic();
    await offloadWriteAll(target, read.token, { length: transferLength });
    expect(one.traffic() + two.traffic() - before).toBeLessThan(256 * 1024);
    expect((await contentOf(target)).equals(data)).toBe(true);
    expect(harness.copies).toContainEqual({ operation: "odx", way: "array", bytes: data.length });
    expect(harness.errors).toEqual([]);
  });

  it("one server, two arrays: what the one cannot take the server copies", async () => {
    const one = await volumeOn(new MemoryArray());
    const two = await volumeOn(new MemoryArray());
    const harness = await serverOn(one.volume, two.volume);
    const { token } = await offloadRead(await source(harness), { length: 4 * MEBIBYTE });
    const target = await (await harness.mount("two")).createFile("target");
    await offloadWriteAll(target, token, { length: transferLength });
    expect((await contentOf(target)).equals(data)).toBe(true);
    expect(harness.copies).toEqual([{ operation: "odx", way: "process", bytes: data.length }]);
    expect(harness.log).toContainEqual(expect.objectContaining({ message: "the storage did not copy" }));
  });

  it("one server, an array and something else: copied, while the data are what they were", async () => {
    const one = await volumeOn(new MemoryArray());
    const harness = await serverOn(one.volume, new MemoryVolume());
    const file = await source(harness);
    const { token } = await offloadRead(file, { length: 4 * MEBIBYTE });
    const target = await (await harness.mount("two")).createFile("target");
    await offloadWriteAll(target, token, { length: transferLength });
    expect((await contentOf(target)).equals(data)).toBe(true);
    await file.write(5, Buffer.from("x"));
    expect(await statusOf(offloadWrite(target, token, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
    // The array still has them.
    const other = await (await harness.mount("one")).createFile("other");
    await offloadWriteAll(other, token, { length: transferLength });
    expect((await contentOf(other)).equals(data)).toBe(true);
  });

  it("two servers, one array: the token of one is redeemed at the other", async () => {
    const array = new MemoryArray();
    const one = await volumeOn(array);
    const two = await volumeOn(array);
    const first = await serverOn(one.volume, undefined);
    const second = await serverOn(two.volume, undefined);
    const { token } = await offloadRead(await source(first), { length: 4 * MEBIBYTE });
    const target = await (await second.mount("one")).createFile("target");
    const before = two.traffic();
    // What this server does not know is not cut at the end of the data, but at that of the last block.
    await offloadWriteAll(target, token, { length: transferLength });
    expect(two.traffic() - before).toBeLessThan(256 * 1024);
    const padded = Buffer.concat([data, Buffer.alloc(412)]);
    expect((await contentOf(target)).equals(padded)).toBe(true);
  });

  it("two servers, two arrays: refused by the array, and nothing is changed", async () => {
    const one = await volumeOn(new MemoryArray());
    const two = await volumeOn(new MemoryArray());
    const first = await serverOn(one.volume, undefined);
    const second = await serverOn(two.volume, undefined);
    const { token } = await offloadRead(await source(first), { length: 4 * MEBIBYTE });
    const tree = await second.mount("one");
    await tree.put("target", Buffer.from("untouched"));
    const target = await tree.create("target");
    expect(await statusOf(offloadWrite(target, token, { length: transferLength }))).toBe("STATUS_INVALID_TOKEN");
    expect((await contentOf(target)).toString()).toBe("untouched");
    two.unit.beforeCopy = () => {
      throw refusal("WRITE USING TOKEN", 0x08, 0x04);
    };
    expect(await statusOf(offloadWrite(target, token, { length: 512 }))).toBe("STATUS_DEVICE_UNREACHABLE");
    expect((await contentOf(target)).toString()).toBe("untouched");
  });

  it("of somebody else are refused where the administrator wants that", async () => {
    const array = new MemoryArray();
    const one = await volumeOn(array);
    const two = await volumeOn(array, false);
    const first = await serverOn(one.volume, undefined);
    const second = await serverOn(two.volume, undefined);
    const { token } = await offloadRead(await source(first), { length: 4 * MEBIBYTE });
    const target = await (await second.mount("one")).createFile("target");
    expect(await statusOf(offloadWrite(target, token, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
  });

  it("are for the user who asked, also after they have expired here", async () => {
    const array = new MemoryArray();
    const { volume } = await volumeOn(array);
    const harness = await serverOn(volume, undefined);
    const { token } = await offloadRead(await source(harness), { length: 4 * MEBIBYTE });
    const theirs = await (await harness.mount("one", { account: bob })).createFile("theirs");
    const attempt = () =>
      statusOf(theirs.ioctl(Fsctl.OFFLOAD_WRITE, offloadWriteInput(token, { length: 512 }), { maxOutputResponse: 16 }));
    expect(await attempt()).toBe("STATUS_INVALID_TOKEN");
    harness.clock.advance(300_001);
    expect(harness.server.offload.usage.tokens).toBe(0);
    expect(array.tokens.size).toBe(1);
    expect(await attempt()).toBe("STATUS_INVALID_TOKEN");
  });

  it("through which changes show stand for what was there before them", async () => {
    const array = new MemoryArray({}, { rodType: RodType.ACCESS_UPON_REFERENCE });
    const { volume } = await volumeOn(array);
    const harness = await serverOn(volume, undefined);
    const file = await source(harness);
    const { token } = await offloadRead(file, { length: 4 * MEBIBYTE });
    const tree = await harness.mount("one");
    const first = await tree.createFile("first");
    await offloadWriteAll(first, token, { length: transferLength });
    expect((await contentOf(first)).equals(data)).toBe(true);
    expect(harness.copies.map(({ way }) => way)).toEqual(["array"]);
    await file.write(MEBIBYTE, Buffer.alloc(5000, "changed"));
    // As an array does that looks only now.
    array.tokens.set(token.toString("latin1"), Buffer.alloc(transferLength, "wrong"));
    const second = await tree.createFile("second");
    await offloadWriteAll(second, token, { length: transferLength });
    expect((await contentOf(second)).equals(data)).toBe(true);
  });

  it("are not needed for zeros", async () => {
    const array = new MemoryArray();
    const { volume, traffic } = await volumeOn(array);
    const harness = await serverOn(volume, undefined);
    const tree = await harness.mount("one");
    const file = await tree.createFile("file");
    const size = Buffer.alloc(8);
    size.writeBigInt64LE(BigInt(16 * MEBIBYTE));
    await file.setInfo(FileInformationClass.FileEndOfFileInformation, size);
    const before = traffic();
    const { token, transferLength: length, flags } = await offloadRead(file, { length: 8 * MEBIBYTE });
    expect({ length, flags, zero: token.equals(zeroToken()) }).toEqual({ length: 8 * MEBIBYTE, flags: 1, zero: true });
    await offloadWriteAll(file, zeroToken(), { offset: 8 * MEBIBYTE, length: 8 * MEBIBYTE });
    expect(traffic()).toBe(before);
    expect(array.tokens.size).toBe(0);
  });
});
