// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  decodeFileAllInformation,
  encodeFileAllInformation,
  type FileAllInformation,
} from "../../../../src/smb2/wire/fscc/all-info.ts";
import * as basic from "../../../../src/smb2/wire/fscc/basic-info.ts";
import { decodeFileNameInformation, encodeFileNameInformation } from "../../../../src/smb2/wire/fscc/name-info.ts";
import * as open from "../../../../src/smb2/wire/fscc/open-info.ts";
import * as pipe from "../../../../src/smb2/wire/fscc/pipe-info.ts";
import * as rename from "../../../../src/smb2/wire/fscc/rename-info.ts";
import * as size from "../../../../src/smb2/wire/fscc/size-info.ts";
import * as stream from "../../../../src/smb2/wire/fscc/stream-info.ts";
import { expectFixedLength, expectGolden, expectHostile, hex, wide, written } from "./codec.ts";

const times = {
  creationTime: 0x01d0000000000001n,
  lastAccessTime: 0x01d0000000000002n,
  lastWriteTime: 0x01d0000000000003n,
  changeTime: 0x01d0000000000004n,
};
const timesHex = "010000000000d001 020000000000d001 030000000000d001 040000000000d001";
const standard = {
  allocationSize: 0x1_0000_1000,
  endOfFile: 0x1_0000_0005,
  numberOfLinks: 2,
  deletePending: true,
  directory: false,
};
const standardHex = "0010000001000000 0500000001000000 02000000 01 00 0000";

describe("basic information", () => {
  it("has 40 bytes", () => {
    const info = { ...times, attributes: 0x21 };
    expectGolden(
      `${timesHex} 21000000 00000000`,
      info,
      basic.encodeFileBasicInformation,
      basic.decodeFileBasicInformation,
    );
    expectFixedLength(40, basic.decodeFileBasicInformation);
  });

  it("sends NORMAL for no attributes in a reply, and 0 in a set request", () => {
    const info = { ...times, attributes: 0 };
    expect(written((writer) => basic.encodeFileBasicInformation(writer, info)).readUInt32LE(32)).toBe(0x80);
    expect(written((writer) => basic.encodeFileBasicChange(writer, info)).readUInt32LE(32)).toBe(0);
  });

  it("reads the special times of a set request", () => {
    const change = { creationTime: -1n, lastAccessTime: -2n, lastWriteTime: 0n, changeTime: -3n, attributes: 0 };
    expectGolden(
      "ffffffffffffffff feffffffffffffff 0000000000000000 fdffffffffffffff 00000000 00000000",
      change,
      basic.encodeFileBasicChange,
      basic.decodeFileBasicInformation,
    );
  });

  it("writes FileNetworkOpenInformation, 56 bytes, allocation before end of file", () => {
    expectGolden(
      `${timesHex} 0010000001000000 0500000001000000 20000000 00000000`,
      { ...times, allocationSize: 0x1_0000_1000, endOfFile: 0x1_0000_0005, attributes: 0x20 },
      basic.encodeFileNetworkOpenInformation,
      basic.decodeFileNetworkOpenInformation,
    );
    expectFixedLength(56, basic.decodeFileNetworkOpenInformation);
  });

  it("writes FileAttributeTagInformation", () => {
    expectGolden(
      "00040000 0c0000a0",
      { attributes: 0x400, reparseTag: 0xa000000c },
      basic.encodeFileAttributeTagInformation,
      basic.decodeFileAttributeTagInformation,
    );
  });
});

describe("sizes", () => {
  it("writes FileStandardInformation, 24 bytes", () => {
    expectGolden(standardHex, standard, size.encodeFileStandardInformation, size.decodeFileStandardInformation);
    expectFixedLength(24, size.decodeFileStandardInformation);
  });

  it("takes any nonzero byte for TRUE", () => {
    const bytes = hex("0000000000000000 0000000000000000 01000000 7f 80 0000");
    expect(size.decodeFileStandardInformation(new Reader(bytes))).toMatchObject({
      deletePending: true,
      directory: true,
    });
  });

  it("refuses a size that is no safe integer", () => {
    const bytes = hex("0000000000002000 0000000000000000 01000000 00 00 0000");
    expect(() => size.decodeFileStandardInformation(new Reader(bytes))).toThrow(MalformedPacketError);
  });

  it("writes FileCompressionInformation", () => {
    expectGolden(
      "3412000000000000 0200 10 0c 0b 000000",
      { compressedFileSize: 0x1234, compressionFormat: 2, compressionUnitShift: 16, chunkShift: 12, clusterShift: 11 },
      size.encodeFileCompressionInformation,
      size.decodeFileCompressionInformation,
    );
  });

  it.each([
    ["position", size.encodeFilePositionInformation, size.decodeFilePositionInformation],
    ["end of file", size.encodeFileEndOfFileInformation, size.decodeFileEndOfFileInformation],
    ["allocation", size.encodeFileAllocationInformation, size.decodeFileAllocationInformation],
    ["valid data length", size.encodeFileValidDataLengthInformation, size.decodeFileValidDataLengthInformation],
  ])("keeps the sign of a %s", (_, encode, decode) => {
    expectGolden("0807060504030201", 0x0102030405060708n, encode, decode);
    expectGolden("feffffffffffffff", -2n, encode, decode);
    expectFixedLength(8, decode);
  });
});

