// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError } from "./cursor.ts";

/** Size of the Direct TCP transport packet header, in bytes (MS-SMB2 2.1). */
export const FRAME_HEADER_SIZE = 4;

/** The longest message that a frame can carry, in bytes (MS-SMB2 2.1). */
export const MAXIMUM_FRAME_LENGTH = 0xffffff;

/**
 * StreamProtocolLength of the frame that begins at `start`: the bytes of the message behind the 4 bytes of the header
 * (MS-SMB2 2.1). `undefined` where those 4 bytes are not all there yet. A first byte other than zero throws
 * {@link MalformedPacketError}.
 */
export function peekFrameLength(buffer: Buffer, start = 0): number | undefined {
  if (buffer.length - start < FRAME_HEADER_SIZE) return undefined;
  const value = buffer.readUInt32BE(start);
  if (value > MAXIMUM_FRAME_LENGTH) throw new MalformedPacketError("frame: the first byte is not zero");
  return value;
}

/** Writes the 4 bytes of the Direct TCP header in front of a message of `length` bytes (MS-SMB2 2.1). */
export function writeFrameHeader(buffer: Buffer, length: number, start = 0): void {
  if (length > MAXIMUM_FRAME_LENGTH) throw new RangeError(`frame: ${length} bytes do not fit 24 bits`);
  buffer.writeUInt32BE(length, start);
}

/** The Direct TCP header of a message of `length` bytes as a buffer of its own (MS-SMB2 2.1). */
export function frameHeader(length: number): Buffer {
  const buffer = Buffer.allocUnsafe(FRAME_HEADER_SIZE);
  writeFrameHeader(buffer, length);
  return buffer;
}
