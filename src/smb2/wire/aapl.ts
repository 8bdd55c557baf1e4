// SPDX-License-Identifier: Apache-2.0

/**
 * Data of the create context "AAPL": Apple's extensions of SMB 2 and 3. They are in no specification; the layouts are those that
 * Apple documents in the header of its published client (SMBClient, `smb_2.h`).
 */

import { type CreateContext, CreateContextName } from "./create-contexts.ts";
import { MalformedPacketError, Reader, Writer } from "./cursor.ts";
import { align8, textLength } from "./layout.ts";

/** CommandCode of a context. */
export const AaplCommand = {
  SERVER_QUERY: 1,
  RESOLVE_ID: 2,
} as const;

/** What a server query asks for, and its answer holds, in this order. */
export const AaplQuery = {
  SERVER_CAPS: 0x1,
  VOLUME_CAPS: 0x2,
  MODEL_INFO: 0x4,
} as const;

/** Capabilities of a client or a server. */
export const AaplCapability = {
  /** FileIdBothDirectoryInformation carries access, resource fork length and Finder information. */
  READ_DIR_ATTR: 0x1,
  /** A copychunk request without chunks copies the whole file, with its streams and metadata. */
  OSX_COPYFILE: 0x2,
  /** The server keeps POSIX modes and links. */
  UNIX_BASED: 0x4,
  NFS_ACE: 0x8,
  READ_DIR_ATTR_V2: 0x10,
  HIFI: 0x20,
} as const;

/** Capabilities of a volume. */
export const AaplVolumeCapability = {
  RESOLVE_ID: 0x1,
  CASE_SENSITIVE: 0x2,
  /** FLUSH with Reserved1 = 0xFFFF returns when the data are on stable storage (F_FULLFSYNC). */
  FULL_SYNC: 0x4,
} as const;

const HEADER_LENGTH = 8;
const SERVER_QUERY_LENGTH = 24;

/** kAAPL_SERVER_QUERY. */
export interface AaplServerQuery {
  /** `AaplQuery` bits. */
  readonly requested: bigint;
  /** `AaplCapability` bits. */
  readonly clientCapabilities: bigint;
}

/** Reads a request. `undefined`: another command than a server query. */
export function decodeAaplRequest(data: Buffer): AaplServerQuery | undefined {
  if (data.length < HEADER_LENGTH) throw new MalformedPacketError(`AAPL: ${data.length} bytes`);
  const reader = new Reader(data);
  const command = reader.u32();
  reader.skip(4);
  if (command !== AaplCommand.SERVER_QUERY) return undefined;
  if (data.length !== SERVER_QUERY_LENGTH) throw new MalformedPacketError(`AAPL server query: ${data.length} bytes`);
  return { requested: reader.u64(), clientCapabilities: reader.u64() };
}

/** Builds the request of a client. */
export function aaplServerQueryContext(query: AaplServerQuery): CreateContext {
  const writer = new Writer(SERVER_QUERY_LENGTH);
  writer.u32(AaplCommand.SERVER_QUERY);
  writer.u32(0);
  writer.u64(query.requested);
  writer.u64(query.clientCapabilities);
  return { name: CreateContextName.AAPL, data: writer.view() };
}

/** The answer to a server query; what is left out was not asked for. */
export interface AaplServerReply {
  /** `AaplCapability` bits. */
  readonly serverCapabilities?: bigint | undefined;
  /** `AaplVolumeCapability` bits. */
  readonly volumeCapabilities?: bigint | undefined;
  /** Tells the client which picture stands for the server. */
  readonly model?: string | undefined;
}

export function aaplServerReplyContext(reply: AaplServerReply): CreateContext {
  const writer = new Writer(64);
  const { serverCapabilities, volumeCapabilities, model } = reply;
  let bitmap = 0;
  if (serverCapabilities !== undefined) bitmap |= AaplQuery.SERVER_CAPS;
  if (volumeCapabilities !== undefined) bitmap |= AaplQuery.VOLUME_CAPS;
  if (model !== undefined) bitmap |= AaplQuery.MODEL_INFO;
  writer.u32(AaplCommand.SERVER_QUERY);
  writer.u32(0);
  writer.u64(BigInt(bitmap));
  if (serverCapabilities !== undefined) writer.u64(serverCapabilities);
  if (volumeCapabilities !== undefined) writer.u64(volumeCapabilities);
  if (model !== undefined) {
    const length = textLength(model);
    writer.u32(0);
    writer.u32(length);
    writer.utf16(model);
    writer.zeros(align8(length) - length);
  }
  return { name: CreateContextName.AAPL, data: writer.view() };
}

/** Reads the answer of a server to a server query. */
export function decodeAaplServerReply(data: Buffer): AaplServerReply {
  const reader = new Reader(data);
  if (reader.u32() !== AaplCommand.SERVER_QUERY) throw new MalformedPacketError("AAPL: no reply to a server query");
  reader.skip(4);
  const bitmap = Number(reader.u64());
  const serverCapabilities = (bitmap & AaplQuery.SERVER_CAPS) !== 0 ? reader.u64() : undefined;
  const volumeCapabilities = (bitmap & AaplQuery.VOLUME_CAPS) !== 0 ? reader.u64() : undefined;
  if ((bitmap & AaplQuery.MODEL_INFO) === 0) return { serverCapabilities, volumeCapabilities };
  reader.skip(4);
  const length = reader.u32();
  return { serverCapabilities, volumeCapabilities, model: reader.utf16(length) };
}
