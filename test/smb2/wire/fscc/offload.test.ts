// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { encodeStorageOffloadToken } from "../../../../src/nt/offload-token.ts";
import { MalformedPacketError, Reader } from "../../../../src/smb2/wire/cursor.ts";
import * as offload from "../../../../src/smb2/wire/fscc/offload.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

const long = 0x0102030405060708n;
const longHex = "0807060504030201";

describe("offload", () => {
  const token = encodeStorageOffloadToken({ tokenType: 0x00800001, tokenId: Buffer.from("abc") });
  const tokenHex = `00800001 0000 0003 616263 ${"00".repeat(501)}`;

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
