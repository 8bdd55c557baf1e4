// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, type Writer } from "./cursor.ts";
import { expectAligned8, fitsU16, variablePart } from "./layout.ts";

const guidName = (hex: string): string => Buffer.from(hex, "hex").toString("latin1");

/** Names of create contexts, one character a byte (MS-SMB2 2.2.13.2). */
export const CreateContextName = {
  EA_BUFFER: "ExtA",
  SD_BUFFER: "SecD",
  DURABLE_HANDLE_REQUEST: "DHnQ",
  DURABLE_HANDLE_RECONNECT: "DHnC",
  ALLOCATION_SIZE: "AlSi",
  QUERY_MAXIMAL_ACCESS: "MxAc",
  TIMEWARP_TOKEN: "TWrp",
  QUERY_ON_DISK_ID: "QFid",
  /** Both versions of the lease; the length of the data tells them apart. */
  REQUEST_LEASE: "RqLs",
  DURABLE_HANDLE_REQUEST_V2: "DH2Q",
  DURABLE_HANDLE_RECONNECT_V2: "DH2C",
  APP_INSTANCE_ID: guidName("45bca66aefa7f74a9008fa462e144d74"),
  APP_INSTANCE_VERSION: guidName("b982d0b73b56074fa07b524a8116a010"),
  SVHDX_OPEN_DEVICE: guidName("9ccbcf9e04c1e643980e158da1f6ec83"),
  RESERVED: guidName("93ad25509cb411e7b42383de968bcd7c"),
  /** Apple's extensions; not in MS-SMB2. The data stay raw. */
  AAPL: "AAPL",
} as const;

/** SMB2_CREATE_CONTEXT as it stands on the wire (MS-SMB2 2.2.13.2). */
export interface CreateContext {
  /** One character a byte (latin1): compare it with `CreateContextName`. */
  readonly name: string;
  /** Empty where the context carries none. */
  readonly data: Buffer;
}

const CONTEXT_HEADER_SIZE = 16;
const MINIMUM_NAME_LENGTH = 4;

/**
 * Reads a chain of create contexts, whose bytes are `chain` from the first byte to the last (MS-SMB2 2.2.13.2,
 * 3.3.5.9). Every context must lie within its part of the chain, names must have at least 4 bytes, and the next context,
 * names and data must begin at multiples of 8. The offset of empty data is ignored.
 */
export function decodeCreateContexts(chain: Buffer): CreateContext[] {
  const contexts: CreateContext[] = [];
  let at = 0;
  for (;;) {
    const rest = chain.length - at;
    if (rest < CONTEXT_HEADER_SIZE) throw new MalformedPacketError("create context: short header");
    const next = chain.readUInt32LE(at);
    if (next !== 0) {
      expectAligned8(next, "create context: Next");
      if (next < CONTEXT_HEADER_SIZE || next > rest)
        throw new MalformedPacketError("create context: Next out of range");
    }
    contexts.push(decodeContext(chain.subarray(at, next === 0 ? chain.length : at + next)));
    if (next === 0) return contexts;
    at += next;
  }
}

function decodeContext(bytes: Buffer): CreateContext {
  const reader = new Reader(bytes, 4);
  const nameOffset = reader.u16();
  const nameLength = reader.u16();
  reader.skip(2);
  const dataOffset = reader.u16();
  const dataLength = reader.u32();
  if (nameLength < MINIMUM_NAME_LENGTH) throw new MalformedPacketError("create context: name shorter than 4 bytes");
  expectAligned8(nameOffset, "create context: NameOffset");
  const name = variablePart(reader, nameOffset, nameLength, CONTEXT_HEADER_SIZE, "create context name");
  if (dataLength !== 0) expectAligned8(dataOffset, "create context: DataOffset");
  const data = variablePart(reader, dataOffset, dataLength, CONTEXT_HEADER_SIZE, "create context data");
  return { name: name.toString("latin1"), data };
}

/** Writes a chain of create contexts; the position must be a multiple of 8 from the SMB2 header (MS-SMB2 2.2.13.2). */
export function encodeCreateContexts(writer: Writer, contexts: readonly CreateContext[]): void {
  let previous = -1;
  for (const { name, data } of contexts) {
    writer.align(8);
    const start = writer.position;
    if (previous >= 0) writer.patchU32(previous, start - previous);
    previous = start;
    writer.u32(0);
    writer.u16(CONTEXT_HEADER_SIZE);
    writer.u16(fitsU16(name.length, "create context name"));
    writer.u16(0);
    const dataOffset = writer.position;
    writer.u16(0);
    writer.u32(data.length);
    writer.bytes(Buffer.from(name, "latin1"));
    if (data.length > 0) {
      writer.align(8);
      writer.patchU16(dataOffset, fitsU16(writer.position - start, "create context data"));
      writer.bytes(data);
    }
  }
}

/** The data of the first context of that name, or `undefined` (MS-SMB2 2.2.13.2). */
export function findCreateContext(contexts: readonly CreateContext[], name: string): Buffer | undefined {
  for (const context of contexts) if (context.name === name) return context.data;
  return undefined;
}
