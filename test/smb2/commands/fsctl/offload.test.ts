// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { Access } from "../../../../src/nt/access-mask.ts";
import { statusName } from "../../../../src/nt/status.ts";
import { zeroToken } from "../../../../src/offload/token-seal.ts";
import { CreateDisposition, CreateOption, LockFlag } from "../../../../src/smb2/wire/constants.ts";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { encodeSetZeroData } from "../../../../src/smb2/wire/fscc/sparse.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import type { DataPins } from "../../../../src/vfs/offload.ts";
import { PosixVolume } from "../../../../src/vfs/posix/volume.ts";
import type { Volume } from "../../../../src/vfs/volume.ts";
import {
  offloadRead,
  offloadReadInput,
  offloadWrite,
  offloadWriteAll,
  offloadWriteInput,
} from "../../../support/offload-client.ts";
import { bob, ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { requests } from "../../../support/smb-requests.ts";

const MIB = 1024 * 1024;

/** A volume that cannot keep data: tokens are bound to their not being changed. */
class VolatileVolume extends MemoryVolume {
  override readonly pins: DataPins | undefined = undefined;
}

async function posixVolume(parent: string): Promise<Volume> {
  const root = mkdtempSync(join(parent, "tessera-offload-"));
  const volume = await PosixVolume.open({ root });
  onTestFinished(() => {
    volume.close();
    rmSync(root, { recursive: true, force: true });
  });
  return volume;
}

function content(length: number, seed = 1): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i++) data[i] = (i * 7 + (i >> 9) * 31 + seed) & 0xff;
  return data;
}

function sizeInformation(size: number): Buffer {
  const input = Buffer.alloc(8);
  input.writeBigInt64LE(BigInt(size));
  return input;
}

const setEndOfFile = (file: SmbFile, size: number) =>
  file.setInfo(FileInformationClass.FileEndOfFileInformation, sizeInformation(size));

function zeroData(from: number, to: number): Buffer {
  const writer = new Writer();
  encodeSetZeroData(writer, { fileOffset: BigInt(from), beyondFinalZero: BigInt(to) });
  return writer.view();
}

