// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as compression from "../../../../src/smb2/wire/fscc/compression.ts";
import * as copychunk from "../../../../src/smb2/wire/fscc/copychunk.ts";
import * as extents from "../../../../src/smb2/wire/fscc/duplicate-extents.ts";
import * as integrity from "../../../../src/smb2/wire/fscc/integrity.ts";
import * as network from "../../../../src/smb2/wire/fscc/network-interface.ts";
import * as objectId from "../../../../src/smb2/wire/fscc/object-id.ts";
import * as offload from "../../../../src/smb2/wire/fscc/offload.ts";
import * as pipe from "../../../../src/smb2/wire/fscc/pipe.ts";
import * as reparse from "../../../../src/smb2/wire/fscc/reparse.ts";
import * as snapshots from "../../../../src/smb2/wire/fscc/snapshots.ts";
import * as sparse from "../../../../src/smb2/wire/fscc/sparse.ts";
import * as validate from "../../../../src/smb2/wire/fscc/validate-negotiate.ts";
import { expectFixedLength, expectGolden, expectHostile, hex, wide, written } from "./codec.ts";

const long = 0x0102030405060708n;
const longHex = "0807060504030201";

describe("server-side copy", () => {
  const key = Buffer.alloc(24, 0x5a);
  const keyHex = "5a".repeat(24);

  it("answers SRV_REQUEST_RESUME_KEY with 32 bytes", () => {
    expectGolden(
      `${keyHex} 00000000 00000000`,
      key,
      copychunk.encodeSrvRequestResumeKey,
      copychunk.decodeSrvRequestResumeKey,
    );
    expect(() => copychunk.encodeSrvRequestResumeKey(new Writer(), Buffer.alloc(23))).toThrow(RangeError);
  });

  it("reads SRV_COPYCHUNK_COPY in two steps", () => {
    const chunks = [
      { sourceOffset: long, targetOffset: 0n, length: 0x100000 },
      { sourceOffset: 0n, targetOffset: 0xffffffffffffffffn, length: 1 },
    ];
    const bytes = hex(`${keyHex} 02000000 00000000 ${longHex} 0000000000000000 00001000 00000000
      0000000000000000 ffffffffffffffff 01000000 00000000`);
    expect(written((writer) => copychunk.encodeSrvCopychunkCopy(writer, key, chunks)).toString("hex")).toBe(
      bytes.toString("hex"),
    );
    const decode = (buffer: Buffer) => {
      const reader = new Reader(buffer);
      const header = copychunk.decodeSrvCopychunkCopyHeader(reader);
      return { header, chunks: copychunk.decodeSrvCopychunks(reader, Math.min(header.chunkCount, 256)) };
    };
    expect(decode(bytes)).toEqual({ header: { sourceKey: key, chunkCount: 2 }, chunks });
    expect(() => decode(bytes.subarray(0, -1))).toThrow(MalformedPacketError);
    expectHostile(bytes, decode);
  });

  it("answers with 12 bytes", () => {
    expectGolden(
      "00010000 00001000 00000001",
      { chunksWritten: 256, chunkBytesWritten: 1 << 20, totalBytesWritten: 16 << 20 },
      copychunk.encodeSrvCopychunkResponse,
      copychunk.decodeSrvCopychunkResponse,
    );
  });
});

