// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { FileSystemAttribute } from "../../../../src/nt/attributes.ts";
import { foldName } from "../../../../src/nt/names.ts";
import { allOperations, type OffloadSwitches } from "../../../../src/offload/operations.ts";
import { zeroToken } from "../../../../src/offload/token-seal.ts";
import { InfoType } from "../../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileSystemInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { encodeSrvCopychunkCopy } from "../../../../src/smb2/wire/fscc/copychunk.ts";
import { encodeDuplicateExtentsData } from "../../../../src/smb2/wire/fscc/duplicate-extents.ts";
import { decodeFileFsAttributeInformation } from "../../../../src/smb2/wire/fscc/fs-info.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import type { VolumeInfo } from "../../../../src/vfs/volume.ts";
import { CloningVolume } from "../../../support/cloning-volume.ts";
import { offloadRead, offloadReadInput, offloadWriteInput } from "../../../support/offload-client.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const UNIT = 4096;

/** A volume that says that it clones. */
class AdvertisingVolume extends CloningVolume {
  override readonly info: VolumeInfo = withCloning(new CloningVolume().info);
}

function withCloning(info: VolumeInfo): VolumeInfo {
  return { ...info, attributes: info.attributes | FileSystemAttribute.SUPPORTS_BLOCK_REFCOUNTING };
}

describe("the switches of a share", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;

  async function start(offload: OffloadSwitches = allOperations): Promise<void> {
    harness = await ServerHarness.start({ volume: new AdvertisingVolume(), share: { offload } });
    tree = await harness.mount();
    await tree.put("source", Buffer.alloc(UNIT, 1));
    await tree.put("target", Buffer.alloc(UNIT, 2));
    source = await tree.create("source");
    target = await tree.create("target");
  }

  /** Changes the share as a reload does, under the feet of those who use it. */
  function reconfigure(offload: Partial<OffloadSwitches>): void {
    const share = harness.shares.get(foldName("data"));
    if (share === undefined) throw new Error("no share");
    harness.shares.set(foldName("data"), { ...share, offload: { ...allOperations, ...offload } });
  }

  const ioctl = (file: SmbFile, code: number, input: Buffer, maxOutputResponse: number) =>
    statusOf(file.ioctl(code, input, { maxOutputResponse }));

  const readToken = () => ioctl(source, Fsctl.OFFLOAD_READ, offloadReadInput({ length: UNIT }), 528);
  const writeToken = (token: Buffer) =>
    ioctl(target, Fsctl.OFFLOAD_WRITE, offloadWriteInput(token, { length: UNIT }), 16);
  const resumeKey = () => ioctl(source, Fsctl.SRV_REQUEST_RESUME_KEY, Buffer.alloc(0), 32);

  async function copychunk(key: Buffer, code: number = Fsctl.SRV_COPYCHUNK): Promise<string> {
    const writer = new Writer();
    encodeSrvCopychunkCopy(writer, key, [{ sourceOffset: 0n, targetOffset: 0n, length: UNIT }]);
    return ioctl(target, code, writer.view(), 12);
  }

  function clone(): Promise<string> {
    const writer = new Writer();
    const range = { sourceFileOffset: 0n, targetFileOffset: 0n, byteCount: BigInt(UNIT) };
    encodeDuplicateExtentsData(writer, { sourceFileId: source.fileId, ...range });
    return ioctl(target, Fsctl.DUPLICATE_EXTENTS_TO_FILE, writer.view(), 0);
  }

  async function advertisesClone(): Promise<boolean> {
    const output = await source.queryInfo(FileSystemInformationClass.FileFsAttributeInformation, {
      infoType: InfoType.FILESYSTEM,
    });
    const { attributes } = decodeFileFsAttributeInformation(new Reader(output));
    return (attributes & FileSystemAttribute.SUPPORTS_BLOCK_REFCOUNTING) !== 0;
  }

  const everything = async () => ({
    odx: await readToken(),
    zeros: await writeToken(zeroToken()),
    copychunk: await resumeKey(),
    clone: await clone(),
    integrity: await ioctl(source, Fsctl.GET_INTEGRITY_INFORMATION, Buffer.alloc(0), 16),
    advertised: await advertisesClone(),
  });

  const all = {
    odx: "STATUS_SUCCESS",
    zeros: "STATUS_SUCCESS",
    copychunk: "STATUS_SUCCESS",
    clone: "STATUS_SUCCESS",
    integrity: "STATUS_SUCCESS",
    advertised: true,
  };

  beforeEach(() => start());

  it("are all on", async () => {
    expect(await everything()).toEqual(all);
    expect(harness.refusals).toEqual([]);
  });

  it("turn tokens off: neither read nor written, zeros included", async () => {
    const { token } = await offloadRead(source, { length: UNIT });
    reconfigure({ odx: false });
    expect(await everything()).toEqual({ ...all, odx: "STATUS_NOT_SUPPORTED", zeros: "STATUS_NOT_SUPPORTED" });
    expect(await writeToken(token)).toBe("STATUS_NOT_SUPPORTED");
    expect(harness.refusals).toEqual(Array(3).fill({ operation: "odx", reason: "switched off" }));
    reconfigure({});
    expect(await writeToken(token)).toBe("STATUS_SUCCESS");
  });

  it("turn server-side copy off: no key, and keys of before are of no use", async () => {
    const key = (await source.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY)).subarray(0, 24);
    reconfigure({ copychunk: false });
    expect(await everything()).toEqual({ ...all, copychunk: "STATUS_NOT_SUPPORTED" });
    expect(await copychunk(key)).toBe("STATUS_NOT_SUPPORTED");
    expect(await copychunk(key, Fsctl.SRV_COPYCHUNK_WRITE)).toBe("STATUS_NOT_SUPPORTED");
  });

  it("turn block clone off, as on a volume that cannot", async () => {
    reconfigure({ clone: false });
    const refused = "STATUS_INVALID_DEVICE_REQUEST";
    expect(await everything()).toEqual({ ...all, clone: refused, integrity: refused, advertised: false });
  });

  it("hold from the first tree connect on", async () => {
    await start({ odx: false, copychunk: false, clone: false });
    const off = "STATUS_NOT_SUPPORTED";
    expect(await everything()).toMatchObject({ odx: off, zeros: off, copychunk: off, advertised: false });
    expect((await tree.get("source")).equals(Buffer.alloc(UNIT, 1))).toBe(true);
  });
});

