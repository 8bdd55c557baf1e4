// SPDX-License-Identifier: Apache-2.0

import { Channel } from "./constants.ts";
import type { Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { HEADER_SIZE } from "./header.ts";
import { EMPTY, expectStructureSize, fitsU16, variablePart } from "./layout.ts";

const REQUEST_BUFFER_OFFSET = HEADER_SIZE + 48;

/** Where the data of a READ response begin, in bytes from the SMB2 header (MS-SMB2 2.2.20). */
export const READ_DATA_OFFSET = HEADER_SIZE + 16;

/** SMB2 READ Request (MS-SMB2 2.2.19). */
export interface ReadRequest {
  /** Offset in the response at which the client would like the data; not binding. */
  readonly padding: number;
  /** `ReadFlag` bits; reserved before SMB 3.0.2. */
  readonly flags: number;
  /** Bytes. */
  readonly length: number;
  /** Bytes from the start of the file. */
  readonly offset: bigint;
  readonly fileId: FileId;
  /** Bytes. */
  readonly minimumCount: number;
  /** `Channel` value; reserved before SMB 3.0. */
  readonly channel: number;
  /** Bytes to read over RDMA. */
  readonly remainingBytes: number;
  /** Empty where `channel` is NONE. */
  readonly channelInfo: Buffer;
}

/**
 * Reads an SMB2 READ Request (MS-SMB2 2.2.19).
 * @param hasChannel SMB 3.x: before, what tells of the channel is reserved, and ignored
 */
export function decodeReadRequest(reader: Reader, hasChannel = true): ReadRequest {
  expectStructureSize(reader, 49, "READ request");
  const padding = reader.u8();
  const flags = reader.u8();
  const length = reader.u32();
  const offset = reader.u64();
  const fileId = decodeFileId(reader);
  const minimumCount = reader.u32();
  const sentChannel = reader.u32();
  const channel = hasChannel ? sentChannel : Channel.NONE;
  const remainingBytes = reader.u32();
  const infoOffset = reader.u16();
  const infoLength = reader.u16();
  const channelInfo =
    channel === Channel.NONE
      ? EMPTY
      : variablePart(reader, infoOffset, infoLength, REQUEST_BUFFER_OFFSET, "ChannelInfo");
  return { padding, flags, length, offset, fileId, minimumCount, channel, remainingBytes, channelInfo };
}

/** Writes an SMB2 READ Request (MS-SMB2 2.2.19). */
export function encodeReadRequest(writer: Writer, request: ReadRequest): void {
  const { channelInfo } = request;
  writer.u16(49);
  writer.u8(request.padding);
  writer.u8(request.flags);
  writer.u32(request.length);
  writer.u64(request.offset);
  encodeFileId(writer, request.fileId);
  writer.u32(request.minimumCount);
  writer.u32(request.channel);
  writer.u32(request.remainingBytes);
  writer.u16(channelInfo.length > 0 ? REQUEST_BUFFER_OFFSET : 0);
  writer.u16(fitsU16(channelInfo.length, "ChannelInfo"));
  if (channelInfo.length > 0) writer.bytes(channelInfo);
  else writer.u8(0); // The Buffer of a request holds at least one byte.
}

/** SMB2 READ Response (MS-SMB2 2.2.20). */
export interface ReadResponse {
  readonly data: Buffer;
  /** Bytes sent on the channel of the request. */
  readonly dataRemaining: number;
  /** `ReadResponseFlag` value; reserved before SMB 3.1.1. */
  readonly flags: number;
}

/**
 * Writes the 16 fixed bytes of an SMB2 READ Response (MS-SMB2 2.2.20). The data go out behind them as a buffer of their
 * own, from {@link READ_DATA_OFFSET} on.
 *
 * @param dataLength bytes of data that follow
 * @param dataRemaining bytes sent on the channel of the request
 */
export function encodeReadResponseHeader(writer: Writer, dataLength: number, dataRemaining: number): void {
  writer.u16(17);
  writer.u8(READ_DATA_OFFSET);
  writer.u8(0);
  writer.u32(dataLength);
  writer.u32(dataRemaining);
  writer.u32(0);
}

/** Reads an SMB2 READ Response (MS-SMB2 2.2.20). */
export function decodeReadResponse(reader: Reader): ReadResponse {
  expectStructureSize(reader, 17, "READ response");
  const dataOffset = reader.u8();
  reader.skip(1);
  const dataLength = reader.u32();
  const dataRemaining = reader.u32();
  const flags = reader.u32();
  return { data: variablePart(reader, dataOffset, dataLength, READ_DATA_OFFSET, "READ data"), dataRemaining, flags };
}