describe("offload", () => {
  const token = offload.encodeStorageOffloadToken({ tokenType: 0x00800001, tokenId: Buffer.from("abc") });
  const tokenHex = `00800001 0000 0003 616263 ${"00".repeat(501)}`;

  it("writes type and length of a token big-endian", () => {
    expect(token.toString("hex")).toBe(hex(tokenHex).toString("hex"));
    expect(offload.decodeStorageOffloadToken(token)).toEqual({ tokenType: 0x00800001, tokenId: Buffer.from("abc") });
    expectHostile(token, offload.decodeStorageOffloadToken);
  });

  it("takes the zero token with any length", () => {
    const zero = offload.encodeStorageOffloadToken({
      tokenType: offload.TOKEN_TYPE_ZERO_DATA,
      tokenId: Buffer.alloc(0),
    });
    expect(zero.subarray(0, 8).toString("hex")).toBe("ffff000100000000");
    for (const length of [0, 504, 0xffff]) {
      zero.writeUInt16BE(length, 6);
      expect(offload.decodeStorageOffloadToken(zero).tokenId).toHaveLength(0);
    }
  });

  it("refuses a token with the wrong lengths", () => {
    const wrong = Buffer.from(token);
    wrong.writeUInt16BE(505, 6);
    expect(() => offload.decodeStorageOffloadToken(wrong)).toThrow(MalformedPacketError);
    expect(() => offload.decodeStorageOffloadToken(token.subarray(1))).toThrow(MalformedPacketError);
    expect(() => offload.encodeStorageOffloadToken({ tokenType: 1, tokenId: Buffer.alloc(505) })).toThrow(RangeError);
  });

  it("writes FSCTL_OFFLOAD_READ", () => {
    expectGolden(
      `20000000 00000000 e8030000 00000000 ${longHex} 0000100000000000`,
      { size: 32, tokenTimeToLive: 1000, fileOffset: long, copyLength: 0x100000n },
      offload.encodeOffloadReadInput,
      offload.decodeOffloadReadInput,
    );
    expectGolden(
      `10020000 01000000 0000100000000000 ${tokenHex}`,
      { flags: 1, transferLength: 0x100000, token },
      offload.encodeOffloadReadOutput,
      offload.decodeOffloadReadOutput,
    );
    expectFixedLength(32, offload.decodeOffloadReadInput);
  });

  it("writes FSCTL_OFFLOAD_WRITE", () => {
    expectGolden(
      `20020000 00000000 ${longHex} 0002000000000000 0004000000000000 ${tokenHex}`,
      { size: 544, fileOffset: long, copyLength: 512n, transferOffset: 1024n, token },
      offload.encodeOffloadWriteInput,
      offload.decodeOffloadWriteInput,
    );
    expectGolden(
      "10000000 00000000 0002000001000000",
      0x1_0000_0200,
      offload.encodeOffloadWriteOutput,
      offload.decodeOffloadWriteOutput,
    );
    expectFixedLength(544, offload.decodeOffloadWriteInput);
  });

  it("leaves a wrong Size of a request to the caller", () => {
    expect(offload.decodeOffloadReadInput(new Reader(Buffer.alloc(32))).size).toBe(0);
    expect(() => offload.decodeOffloadWriteOutput(new Reader(Buffer.alloc(16)))).toThrow(MalformedPacketError);
  });
});

describe("block clone", () => {
  const data = {
    sourceFileId: { persistent: 1n, volatile: 2n },
    sourceFileOffset: long,
    targetFileOffset: -1n,
    byteCount: 4096n,
  };
  const dataHex = `0100000000000000 0200000000000000 ${longHex} ffffffffffffffff 0010000000000000`;

  it("writes SMB2_DUPLICATE_EXTENTS_DATA, 40 bytes", () => {
    expectGolden(dataHex, data, extents.encodeDuplicateExtentsData, extents.decodeDuplicateExtentsData);
    expectFixedLength(extents.DUPLICATE_EXTENTS_DATA_LENGTH, extents.decodeDuplicateExtentsData);
  });

  it("writes SMB2_DUPLICATE_EXTENTS_DATA_EX, 56 bytes that call themselves 48", () => {
    expectGolden(
      `3000000000000000 ${dataHex} 01000000 00000000`,
      { structureSize: 0x30n, ...data, flags: extents.DUPLICATE_EXTENTS_DATA_EX_SOURCE_ATOMIC },
      extents.encodeDuplicateExtentsDataEx,
      extents.decodeDuplicateExtentsDataEx,
    );
    expectFixedLength(extents.DUPLICATE_EXTENTS_DATA_EX_LENGTH, extents.decodeDuplicateExtentsDataEx);
  });
});

