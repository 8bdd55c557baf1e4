// SPDX-License-Identifier: Apache-2.0

import { HeaderFlag } from "./constants.ts";
import { MalformedPacketError, type Reader, u16At, u32At, u64At, type Writer } from "./cursor.ts";
import { writeFixed } from "./layout.ts";

/** Size of the SMB2 header, in bytes; the body of a message starts here (MS-SMB2 2.2.1). */
export const HEADER_SIZE = 64;

/** ProtocolId of a plain SMB2 message: 0xFE, "SMB" (MS-SMB2 2.2.1.2). */
export const PROTOCOL_ID = 0x424d53fe;

/** ProtocolId of an encrypted message: 0xFD, "SMB" (MS-SMB2 2.2.41). */
export const TRANSFORM_PROTOCOL_ID = 0x424d53fd;

/** ProtocolId of a compressed message: 0xFC, "SMB" (MS-SMB2 2.2.42). */
export const COMPRESSION_PROTOCOL_ID = 0x424d53fc;

/** ProtocolId of an SMB1 message: 0xFF, "SMB" (MS-SMB2 3.3.5.3.1). */
export const SMB1_PROTOCOL_ID = 0x424d53ff;

/** Size of the Signature field, in bytes (MS-SMB2 2.2.1). */
export const SIGNATURE_SIZE = 16;

/** The Signature of a message that is not signed (MS-SMB2 2.2.1). */
export const NO_SIGNATURE: Buffer = Buffer.alloc(SIGNATURE_SIZE);

/** Positions of the header fields, from the start of the header (MS-SMB2 2.2.1.1, 2.2.1.2). */
export const HeaderOffset = {
  PROTOCOL_ID: 0,
  STRUCTURE_SIZE: 4,
  CREDIT_CHARGE: 6,
  STATUS: 8,
  COMMAND: 12,
  CREDITS: 14,
  FLAGS: 16,
  NEXT_COMMAND: 20,
  MESSAGE_ID: 24,
  ASYNC_ID: 32,
  PROCESS_ID: 32,
  TREE_ID: 36,
  SESSION_ID: 40,
  SIGNATURE: 48,
} as const;

/** The SMB2 header in both of its forms (MS-SMB2 2.2.1.1, 2.2.1.2). */
export interface Header {
  /** Credits that the request consumes; 0 in SMB 2.0.2. */
  creditCharge: number;
  /** NTSTATUS of a response; 0 in a request. */
  status: number;
  /** ChannelSequence of a request (SMB 3.x; earlier dialects leave it 0); 0 in a response. */
  channelSequence: number;
  /** `Command` value. */
  command: number;
  /** CreditRequest or CreditResponse. */
  credits: number;
  /** `HeaderFlag` bits. */
  flags: number;
  /** Bytes from this header to the next one of the compound; 0 in the last or only message. */
  nextCommand: number;
  messageId: bigint;
  /** 0 unless `HeaderFlag.ASYNC_COMMAND` is set. */
  asyncId: bigint;
  /** The reserved field that clients fill with a process id, 0xFEFF as a rule; 0 in the ASYNC form. */
  processId: number;
  /** 0 in the ASYNC form, which has no TreeId. */
  treeId: number;
  sessionId: bigint;
  /** View of 16 bytes; zeros where the message is not signed. */
  signature: Buffer;
}

/**
 * Reads the header at the position of the reader and moves behind it (MS-SMB2 2.2.1). A wrong ProtocolId or
 * StructureSize, or fewer than 64 bytes, throws {@link MalformedPacketError}. NextCommand is not judged here: it concerns
 * the bytes behind the message.
 */
