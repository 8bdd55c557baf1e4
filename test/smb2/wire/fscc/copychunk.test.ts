// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import * as copychunk from "../../../../src/smb2/wire/fscc/copychunk.ts";
import { expectGolden, expectHostile, hex, written } from "./codec.ts";

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
