// SPDX-License-Identifier: Apache-2.0

/** The value of a `user.DosStream.*` attribute: the data of the stream and one byte 0 behind them, as Samba keeps it. */

/** Bytes of data in a value of `length` bytes. A value without the byte, as ksmbd writes it, counts in full. */
export function streamLength(value: Buffer, length: number): number {
  return length > 0 && value[length - 1] === 0 ? length - 1 : length;
}

/** The data in a value: a view into it. */
export function parseStream(value: Buffer): Buffer {
  return value.subarray(0, streamLength(value, value.length));
}

export function serialiseStream(data: Buffer): Buffer {
  return Buffer.concat([data, Buffer.of(0)]);
}