describe("FSCTL_OFFLOAD_READ", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let file: SmbFile;
  const data = content(3 * 4096 + 100);

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.put("file", data);
    file = await tree.create("file");
  });
  afterEach(() => expect(harness.errors).toEqual([]));

  const status = (of: SmbFile, input: Buffer, maxOutputResponse = 528) =>
    statusOf(of.ioctl(Fsctl.OFFLOAD_READ, input, { maxOutputResponse }));

  it("gives a token of the type that stands for a point in time, in network order", async () => {
    const { token, transferLength, flags } = await offloadRead(file, { length: 4096 });
    expect({ transferLength, flags }).toEqual({ transferLength: 4096, flags: 0 });
    expect(token.subarray(0, 4).toString("hex")).toBe("00800000");
    expect(token.readUInt16BE(6)).toBeLessThanOrEqual(504);
  });

  it("rounds the tail up to a sector and says that nothing follows", async () => {
    const { transferLength, flags } = await offloadRead(file, { offset: 4096, length: MIB });
    expect({ transferLength, flags }).toEqual({ transferLength: 2 * 4096 + 512, flags: 1 });
  });

  it("gives each read a token of its own", async () => {
    const first = await offloadRead(file, { length: 4096 });
    const second = await offloadRead(file, { length: 4096 });
    expect(first.token.equals(second.token)).toBe(false);
  });

  it.each([
    ["a short input", offloadReadInput({ length: 512 }).subarray(0, 31), 528, "BUFFER_TOO_SMALL"],
    ["a short output", offloadReadInput({ length: 512 }), 527, "BUFFER_TOO_SMALL"],
    ["an offset within a sector", offloadReadInput({ offset: 100, length: 512 }), 528, "INVALID_PARAMETER"],
    ["a length that is no sector", offloadReadInput({ length: 513 }), 528, "INVALID_PARAMETER"],
    ["a range beyond 64 bits", offloadReadInput({ offset: 2n ** 64n - 512n, length: 1024 }), 528, "INVALID_PARAMETER"],
    ["a negative offset", offloadReadInput({ offset: 2n ** 63n, length: 512 }), 528, "INVALID_PARAMETER"],
    ["the end of the file", offloadReadInput({ offset: 3 * 4096 + 512, length: 512 }), 528, "END_OF_FILE"],
  ])("refuses %s", async (_, input, room, expected) => {
    expect(await status(file, input, room)).toBe(`STATUS_${expected}`);
  });

  it("refuses another Size, also for no data", async () => {
    const input = offloadReadInput({ length: 0 });
    input.writeUInt32LE(33, 0);
    expect(await status(file, input)).toBe("STATUS_INVALID_PARAMETER");
  });

  it("gives the zero token for no data, whatever the handle is", async () => {
    const directory = await tree.createDirectory("directory");
    const { token, transferLength } = await offloadRead(directory, { length: 0 });
    expect(token.equals(zeroToken())).toBe(true);
    expect(transferLength).toBe(0);
    expect(await status(directory, offloadReadInput({ length: 512 }))).toBe("STATUS_OFFLOAD_READ_FILE_NOT_SUPPORTED");
  });

  it("needs the right to read", async () => {
    const blind = await tree.create("file", { desiredAccess: Access.EXECUTE | Access.WRITE_DATA });
    expect(await status(blind, offloadReadInput({ length: 512 }))).toBe("STATUS_ACCESS_DENIED");
  });

  it("refuses a file that is to be deleted", async () => {
    await file.setInfo(FileInformationClass.FileDispositionInformation, Buffer.of(1));
    expect(await status(file, offloadReadInput({ length: 512 }))).toBe("STATUS_FILE_DELETED");
  });

  it("respects byte-range locks of others", async () => {
    const other = await tree.create("file");
    await other.lock(1000, 10);
    expect(await status(file, offloadReadInput({ length: 1024 }))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await status(file, offloadReadInput({ offset: 1024, length: 512 }))).toBe("STATUS_SUCCESS");
    expect(await status(other, offloadReadInput({ length: 1024 }))).toBe("STATUS_SUCCESS");
    await other.unlock(1000, 10);
    await other.lock(1000, 10, LockFlag.SHARED_LOCK);
    expect(await status(file, offloadReadInput({ length: 1024 }))).toBe("STATUS_SUCCESS");
  });

  it("gives the zero token for a hole, and says where only zeros follow", async () => {
    const sparse = await tree.createFile("sparse");
    await sparse.ioctl(Fsctl.SET_SPARSE);
    await sparse.write(0, content(65_536));
    await setEndOfFile(sparse, 4 * MIB);
    const hole = await offloadRead(sparse, { offset: MIB, length: MIB });
    expect(hole.token.equals(zeroToken())).toBe(true);
    expect(hole).toMatchObject({ transferLength: MIB, flags: 1 });
    expect(await offloadRead(sparse, { length: 65_536 })).toMatchObject({ transferLength: 65_536, flags: 1 });
    expect(await offloadRead(sparse, { length: 4096 })).toMatchObject({ transferLength: 4096, flags: 0 });
  });

  it("serves named streams", async () => {
    const stream = await tree.createFile("file:stream");
    await stream.write(0, data);
    const { token } = await offloadRead(stream, { length: MIB });
    const target = await tree.createFile("target");
    await offloadWriteAll(target, token, { length: 3 * 4096 + 512 });
    expect((await target.read(0, MIB)).equals(data)).toBe(true);
  });
});