describe("sparse files", () => {
  it("sets sparse with no data at all", () => {
    expectGolden("01", true, sparse.encodeSetSparse, sparse.decodeSetSparse);
    expectGolden("00", false, sparse.encodeSetSparse, sparse.decodeSetSparse);
    expect(sparse.decodeSetSparse(new Reader(Buffer.alloc(0)))).toBe(true);
  });

  it("writes FILE_ZERO_DATA_INFORMATION", () => {
    expectGolden(
      `${longHex} ffffffffffffffff`,
      { fileOffset: long, beyondFinalZero: -1n },
      sparse.encodeSetZeroData,
      sparse.decodeSetZeroData,
    );
    expectFixedLength(16, sparse.decodeSetZeroData);
  });

  it("writes allocated ranges, as many as fit", () => {
    expectGolden(
      `${longHex} ffffffffffffffff`,
      { offset: long, length: -1n },
      sparse.encodeQueryAllocatedRangesInput,
      sparse.decodeQueryAllocatedRangesInput,
    );
    const ranges = [
      { offset: 0, length: 0x10000 },
      { offset: 0x1_0000_0000, length: 4096 },
    ];
    expectGolden(
      "0000000000000000 0000010000000000 0000000001000000 0010000000000000",
      ranges,
      sparse.encodeQueryAllocatedRangesOutput,
      sparse.decodeQueryAllocatedRangesOutput,
    );
    const writer = new Writer();
    expect(sparse.encodeQueryAllocatedRangesOutput(writer, ranges, 31)).toBe(false);
    expect(writer.position).toBe(16);
    expect(sparse.encodeQueryAllocatedRangesOutput(new Writer(), ranges, 32)).toBe(true);
  });

  it("writes FILE_LEVEL_TRIM", () => {
    expectGolden(
      `07000000 01000000 ${longHex} 0010000000000000`,
      { key: 7, ranges: [{ offset: long, length: 4096n }] },
      sparse.encodeFileLevelTrim,
      sparse.decodeFileLevelTrim,
    );
    expectGolden("02000000", 2, sparse.encodeFileLevelTrimOutput, sparse.decodeFileLevelTrimOutput);
    const many = hex("00000000 ffffffff 0000000000000000 0000000000000000");
    expect(() => sparse.decodeFileLevelTrim(new Reader(many))).toThrow(MalformedPacketError);
  });

  it("writes FSCTL_QUERY_FILE_REGIONS", () => {
    expectGolden(
      `${longHex} 0010000000000000 01000000 00000000`,
      { offset: long, length: 4096n, desiredUsage: sparse.FileRegionUsage.VALID_CACHED_DATA },
      sparse.encodeQueryFileRegionsInput,
      sparse.decodeQueryFileRegionsInput,
    );
    expect(sparse.decodeQueryFileRegionsInput(new Reader(Buffer.alloc(0)))).toBeUndefined();
    const regions = [
      { offset: 0, length: 5, usage: 1 },
      { offset: 5, length: 7, usage: 0 },
    ];
    const one = "0000000000000000 0500000000000000 01000000 00000000";
    const two = "0500000000000000 0700000000000000 00000000 00000000";
    const whole = hex(`00000000 02000000 02000000 00000000 ${one} ${two}`);
    expect(written((writer) => sparse.encodeQueryFileRegionsOutput(writer, regions)).toString("hex")).toBe(
      whole.toString("hex"),
    );
    expect(sparse.decodeQueryFileRegionsOutput(new Reader(whole))).toEqual({ totalRegionEntryCount: 2, regions });
    expectHostile(whole, (buffer) => sparse.decodeQueryFileRegionsOutput(new Reader(buffer)));
    const writer = new Writer();
    expect(sparse.encodeQueryFileRegionsOutput(writer, regions, 63)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(`00000000 02000000 01000000 00000000 ${one}`).toString("hex"));
  });
});

describe("compression and integrity", () => {
  it("writes CompressionState", () => {
    expectGolden("0200", 2, compression.encodeCompressionState, compression.decodeCompressionState);
  });

  it("writes integrity information", () => {
    expectGolden(
      "0200 0000 01000000 00100000 00000100",
      { checksumAlgorithm: integrity.ChecksumType.CRC64, flags: 1, checksumChunkSize: 4096, clusterSize: 65536 },
      integrity.encodeGetIntegrityInformation,
      integrity.decodeGetIntegrityInformation,
    );
    expectGolden(
      "ffff 0000 01000000",
      { checksumAlgorithm: integrity.ChecksumType.UNCHANGED, flags: 1 },
      integrity.encodeSetIntegrityInformation,
      integrity.decodeSetIntegrityInformation,
    );
    expectGolden(
      "01 00 0000 01000000 01 00000000000000",
      { enableIntegrity: true, keepIntegrityStateUnchanged: false, flags: 1, version: 1 },
      integrity.encodeSetIntegrityInformationEx,
      integrity.decodeSetIntegrityInformationEx,
    );
    expectFixedLength(16, integrity.decodeSetIntegrityInformationEx);
  });
});

