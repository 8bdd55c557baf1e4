// SPDX-License-Identifier: Apache-2.0

import { Channel } from "./constants.ts";
import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { EMPTY, expectStructureSize, fitsU16, variablePart } from "./layout.ts";

/** Where the data of a WRITE request begin at the earliest, from the start of its header (MS-SMB2 2.2.21); so do those of known clients. */
export const WRITE_DATA_OFFSET = HEADER_SIZE + 48;
const MAXIMUM_DATA_OFFSET = 0x100;

/** SMB2 WRITE Request (MS-SMB2 2.2.21). */
export interface WriteRequest {
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  readonly fileId: FileId;
  /** `Channel` value; reserved before SMB 3.0. */
  readonly channel: number;
  /** Bytes to be fetched over RDMA. */
  readonly remainingBytes: number;
  /** Empty where `channel` is NONE. */
  readonly channelInfo: Buffer;
  /** `WriteFlag` bits. */
  readonly flags: number;
  /** View of the data; may be empty. */
  readonly data: Buffer;
}

/**
 * Reads an SMB2 WRITE Request (MS-SMB2 2.2.21). A DataOffset above 0x100 is malformed (MS-SMB2 3.3.5.13).
 * @param hasChannel SMB 3.x: before, what tells of the channel is reserved, and ignored
 */
export function decodeWriteRequest(reader: Reader, hasChannel = true): WriteRequest {
  expectStructureSize(reader, 49, "WRITE request");
  const dataOffset = reader.u16();
  const length = reader.u32();
  const offset = reader.u64();
  const fileId = decodeFileId(reader);
  const sentChannel = reader.u32();
  const channel = hasChannel ? sentChannel : Channel.NONE;
  const remainingBytes = reader.u32();
  const infoOffset = reader.u16();
  const infoLength = reader.u16();
  const flags = reader.u32();
  if (dataOffset > MAXIMUM_DATA_OFFSET) throw new MalformedPacketError(`WRITE: DataOffset ${dataOffset}`);
  const data = variablePart(reader, dataOffset, length, WRITE_DATA_OFFSET, "WRITE data");
  const channelInfo =
    channel === Channel.NONE ? EMPTY : variablePart(reader, infoOffset, infoLength, WRITE_DATA_OFFSET, "ChannelInfo");
  return { offset, fileId, channel, remainingBytes, channelInfo, flags, data };
}

/** Writes an SMB2 WRITE Request (MS-SMB2 2.2.21). */
export function encodeWriteRequest(writer: Writer, request: WriteRequest): void {
  const { channelInfo, data } = request;
  writer.u16(49);
  writer.u16(data.length > 0 || channelInfo.length === 0 ? WRITE_DATA_OFFSET : 0);
  writer.u32(data.length);
  writer.u64(request.offset);
  encodeFileId(writer, request.fileId);
  writer.u32(request.channel);
  writer.u32(request.remainingBytes);
  writer.u16(channelInfo.length > 0 ? fitsU16(WRITE_DATA_OFFSET + data.length, "ChannelInfo") : 0);
  writer.u16(fitsU16(channelInfo.length, "ChannelInfo"));
  writer.u32(request.flags);
  writer.bytes(data);
  writer.bytes(channelInfo);
}

/** SMB2 WRITE Response (MS-SMB2 2.2.22). */
export interface WriteResponse {
  /** Bytes written. */
  readonly count: number;
}

/** Writes an SMB2 WRITE Response (MS-SMB2 2.2.22). */
export function encodeWriteResponse(writer: Writer, response: WriteResponse): void {
  writer.u16(17);
  writer.u16(0);
  writer.u32(response.count);
  writer.zeros(8);
}

/** Reads an SMB2 WRITE Response (MS-SMB2 2.2.22). */
export function decodeWriteResponse(reader: Reader): WriteResponse {
  expectStructureSize(reader, 17, "WRITE response");
  reader.skip(2);
  const count = reader.u32();
  reader.skip(8);
  return { count };
}