describe("information about the open", () => {
  it.each([
    ["access", open.encodeFileAccessInformation, open.decodeFileAccessInformation],
    ["alignment", open.encodeFileAlignmentInformation, open.decodeFileAlignmentInformation],
    ["mode", open.encodeFileModeInformation, open.decodeFileModeInformation],
    ["EA size", open.encodeFileEaInformation, open.decodeFileEaInformation],
    ["disposition flags", rename.encodeFileDispositionInformationEx, rename.decodeFileDispositionInformationEx],
  ])("writes %s as 32 bits", (_, encode, decode) => {
    expectGolden("efbeadde", 0xdeadbeef, encode, decode);
    expectFixedLength(4, decode);
  });

  it("writes the file ID in 64 and in 128 bits", () => {
    expectGolden(
      "8877665544332211",
      0x1122334455667788n,
      open.encodeFileInternalInformation,
      open.decodeFileInternalInformation,
    );
    expectGolden(
      "efbeadde00000000 8877665544332211 0000000000000000",
      { volumeSerialNumber: 0xdeadbeefn, fileId: 0x1122334455667788n },
      open.encodeFileIdInformation,
      open.decodeFileIdInformation,
    );
    expectFixedLength(24, open.decodeFileIdInformation);
  });
});

describe("FileAllInformation", () => {
  const info: FileAllInformation = {
    ...times,
    attributes: 0x20,
    ...standard,
    fileId: 0x1122334455667788n,
    eaSize: 12,
    accessFlags: 0x001f01ff,
    currentByteOffset: 0n,
    mode: 0x20,
    alignmentRequirement: 0,
    name: "\\ab",
  };
  const golden = `${timesHex} 20000000 00000000 ${standardHex} 8877665544332211 0c000000 ff011f00 0000000000000000
    20000000 00000000 06000000 ${wide("\\ab")}`;

  it("concatenates its parts", () => {
    expectGolden(golden, info, encodeFileAllInformation, decodeFileAllInformation);
    expectFixedLength(100, decodeFileAllInformation);
  });

  it("cuts the name, never the fixed part", () => {
    const writer = new Writer();
    expect(encodeFileAllInformation(writer, info, 104)).toBe(false);
    expect(writer.view().toString("hex")).toBe(hex(golden).subarray(0, 104).toString("hex"));
    expect(encodeFileAllInformation(new Writer(), info, 106)).toBe(true);
  });
});

describe("names", () => {
  it("writes FILE_NAME_INFORMATION", () => {
    expectGolden(
      `06000000 ${wide("a\u00e9\u4e00")}`,
      "a\u00e9\u4e00",
      (writer, name) => {
        encodeFileNameInformation(writer, name);
      },
      decodeFileNameInformation,
    );
  });

  it.each([
    [10, true, "abc"],
    [9, false, "ab"],
    [8, false, "ab"],
    [7, false, "a"],
    [4, false, ""],
    [0, false, ""],
  ])("fits a name of 6 bytes into %i bytes of room: %s", (room, complete, kept) => {
    const writer = new Writer();
    expect(encodeFileNameInformation(writer, "abc", room)).toBe(complete);
    expect(writer.view().toString("hex")).toBe(`06000000${wide(kept)}`);
  });

  it("keeps unpaired surrogates", () => {
    const bytes = written((writer) => encodeFileNameInformation(writer, "\ud800a"));
    expect(decodeFileNameInformation(new Reader(bytes))).toBe("\ud800a");
  });

  it.each(["03000000 61006200", "06000000 61006200"])("refuses a length of %s", (bytes) => {
    expect(() => decodeFileNameInformation(new Reader(hex(bytes)))).toThrow(MalformedPacketError);
  });
});