describe("VALIDATE_NEGOTIATE_INFO", () => {
  const guid = Buffer.alloc(16, 0x77);

  it("writes request and response", () => {
    expectGolden(
      `7f000000 ${"77".repeat(16)} 0100 0200 0202 1003`,
      { capabilities: 0x7f, guid, securityMode: 1, dialects: [0x0202, 0x0310] },
      validate.encodeValidateNegotiateInfoRequest,
      validate.decodeValidateNegotiateInfoRequest,
    );
    expectGolden(
      `7f000000 ${"77".repeat(16)} 0300 0203`,
      { capabilities: 0x7f, guid, securityMode: 3, dialect: 0x0302 },
      validate.encodeValidateNegotiateInfoResponse,
      validate.decodeValidateNegotiateInfoResponse,
    );
    expectFixedLength(24, validate.decodeValidateNegotiateInfoRequest);
  });

  it("refuses a list of dialects cut short", () => {
    const bytes = hex(`7f000000 ${"77".repeat(16)} 0100 0200 0202`);
    expect(() => validate.decodeValidateNegotiateInfoRequest(new Reader(bytes))).toThrow(MalformedPacketError);
  });
});

describe("NETWORK_INTERFACE_INFO", () => {
  const interfaces = [
    { ifIndex: 2, capability: 1, linkSpeed: 10_000_000_000, address: Buffer.from([192, 0, 2, 1]) },
    { ifIndex: 2, capability: 1, linkSpeed: 10_000_000_000, address: hex(`20010db8 ${"00".repeat(11)} 05`) },
  ];
  const head = "02000000 01000000 00000000 00e40b5402000000";
  const bytes = hex(`98000000 ${head} 0200 0000 c0000201 ${"00".repeat(120)}
    00000000 ${head} 1700 0000 00000000 20010db8 ${"00".repeat(11)} 05 ${"00".repeat(104)}`);

  it("chains entries of 152 bytes", () => {
    expect(bytes).toHaveLength(2 * network.NETWORK_INTERFACE_INFO_LENGTH);
    expect(written((writer) => network.encodeNetworkInterfaces(writer, interfaces)).toString("hex")).toBe(
      bytes.toString("hex"),
    );
    expect(network.decodeNetworkInterfaces(bytes)).toEqual(interfaces);
    expect(network.decodeNetworkInterfaces(Buffer.alloc(0))).toEqual([]);
    expectHostile(bytes, network.decodeNetworkInterfaces);
  });

  it("refuses an address that is none", () => {
    const wrong = [{ ifIndex: 1, capability: 0, linkSpeed: 0, address: Buffer.alloc(5) }];
    expect(() => network.encodeNetworkInterfaces(new Writer(), wrong)).toThrow(RangeError);
    const family = Buffer.from(bytes);
    family[24] = 3;
    expect(() => network.decodeNetworkInterfaces(family)).toThrow(MalformedPacketError);
  });
});