describe("the count of copies", () => {
  it("tells what was copied by which way, and what was refused and why", async () => {
    const harness = await ServerHarness.start({ volume: new CloningVolume() });
    const tree = await harness.mount();
    await tree.put("source", Buffer.alloc(UNIT, 1));
    const source = await tree.create("source");
    const target = await tree.createFile("target");
    const { token } = await offloadRead(source, { length: UNIT });
    const write = (bytes: Buffer, length = UNIT) =>
      statusOf(target.ioctl(Fsctl.OFFLOAD_WRITE, offloadWriteInput(bytes, { length }), { maxOutputResponse: 16 }));
    await write(token);
    await write(zeroToken());
    const altered = Buffer.from(token);
    altered.writeUInt8(altered.readUInt8(60) ^ 1, 60);
    expect(await write(altered)).toBe("STATUS_INVALID_TOKEN");
    expect(await write(token, 1)).toBe("STATUS_INVALID_PARAMETER");
    const key = (await source.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY)).subarray(0, 24);
    const writer = new Writer();
    // The second chunk is not there: the first one is copied, and the answer tells of both.
    encodeSrvCopychunkCopy(writer, key, [
      { sourceOffset: 0n, targetOffset: 0n, length: UNIT },
      { sourceOffset: BigInt(UNIT), targetOffset: 0n, length: UNIT },
    ]);
    await statusOf(target.ioctl(Fsctl.SRV_COPYCHUNK, writer.view(), { maxOutputResponse: 12 }));
    expect(harness.copies).toEqual([
      { operation: "odx", way: "reflink", bytes: UNIT },
      { operation: "odx", way: "zero", bytes: UNIT },
      { operation: "copychunk", way: "process", bytes: UNIT },
    ]);
    expect(harness.refusals).toEqual([
      { operation: "odx", reason: "altered" },
      { operation: "odx", reason: "STATUS_INVALID_PARAMETER" },
      { operation: "copychunk", reason: "STATUS_INVALID_VIEW_SIZE" },
    ]);
  });
});

describe("the tokens held", () => {
  it("are listed with who asked for them, what for, and how long they live", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("source", Buffer.alloc(3 * UNIT, 1));
    const source = await tree.create("source");
    const started = harness.clock.now();
    await offloadRead(source, { offset: UNIT, length: UNIT, timeToLive: 60_000 });
    harness.clock.advance(1000);
    await offloadRead(source, { length: 2 * UNIT });
    const origin = { userName: "Alice", client: "192.0.2.11", share: "data", file: "source", inUse: false };
    const { offload } = harness.server;
    const held = offload.heldTokens();
    expect(held).toEqual([
      { ...origin, offset: UNIT, length: UNIT, pinned: true, issued: started, expires: started + 60_000 },
      { ...origin, offset: 0, length: 2 * UNIT, pinned: true, issued: started + 1000, expires: started + 301_000 },
    ]);
    expect(offload.usage).toEqual({ tokens: 2, bytes: 3 * UNIT, pins: 2, pinnedBytes: 3 * UNIT, preservedBytes: 0 });
    harness.clock.advance(60_000);
    expect(offload.heldTokens()).toEqual(held.slice(1));
    expect(offload.usage).toEqual({ tokens: 1, bytes: 2 * UNIT, pins: 1, pinnedBytes: 2 * UNIT, preservedBytes: 0 });
  });
});
