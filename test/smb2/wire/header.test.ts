// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Command, HeaderFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError, Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeHeader,
  encodeHeader,
  HEADER_SIZE,
  type Header,
  NO_SIGNATURE,
  PROTOCOL_ID,
  peekCommand,
  peekFlags,
  peekMessageId,
  peekNextCommand,
  peekProtocolId,
  peekSessionId,
  peekStatus,
} from "../../../src/smb2/wire/header.ts";
import * as captured from "./captured.ts";
import { hex } from "./golden.ts";

function encoded(header: Header): string {
  const writer = new Writer(16);
  encodeHeader(writer, header);
  return writer.view().toString("hex");
}

describe("header", () => {
  // Every field has bytes of its own, so that a field at a wrong place shows.
  const syncRequest = hex(`
    fe534d42 4000 0201 0403 0000 0500 2010 04000030 58000000 0807060504030201
    fffe0000 0c0b0a09 1817161514131211 202122232425262728292a2b2c2d2e2f`);
  const request: Header = {
    creditCharge: 0x0102,
    status: 0,
    channelSequence: 0x0304,
    command: Command.CREATE,
    credits: 0x1020,
    flags: HeaderFlag.RELATED_OPERATIONS | HeaderFlag.DFS_OPERATIONS | HeaderFlag.REPLAY_OPERATION,
    nextCommand: 0x58,
    messageId: 0x0102030405060708n,
    asyncId: 0n,
    processId: 0xfeff,
    treeId: 0x090a0b0c,
    sessionId: 0x1112131415161718n,
    signature: hex("202122232425262728292a2b2c2d2e2f"),
  };
  const asyncResponse = hex(`
    fe534d42 4000 0000 03010000 0f00 0100 03000000 00000000 0700000000000000
    8877665544332211 1817161514131211 00000000000000000000000000000000`);
  const response: Header = {
    ...request,
    creditCharge: 0,
    status: 0x103,
    channelSequence: 0,
    command: Command.CHANGE_NOTIFY,
    credits: 1,
    flags: HeaderFlag.SERVER_TO_REDIR | HeaderFlag.ASYNC_COMMAND,
    nextCommand: 0,
    messageId: 7n,
    asyncId: 0x1122334455667788n,
    processId: 0,
    treeId: 0,
    signature: NO_SIGNATURE,
  };

  it("reads and writes the SYNC form of a request", () => {
    expect(decodeHeader(new Reader(syncRequest))).toEqual(request);
    expect(encoded(request)).toBe(syncRequest.toString("hex"));
  });

  it("reads and writes the ASYNC form of a response", () => {
    expect(decodeHeader(new Reader(asyncResponse))).toEqual(response);
    expect(encoded(response)).toBe(asyncResponse.toString("hex"));
  });

  it("moves behind the header, wherever it begins", () => {
    const reader = new Reader(Buffer.concat([hex("0000000000"), syncRequest, hex("aa")]), 5);
    expect(decodeHeader(reader).messageId).toBe(request.messageId);
    expect(reader.position).toBe(5 + HEADER_SIZE);
  });

  it.each(Object.entries(captured).filter(([name]) => !name.startsWith("smb1")))(
    "writes the header of %s as it was captured",
    (_name, message) => {
      expect(encoded(decodeHeader(new Reader(message)))).toBe(message.toString("hex", 0, HEADER_SIZE));
    },
  );

  it("rejects a wrong ProtocolId, a wrong StructureSize and a short header", () => {
    const wrongProtocol = Buffer.from(syncRequest);
    wrongProtocol[0] = 0xfd;
    const wrongSize = Buffer.from(syncRequest);
    wrongSize[4] = 65;
    for (const bytes of [wrongProtocol, wrongSize, syncRequest.subarray(0, 63)]) {
      expect(() => decodeHeader(new Reader(bytes))).toThrow(MalformedPacketError);
    }
  });

  it("refuses to write a signature of another length", () => {
    expect(() => encoded({ ...request, signature: Buffer.alloc(8) })).toThrow(RangeError);
  });

  it("gives single fields by position", () => {
    const message = Buffer.concat([hex("000000"), asyncResponse]);
    expect(peekProtocolId(message, 3)).toBe(PROTOCOL_ID);
    expect(peekProtocolId(message, message.length - 3)).toBeUndefined();
    expect(peekCommand(message, 3)).toBe(Command.CHANGE_NOTIFY);
    expect(peekFlags(message, 3)).toBe(3);
    expect(peekStatus(message, 3)).toBe(0x103);
    expect(peekMessageId(message, 3)).toBe(7n);
    expect(peekSessionId(message, 3)).toBe(0x1112131415161718n);
    expect(peekNextCommand(syncRequest)).toBe(0x58);
  });

  it("reads back whatever it writes", () => {
    const u16 = fc.nat(0xffff);
    const u32 = fc.nat({ max: 0xffffffff });
    const u64 = fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn });
    const any = fc.record({
      creditCharge: u16,
      status: u32,
      channelSequence: u16,
      command: u16,
      credits: u16,
      flags: u32,
      nextCommand: u32,
      messageId: u64,
      asyncId: u64,
      processId: u32,
      treeId: u32,
      sessionId: u64,
      signature: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(any, (header) => {
        const writer = new Writer();
        encodeHeader(writer, header);
        const isResponse = (header.flags & HeaderFlag.SERVER_TO_REDIR) !== 0;
        const isAsync = (header.flags & HeaderFlag.ASYNC_COMMAND) !== 0;
        expect(decodeHeader(new Reader(writer.view()))).toEqual({
          ...header,
          ...(isResponse ? { channelSequence: 0 } : { status: 0 }),
          ...(isAsync ? { processId: 0, treeId: 0 } : { asyncId: 0n }),
        });
      }),
    );
  });
});