describe("FSCTL_OFFLOAD_WRITE", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;
  let token: Buffer;
  const data = content(3 * 4096 + 100);
  const old = Buffer.alloc(4 * 4096, 0xee);

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.put("source", data);
    await tree.put("target", old);
    source = await tree.create("source");
    target = await tree.create("target");
    token = (await offloadRead(source, { length: MIB })).token;
  });
  afterEach(() => expect(harness.errors).toEqual([]));

  const status = (of: SmbFile, input: Buffer, maxOutputResponse = 16) =>
    statusOf(of.ioctl(Fsctl.OFFLOAD_WRITE, input, { maxOutputResponse }));

  it("writes a part of what the token stands for", async () => {
    expect(await offloadWrite(target, token, { offset: 512, length: 1024, transferOffset: 4096 })).toBe(1024);
    const expected = Buffer.from(old);
    data.copy(expected, 512, 4096, 4096 + 1024);
    expect((await target.read(0, MIB)).equals(expected)).toBe(true);
  });

  it("writes an empty file as long as the data are, and reports whole sectors", async () => {
    const empty = await tree.createFile("empty");
    expect(await offloadWrite(empty, token, { length: 3 * 4096 + 512 })).toBe(3 * 4096 + 512);
    expect((await empty.read(0, MIB)).equals(data)).toBe(true);
  });

  it("does not extend a file in which it begins", async () => {
    await setEndOfFile(target, 1000);
    expect(await offloadWrite(target, token, { length: 4096 })).toBe(1024);
    expect((await target.read(0, MIB)).equals(data.subarray(0, 1000))).toBe(true);
  });

  it("fills the last sector of the data with zeros", async () => {
    expect(await offloadWrite(target, token, { length: 512, transferOffset: 3 * 4096 })).toBe(512);
    const expected = Buffer.from(old);
    expected.fill(0, 0, 512);
    data.copy(expected, 0, 3 * 4096);
    expect((await target.read(0, MIB)).equals(expected)).toBe(true);
  });

  it("writes less than asked where the token holds less", async () => {
    expect(await offloadWrite(target, token, { length: 2 * 4096, transferOffset: 2 * 4096 })).toBe(4096 + 512);
  });

  it.each<[string, (token: Buffer) => Buffer, number, string]>([
    ["a short input", (t) => offloadWriteInput(t, { length: 512 }).subarray(0, 543), 16, "BUFFER_TOO_SMALL"],
    ["a short output", (t) => offloadWriteInput(t, { length: 512 }), 15, "BUFFER_TOO_SMALL"],
    ["an odd offset", (t) => offloadWriteInput(t, { offset: 1, length: 512 }), 16, "INVALID_PARAMETER"],
    ["an odd length", (t) => offloadWriteInput(t, { length: 511 }), 16, "INVALID_PARAMETER"],
    [
      "an odd transfer offset",
      (t) => offloadWriteInput(t, { length: 512, transferOffset: 5 }),
      16,
      "INVALID_PARAMETER",
    ],
    [
      "a range beyond 64 bits",
      (t) => offloadWriteInput(t, { offset: 2n ** 64n - 512n, length: 1024 }),
      16,
      "INVALID_PARAMETER",
    ],
    ["a negative offset", (t) => offloadWriteInput(t, { offset: 2n ** 63n, length: 512 }), 16, "INVALID_PARAMETER"],
    [
      "more than a file can be",
      (t) => offloadWriteInput(t, { offset: 2n ** 60n, length: 512 }),
      16,
      "INVALID_PARAMETER",
    ],
    [
      "a place outside of the token",
      (t) => offloadWriteInput(t, { length: 512, transferOffset: 3 * 4096 + 512 }),
      16,
      "INVALID_PARAMETER",
    ],
    [
      "a far place outside of the token",
      (t) => offloadWriteInput(t, { length: 512, transferOffset: 2n ** 64n - 512n }),
      16,
      "INVALID_PARAMETER",
    ],
  ])("refuses %s", async (_, input, room, expected) => {
    expect(await status(target, input(token), room)).toBe(`STATUS_${expected}`);
    expect((await target.read(0, MIB)).equals(old)).toBe(true);
  });

  it("refuses another Size, then succeeds with no length before it looks at the token", async () => {
    const input = offloadWriteInput(Buffer.alloc(512), { length: 0 });
    expect(await status(target, input)).toBe("STATUS_SUCCESS");
    input.writeUInt32LE(545, 0);
    expect(await status(target, input)).toBe("STATUS_INVALID_PARAMETER");
  });

  it("needs the right to write, a file, and one that stays", async () => {
    const readable = await tree.create("target", { desiredAccess: Access.READ_DATA | Access.APPEND_DATA });
    const input = offloadWriteInput(token, { length: 512 });
    expect(await status(readable, input)).toBe("STATUS_ACCESS_DENIED");
    const directory = await tree.createDirectory("directory");
    expect(await status(directory, input)).toBe("STATUS_OFFLOAD_WRITE_FILE_NOT_SUPPORTED");
    await target.setInfo(FileInformationClass.FileDispositionInformation, Buffer.of(1));
    expect(await status(target, input)).toBe("STATUS_FILE_DELETED");
  });

  it("respects byte-range locks, before the token", async () => {
    const other = await tree.create("target");
    await other.lock(0, 1, LockFlag.SHARED_LOCK);
    const input = offloadWriteInput(Buffer.alloc(512), { length: 512 });
    expect(await status(target, input)).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await status(other, input)).toBe("STATUS_FILE_LOCK_CONFLICT");
    await other.unlock(0, 1);
    await target.lock(0, 1);
    expect(await status(target, offloadWriteInput(token, { length: 512 }))).toBe("STATUS_SUCCESS");
  });

  it("is refused on a read-only volume", async () => {
    const volume = new MemoryVolume({
      readOnly: true,
      populate: (empty) => empty.create(["file"], { directory: false, attributes: 0 }).file.close(),
    });
    const mounted = await (await ServerHarness.start({ volume })).mount();
    const file = await mounted.create("file", { desiredAccess: Access.WRITE_DATA });
    expect(await status(file, Buffer.alloc(0))).toBe("STATUS_MEDIA_WRITE_PROTECTED");
  });

  describe("the zero token", () => {
    /** A client makes its own; issuers disagree about the length field. */
    it.each([0, 504, 0xffff])("of a client, with TokenIdLength %i", async (length) => {
      const zero = zeroToken();
      zero.writeUInt16BE(length, 6);
      zero.fill(0x5a, 8);
      expect(await offloadWrite(target, zero, { offset: 512, length: 4096, transferOffset: 512 })).toBe(4096);
      const expected = Buffer.from(old);
      expected.fill(0, 512, 512 + 4096);
      expect((await target.read(0, MIB)).equals(expected)).toBe(true);
    });

    it("writes no further than the file reaches, unless it begins there", async () => {
      await setEndOfFile(target, 1000);
      expect(await offloadWrite(target, zeroToken(), { offset: 512, length: 4096 })).toBe(512);
      expect((await target.read(0, MIB)).length).toBe(1000);
      expect(await offloadWrite(target, zeroToken(), { offset: 1024, length: 4096 })).toBe(4096);
      expect((await target.read(1024, MIB)).equals(Buffer.alloc(4096))).toBe(true);
    });

    it("of a terabyte touches no block", async () => {
      const huge = await tree.createFile("huge");
      await huge.ioctl(Fsctl.SET_SPARSE);
      expect(await offloadWrite(huge, zeroToken(), { length: 2n ** 40n })).toBe(2 ** 40);
      expect((await huge.closeWithAttributes()).endOfFile).toBe(2n ** 40n);
    });
  });

  describe("a token", () => {
    const refused = async (bad: Buffer, on = target) => {
      expect(await status(on, offloadWriteInput(bad, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
      expect((await target.read(0, MIB)).equals(old)).toBe(true);
    };
    const altered = (position: number) => {
      const bad = Buffer.from(token);
      bad.writeUInt8((bad[position] ?? 0) ^ 1, position);
      return bad;
    };

    it.each([0, 3, 5, 7, 8, 9, 20, 21, 36, 37, 52, 60, 61, 511])(
      "with byte %i altered is refused",
      async (position) => {
        await refused(altered(position));
        expect(harness.log.some(({ level, fields }) => level === "warn" && "reason" in fields)).toBe(true);
      },
    );

    it("that is nothing at all is refused", async () => {
      await refused(Buffer.alloc(512));
      await refused(Buffer.alloc(512, 0xff));
      await refused(content(512));
    });

    it("of another server is refused", async () => {
      const other = await (await ServerHarness.start({ offload: { tokenScope: "server" } })).mount();
      await other.put("file", data);
      const foreign = await offloadRead(await other.create("file"), { length: 512 });
      // The harness makes the same random bytes in each run: another server has another key.
      foreign.token.writeUInt8((foreign.token[40] ?? 0) ^ 0x80, 40);
      await refused(foreign.token);
    });

    it("of another user is refused, and told of in the log", async () => {
      const other = await harness.mount("data", { account: bob });
      await refused(token, await other.create("target"));
      expect(harness.log).toContainEqual(
        expect.objectContaining({ level: "warn", fields: expect.objectContaining({ reason: "other user" }) }),
      );
      expect(await offloadWrite(target, token, { length: 512 })).toBe(512);
    });

    it("works in another session of the same user, also after the first one has ended", async () => {
      const again = await harness.mount();
      await tree.session.logOff();
      const other = await again.create("target");
      expect(await offloadWrite(other, token, { length: 512 })).toBe(512);
    });

    it("may be for everybody who has it", async () => {
      const shared = await ServerHarness.start({ offload: { tokenScope: "server" } });
      const mine = await shared.mount();
      await mine.put("file", data);
      const { token: open } = await offloadRead(await mine.create("file"), { length: MIB });
      const theirs = await (await shared.mount("data", { account: bob })).createFile("copy");
      await offloadWriteAll(theirs, open, { length: 3 * 4096 + 512 });
      expect((await theirs.read(0, MIB)).equals(data)).toBe(true);
    });

    it("expires when nobody uses it", async () => {
      harness.clock.advance(299_000);
      expect(await offloadWrite(target, token, { length: 512 })).toBe(512);
      harness.clock.advance(299_000);
      expect(await offloadWrite(target, token, { length: 512 })).toBe(512);
      expect(harness.server.offload.usage.tokens).toBe(1);
      harness.clock.advance(300_001);
      expect(harness.server.offload.usage.tokens).toBe(0);
      expect(await status(target, offloadWriteInput(token, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
    });

    it("lives as long as its client asks, within bounds", async () => {
      const short = await offloadRead(source, { length: 512, timeToLive: 1 });
      const long = await offloadRead(source, { length: 512, timeToLive: 0xffff_ffff });
      harness.clock.advance(29_000);
      expect(await offloadWrite(target, short.token, { length: 512 })).toBe(512);
      harness.clock.advance(31_000);
      expect(await status(target, offloadWriteInput(short.token, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
      harness.clock.advance(3_500_000);
      expect(await offloadWrite(target, long.token, { length: 512 })).toBe(512);
      harness.clock.advance(3_600_001);
      expect(await status(target, offloadWriteInput(long.token, { length: 512 }))).toBe("STATUS_INVALID_TOKEN");
    });

    it("holds nothing any more when it has expired or the server ends", async () => {
      await source.close();
      const used = () => harness.volume.space();
      const before = (await used()).free;
      harness.clock.advance(300_001);
      expect((await used()).free).toBeGreaterThan(before);
      await offloadRead(await tree.create("source"), { length: 512 });
      await harness.server.shutdown();
      expect(harness.server.offload.usage.tokens).toBe(0);
    });
  });

  describe("bounds", () => {
    const start = async (offload: object) => {
      const mounted = await (await ServerHarness.start({ offload })).mount();
      await mounted.put("file", data);
      return { file: await mounted.create("file"), copy: await mounted.createFile("copy") };
    };
    const read = async (file: SmbFile) =>
      statusOf(file.ioctl(Fsctl.OFFLOAD_READ, offloadReadInput({ length: 1024 }), { maxOutputResponse: 528 }));

    it.each([{ maxTokens: 2 }, { maxTokensPerSession: 2 }, { maxTokenBytes: 2048 }])(
      "%o: a token that was used up makes room, none else",
      async (bounds) => {
        const { file, copy } = await start(bounds);
        const first = await offloadRead(file, { length: 1024 });
        await offloadRead(file, { length: 1024 });
        expect(await read(file)).toBe("STATUS_INSUFFICIENT_RESOURCES");
        await offloadWrite(copy, first.token, { length: 512 });
        expect(await read(file)).toBe("STATUS_INSUFFICIENT_RESOURCES");
        await offloadWrite(copy, first.token, { offset: 512, length: 512, transferOffset: 512 });
        expect(await read(file)).toBe("STATUS_SUCCESS");
      },
    );

    it("a token is not used up where its end did not fit the file yet", async () => {
      const { file, copy } = await start({ maxTokens: 1 });
      const { token } = await offloadRead(file, { length: 1024 });
      await setEndOfFile(copy, 512);
      expect(await offloadWrite(copy, token, { length: 1024 })).toBe(512);
      expect(await read(file)).toBe("STATUS_INSUFFICIENT_RESOURCES");
      await setEndOfFile(copy, 1024);
      expect(await offloadWrite(copy, token, { offset: 512, length: 512, transferOffset: 512 })).toBe(512);
      expect(await read(file)).toBe("STATUS_SUCCESS");
    });

    it("keeps old data for what is still wanted before it keeps them for tokens that were used up", async () => {
      const length = 64 * 1024;
      const volume = new VolatileVolume();
      const mounted = await (await ServerHarness.start({ volume, offload: { maxPreservedBytes: length } })).mount();
      const copy = await mounted.createFile("copy");
      const tokens: Buffer[] = [];
      for (const name of ["first", "second", "third"]) {
        const file = await mounted.createFile(name);
        await file.write(0, content(length, name.length));
        const { token } = await offloadRead(file, { length });
        tokens.push(token);
        if (name === "first") await offloadWrite(copy, token, { length });
        await file.write(0, Buffer.alloc(length));
      }
      const redeem = (token: Buffer | undefined) =>
        statusOf(offloadWrite(copy, token ?? Buffer.alloc(512), { length }));
      expect(await redeem(tokens[0])).toBe("STATUS_INVALID_TOKEN");
      expect(await redeem(tokens[1])).toBe("STATUS_SUCCESS");
      expect((await copy.read(0, length)).equals(content(length, "second".length))).toBe(true);
      expect(await redeem(tokens[2])).toBe("STATUS_INVALID_TOKEN");
    });

    it("copies no more bytes in a call than allowed, and goes on where it stopped", async () => {
      const mounted = await (await ServerHarness.start({ offload: { maxBytesPerWrite: 1 } })).mount();
      const large = content(20 * MIB);
      const file = await mounted.createFile("large");
      for (let at = 0; at < large.length; at += 5 * MIB) await file.write(at, large.subarray(at, at + 5 * MIB));
      const { token: whole } = await offloadRead(file, { length: 20 * MIB });
      const copy = await mounted.createFile("copy");
      expect(await offloadWriteAll(copy, whole, { length: 20 * MIB })).toBe(3);
      for (let at = 0; at < large.length; at += 5 * MIB) {
        expect((await copy.read(at, 5 * MIB)).equals(large.subarray(at, at + 5 * MIB))).toBe(true);
      }
    });
  });
});

const volumes: readonly [string, () => Promise<Volume>, "memory" | "folder"][] = [
  ["a volume that keeps data", async () => new MemoryVolume(), "memory"],
  ["a volume that does not", async () => new VolatileVolume(), "memory"],
  ["a folder without reflinks", () => posixVolume(tmpdir()), "folder"],
];
const reflinkFolder = process.env["TESSERA_REFLINK_FOLDER"];
const all: typeof volumes =
  reflinkFolder === undefined
    ? volumes
    : [...volumes, ["a folder with reflinks", () => posixVolume(reflinkFolder), "folder"]];

describe.each(all)("a token on %s", (_, makeVolume, kind) => {
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;
  let token: Buffer;
  const data = content(100_000);
  const length = 100_352;

  beforeEach(async () => {
    const harness = await ServerHarness.start({ volume: await makeVolume() });
    tree = await harness.mount();
    await tree.put("source", data);
    source = await tree.create("source");
    target = await tree.createFile("target");
    token = (await offloadRead(source, { length: MIB })).token;
  });

  const copied = async () => {
    await offloadWriteAll(target, token, { length });
    return (await target.read(0, MIB)).equals(data);
  };

  it("stands for the data after the handle is closed", async () => {
    await source.close();
    expect(await copied()).toBe(true);
    expect(await copied()).toBe(true);
  });

  it("copies in steps of the client's choice, also across blocks", async () => {
    const steps = [512, 4096, 8192 + 512, 16_384, length - 512 - 4096 - 8192 - 512 - 16_384];
    let at = 0;
    for (const step of steps) {
      await offloadWriteAll(target, token, { offset: at, length: step, transferOffset: at });
      at += step;
    }
    expect((await target.read(0, MIB)).equals(data)).toBe(true);
  });

  it("copies to a place shifted against the source", async () => {
    await offloadWriteAll(target, token, { offset: 512, length });
    expect((await target.read(512, MIB)).equals(data)).toBe(true);
  });

  /** Each changes what the token stands for; it must still give the old data, or none. */
  it.each<[string, () => Promise<unknown>]>([
    ["an overwritten byte", () => source.write(50_000, "x")],
    ["a cut", () => setEndOfFile(source, 10)],
    ["zeros", () => source.ioctl(Fsctl.SET_ZERO_DATA, zeroData(0, 5000))],
    [
      "an allocation that cuts",
      () => source.setInfo(FileInformationClass.FileAllocationInformation, sizeInformation(0)),
    ],
    [
      "an overwriting open",
      async () => {
        await source.close();
        await (await tree.create("source", { createDisposition: CreateDisposition.OVERWRITE })).close();
      },
    ],
    ["an offloaded write", async () => offloadWrite(source, zeroToken(), { offset: 1024, length: 512 })],
    [
      "a deletion and a new file of the same name",
      async () => {
        await source.close();
        await (await tree.create("source", { createOptions: CreateOption.DELETE_ON_CLOSE })).close();
        await tree.put("source", content(100_000, 77));
      },
    ],
  ])("never gives other data after %s", async (_name, change) => {
    await change();
    const reply = await target.exchange(requestOf(target, token, length));
    expect(statusName(reply.status)).toBe("STATUS_SUCCESS");
    expect(await copied()).toBe(true);
  });

  it.each([true, false])("for zeros makes a terabyte zero in well under a second, sparse: %s", async (sparse) => {
    // Memory has all of a file that is not sparse.
    if (kind === "memory" && !sparse) return;
    const size = 2 ** 40;
    const huge = await tree.createFile("huge");
    if (sparse) await huge.ioctl(Fsctl.SET_SPARSE);
    await setEndOfFile(huge, size - 1000);
    for (let i = 0; i < 8; i++) await huge.write((i * size) / 8 + 100, Buffer.alloc(10_000, 1));
    const begin = performance.now();
    expect(await offloadWrite(huge, zeroToken(), { length: size })).toBe(size - 512);
    expect(performance.now() - begin).toBeLessThan(1000);
    expect((await huge.read(size / 8, 20_000)).equals(Buffer.alloc(20_000))).toBe(true);
    const { endOfFile, allocationSize } = await huge.closeWithAttributes();
    expect(endOfFile).toBe(BigInt(size - 1000));
    expect(allocationSize).toBeLessThan(2n ** 20n);
  });

  it("for zeros makes what follows the end of a file part of it", async () => {
    const file = await tree.createFile("grows");
    await file.ioctl(Fsctl.SET_SPARSE);
    await file.write(0, "x");
    expect(await offloadWrite(file, zeroToken(), { offset: 2 ** 30, length: 2 ** 40 })).toBe(2 ** 40);
    expect((await file.closeWithAttributes()).endOfFile).toBe(BigInt(2 ** 30 + 2 ** 40));
  });

  it("for a range before a hole tells that zeros follow, and for one before data does not", async () => {
    const file = await tree.createFile("holes");
    await file.ioctl(Fsctl.SET_SPARSE);
    await file.write(0, data);
    await setEndOfFile(file, 10 * MIB);
    expect((await offloadRead(file, { length: MIB })).flags).toBe(1);
    expect((await offloadRead(file, { offset: MIB, length: MIB })).token.subarray(0, 4).toString("hex")).toBe(
      "ffff0001",
    );
    expect((await offloadRead(file, { length: 4096 })).flags).toBe(0);
    await file.write(9 * MIB, "x");
    expect((await offloadRead(file, { length: MIB })).flags).toBe(0);
  });

  it("copies within one file", async () => {
    const again = await tree.create("source");
    expect(await offloadWrite(again, token, { offset: 51_200, length: 4096, transferOffset: 512 })).toBe(4096);
    const expected = Buffer.from(data);
    data.copy(expected, 51_200, 512, 512 + 4096);
    expect((await source.read(0, MIB)).equals(expected)).toBe(true);
  });

  it("copies within one file over itself", async () => {
    const again = await tree.create("source");
    expect(await offloadWrite(again, token, { offset: 512, length: 65_536 })).toBe(65_536);
    const expected = Buffer.from(data);
    data.copy(expected, 512, 0, 65_536);
    expect((await source.read(0, MIB)).equals(expected)).toBe(true);
  });
});

function requestOf(file: SmbFile, token: Buffer, length: number) {
  return requests.ioctl(Fsctl.OFFLOAD_WRITE, file.fileId, {
    input: offloadWriteInput(token, { length }),
    maxOutputResponse: 16,
  });
}