describe("rename, link and disposition", () => {
  const info = { replaceIfExists: true, rootDirectory: 0n, fileName: "d\\ef" };

  it("writes FILE_RENAME_INFORMATION_TYPE_2", () => {
    const golden = `01 00000000000000 0000000000000000 08000000 ${wide("d\\ef")}`;
    expectGolden(golden, info, rename.encodeFileRenameInformation, rename.decodeFileRenameInformation);
    expectGolden(golden, info, rename.encodeFileLinkInformation, rename.decodeFileLinkInformation);
    expectFixedLength(20, rename.decodeFileRenameInformation);
  });

  it("pads a rename to 24 bytes, a link not", () => {
    const short = { replaceIfExists: false, rootDirectory: 1n, fileName: "x" };
    const golden = `00 00000000000000 0100000000000000 02000000 ${wide("x")}`;
    expectGolden(`${golden} 0000`, short, rename.encodeFileRenameInformation, rename.decodeFileRenameInformation);
    expectGolden(golden, short, rename.encodeFileLinkInformation, rename.decodeFileLinkInformation);
  });

  it("writes FILE_RENAME_INFORMATION_EX", () => {
    expectGolden(
      `43000000 00000000 0000000000000000 02000000 ${wide("x")} 0000`,
      { flags: 0x43, rootDirectory: 0n, fileName: "x" },
      rename.encodeFileRenameInformationEx,
      rename.decodeFileRenameInformationEx,
    );
  });

  it("ignores what lies in reserved bytes", () => {
    const bytes = hex(`01 ffffffffffffff 0000000000000000 02000000 ${wide("x")} ffff`);
    expect(rename.decodeFileRenameInformation(new Reader(bytes))).toEqual({ ...info, fileName: "x" });
  });

  it("writes FILE_DISPOSITION_INFORMATION", () => {
    expectGolden("01", true, rename.encodeFileDispositionInformation, rename.decodeFileDispositionInformation);
    expectGolden("00", false, rename.encodeFileDispositionInformation, rename.decodeFileDispositionInformation);
    expect(rename.decodeFileDispositionInformation(new Reader(hex("02")))).toBe(true);
    expectFixedLength(1, rename.decodeFileDispositionInformation);
  });
});

describe("FileStreamInformation", () => {
  const streams = [
    { name: "", size: 5, allocationSize: 4096 },
    { name: "Zone.Identifier", size: 26, allocationSize: 0 },
  ];
  const first = `28000000 0e000000 0500000000000000 0010000000000000 ${wide("::$DATA")} 0000`;
  const second = `00000000 2c000000 1a00000000000000 0000000000000000 ${wide(":Zone.Identifier:$DATA")}`;

  it("chains streams on 8-byte boundaries", () => {
    expectGolden(`${first} ${second}`, streams, stream.encodeFileStreamInformation, stream.decodeFileStreamInformation);
  });

  it("writes nothing for a directory without streams", () => {
    expectGolden("", [], stream.encodeFileStreamInformation, stream.decodeFileStreamInformation);
  });

  it("leaves out what does not fit, whole", () => {
    const writer = new Writer();
    expect(stream.encodeFileStreamInformation(writer, streams, 40 + 24 + 43)).toBe(false);
    expect(stream.decodeFileStreamInformation(new Reader(Buffer.from(writer.view())))).toEqual(streams.slice(0, 1));
    expect(writer.position).toBe(38);
    expect(stream.encodeFileStreamInformation(new Writer(), streams, 40 + 24 + 44)).toBe(true);
    expect(stream.encodeFileStreamInformation(new Writer(), streams, 37)).toBe(false);
  });

  it("refuses a name without its type", () => {
    const bytes = hex(`00000000 0c000000 0000000000000000 0000000000000000 ${wide("$DATA:")}`);
    expect(() => stream.decodeFileStreamInformation(new Reader(bytes))).toThrow(MalformedPacketError);
  });

  it("reads back whatever it wrote", () => {
    const anyStream = fc.record({
      name: fc.string({ maxLength: 20 }),
      size: fc.maxSafeNat(),
      allocationSize: fc.maxSafeNat(),
    });
    fc.assert(
      fc.property(fc.array(anyStream, { maxLength: 5 }), (list) => {
        const bytes = written((writer) => stream.encodeFileStreamInformation(writer, list));
        expect(stream.decodeFileStreamInformation(new Reader(bytes))).toEqual(list);
      }),
    );
    expectHostile(hex(`${first} ${second}`), (buffer) => stream.decodeFileStreamInformation(new Reader(buffer)));
  });
});

describe("pipes", () => {
  it("writes the three classes", () => {
    expectGolden(
      "01000000 00000000",
      { readMode: pipe.PipeMode.MESSAGE, completionMode: pipe.PipeCompletionMode.QUEUE_OPERATION },
      pipe.encodeFilePipeInformation,
      pipe.decodeFilePipeInformation,
    );
    expectGolden(
      "01000000 02000000 ffffffff 03000000 00100000 05000000 00200000 06000000 03000000 00000000",
      {
        namedPipeType: pipe.PipeMode.MESSAGE,
        namedPipeConfiguration: pipe.PipeConfiguration.FULL_DUPLEX,
        maximumInstances: 0xffffffff,
        currentInstances: 3,
        inboundQuota: 0x1000,
        readDataAvailable: 5,
        outboundQuota: 0x2000,
        writeQuotaAvailable: 6,
        namedPipeState: pipe.PipeState.CONNECTED,
        namedPipeEnd: pipe.PipeEnd.CLIENT,
      },
      pipe.encodeFilePipeLocalInformation,
      pipe.decodeFilePipeLocalInformation,
    );
    expectGolden(
      "0807060504030201 00040000",
      { collectDataTime: 0x0102030405060708n, maximumCollectionCount: 1024 },
      pipe.encodeFilePipeRemoteInformation,
      pipe.decodeFilePipeRemoteInformation,
    );
    expectFixedLength(40, pipe.decodeFilePipeLocalInformation);
  });
});