describe("reparse points", () => {
  const link = { substituteName: "\\??\\C:\\t", printName: "C:\\t", flags: 0 };
  const linkHex = `0000 1000 1000 0800 00000000 ${wide("\\??\\C:\\t")} ${wide("C:\\t")}`;

  it("writes a symbolic link", () => {
    expect(reparse.encodeSymbolicLinkReparseData(link).toString("hex")).toBe(hex(linkHex).toString("hex"));
    expect(reparse.decodeSymbolicLinkReparseData(hex(linkHex))).toEqual(link);
    expectHostile(hex(linkHex), reparse.decodeSymbolicLinkReparseData);
  });

  it("reads names in either order", () => {
    const bytes = hex(`0400 0200 0000 0400 01000000 ${wide("pp")} ${wide("s")}`);
    expect(reparse.decodeSymbolicLinkReparseData(bytes)).toEqual({
      substituteName: "s",
      printName: "pp",
      flags: reparse.SYMLINK_FLAG_RELATIVE,
    });
  });

  it("writes a mount point, its names ended by NULs", () => {
    const names = { substituteName: "ab", printName: "c" };
    const bytes = hex(`0000 0400 0600 0200 ${wide("ab\0c\0")}`);
    expect(reparse.encodeMountPointReparseData(names).toString("hex")).toBe(bytes.toString("hex"));
    expect(reparse.decodeMountPointReparseData(bytes)).toEqual(names);
    expectHostile(bytes, reparse.decodeMountPointReparseData);
  });

  it("wraps data of Microsoft's tags", () => {
    const data = hex(linkHex);
    expectGolden(
      `0c0000a0 2400 0000 ${linkHex}`,
      { reparseTag: reparse.ReparseTag.SYMLINK, data },
      reparse.encodeReparseDataBuffer,
      reparse.decodeReparseDataBuffer,
    );
  });

  it("wraps data of others behind a GUID", () => {
    const buffer = { reparseTag: 0x00001234, guid: Buffer.alloc(16, 9), data: Buffer.from("x") };
    expectGolden(
      `34120000 0100 0000 ${"09".repeat(16)} 78`,
      buffer,
      reparse.encodeReparseDataBuffer,
      reparse.decodeReparseDataBuffer,
    );
    const without = { reparseTag: 0x00001234, data: Buffer.from("x") };
    expect(() => reparse.encodeReparseDataBuffer(new Writer(), without)).toThrow(RangeError);
  });

  it.each(["0c0000a0 0300 0000 0102", "0c0000a0 0100 0000 0102"])("refuses %s", (bytes) => {
    expect(() => reparse.decodeReparseDataBuffer(new Reader(hex(bytes)))).toThrow(MalformedPacketError);
  });
});

describe("object IDs", () => {
  it("writes FILE_OBJECTID_BUFFER, 64 bytes", () => {
    expectGolden(
      `${"11".repeat(16)} ${"22".repeat(48)}`,
      { objectId: Buffer.alloc(16, 0x11), extendedInfo: Buffer.alloc(48, 0x22) },
      objectId.encodeFileObjectIdBuffer,
      objectId.decodeFileObjectIdBuffer,
    );
    expectFixedLength(objectId.FILE_OBJECTID_BUFFER_LENGTH, objectId.decodeFileObjectIdBuffer);
  });
});

describe("pipe controls", () => {
  it("writes FSCTL_PIPE_WAIT", () => {
    expectGolden(
      `${longHex} 08000000 01 00 ${wide("pipe")}`,
      { timeout: long, name: "pipe" },
      pipe.encodePipeWait,
      pipe.decodePipeWait,
    );
    expectGolden(
      `0000000000000000 02000000 00 00 ${wide("p")}`,
      { timeout: undefined, name: "p" },
      pipe.encodePipeWait,
      pipe.decodePipeWait,
    );
    expectFixedLength(14, pipe.decodePipeWait);
  });

  it("writes FSCTL_PIPE_PEEK", () => {
    expectGolden(
      "03000000 05000000 01000000 05000000 6869",
      {
        namedPipeState: 3,
        readDataAvailable: 5,
        numberOfMessages: 1,
        messageLength: 5,
        data: Buffer.from("hi"),
      },
      pipe.encodePipePeek,
      pipe.decodePipePeek,
    );
  });
});

describe("SRV_SNAPSHOT_ARRAY", () => {
  const tokens = ["@GMT-2026.01.02-03.04.05", "@GMT-2026.01.03-03.04.05"];

  it("ends each token with a NUL, and the array with one more", () => {
    const bytes = hex(`02000000 02000000 66000000 ${wide(`${tokens.join("\0")}\0\0`)}`);
    expect(written((writer) => snapshots.encodeSrvSnapshotArray(writer, tokens, bytes.length)).toString("hex")).toBe(
      bytes.toString("hex"),
    );
    expect(snapshots.decodeSrvSnapshotArray(new Reader(bytes))).toEqual({
      numberOfSnapShots: 2,
      snapShotArraySize: 0x66,
      snapShots: tokens,
    });
    expectHostile(bytes, (buffer) => snapshots.decodeSrvSnapshotArray(new Reader(buffer)));
  });

  it("tells the size where they do not fit, or where there is none", () => {
    const none = (list: string[], room: number) =>
      written((writer) => snapshots.encodeSrvSnapshotArray(writer, list, room)).toString("hex");
    expect(none(tokens, 113)).toBe(hex("02000000 00000000 66000000 0000").toString("hex"));
    expect(none([], 16)).toBe(hex("00000000 00000000 02000000 0000").toString("hex"));
  });
});