export function decodeHeader(reader: Reader): Header {
  const { buffer, position: at } = reader;
  reader.skip(HEADER_SIZE);
  if (u32At(buffer, at) !== PROTOCOL_ID) throw new MalformedPacketError("header: not an SMB2 ProtocolId");
  if (u16At(buffer, at + HeaderOffset.STRUCTURE_SIZE) !== HEADER_SIZE) {
    throw new MalformedPacketError("header: StructureSize is not 64");
  }
  const flags = u32At(buffer, at + HeaderOffset.FLAGS);
  const response = (flags & HeaderFlag.SERVER_TO_REDIR) !== 0;
  const async = (flags & HeaderFlag.ASYNC_COMMAND) !== 0;
  return {
    creditCharge: u16At(buffer, at + HeaderOffset.CREDIT_CHARGE),
    status: response ? u32At(buffer, at + HeaderOffset.STATUS) : 0,
    channelSequence: response ? 0 : u16At(buffer, at + HeaderOffset.STATUS),
    command: u16At(buffer, at + HeaderOffset.COMMAND),
    credits: u16At(buffer, at + HeaderOffset.CREDITS),
    flags,
    nextCommand: u32At(buffer, at + HeaderOffset.NEXT_COMMAND),
    messageId: u64At(buffer, at + HeaderOffset.MESSAGE_ID),
    asyncId: async ? u64At(buffer, at + HeaderOffset.ASYNC_ID) : 0n,
    processId: async ? 0 : u32At(buffer, at + HeaderOffset.PROCESS_ID),
    treeId: async ? 0 : u32At(buffer, at + HeaderOffset.TREE_ID),
    sessionId: u64At(buffer, at + HeaderOffset.SESSION_ID),
    signature: buffer.subarray(at + HeaderOffset.SIGNATURE, at + HEADER_SIZE),
  };
}

/** Writes the header in the form that `flags` asks for (MS-SMB2 2.2.1). */
export function encodeHeader(writer: Writer, header: Readonly<Header>): void {
  const { flags } = header;
  writer.u32(PROTOCOL_ID);
  writer.u16(HEADER_SIZE);
  writer.u16(header.creditCharge);
  writer.u32(flags & HeaderFlag.SERVER_TO_REDIR ? header.status : header.channelSequence);
  writer.u16(header.command);
  writer.u16(header.credits);
  writer.u32(flags);
  writer.u32(header.nextCommand);
  writer.u64(header.messageId);
  if (flags & HeaderFlag.ASYNC_COMMAND) {
    writer.u64(header.asyncId);
  } else {
    writer.u32(header.processId);
    writer.u32(header.treeId);
  }
  writer.u64(header.sessionId);
  writeFixed(writer, header.signature, SIGNATURE_SIZE, "Signature");
}

/** The ProtocolId at `start`, or `undefined` where fewer than 4 bytes are left (MS-SMB2 2.2.1, 2.2.41, 2.2.42). */
export function peekProtocolId(buffer: Buffer, start = 0): number | undefined {
  return buffer.length - start < 4 ? undefined : u32At(buffer, start);
}

/** Command of the header at `start`, which must hold {@link HEADER_SIZE} bytes (MS-SMB2 2.2.1). */
export function peekCommand(buffer: Buffer, start = 0): number {
  return u16At(buffer, start + HeaderOffset.COMMAND);
}

/** Flags of the header at `start` (MS-SMB2 2.2.1). */
export function peekFlags(buffer: Buffer, start = 0): number {
  return u32At(buffer, start + HeaderOffset.FLAGS);
}

/** NextCommand of the header at `start` (MS-SMB2 2.2.1). */
export function peekNextCommand(buffer: Buffer, start = 0): number {
  return u32At(buffer, start + HeaderOffset.NEXT_COMMAND);
}

/** Status of the response header at `start` (MS-SMB2 2.2.1). */
export function peekStatus(buffer: Buffer, start = 0): number {
  return u32At(buffer, start + HeaderOffset.STATUS);
}

/** MessageId of the header at `start` (MS-SMB2 2.2.1). */
export function peekMessageId(buffer: Buffer, start = 0): bigint {
  return u64At(buffer, start + HeaderOffset.MESSAGE_ID);
}

/** SessionId of the header at `start` (MS-SMB2 2.2.1). */
export function peekSessionId(buffer: Buffer, start = 0): bigint {
  return u64At(buffer, start + HeaderOffset.SESSION_ID);
}
