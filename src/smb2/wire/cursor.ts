// SPDX-License-Identifier: Apache-2.0

/** The bytes on the wire do not follow the specification. Ends the connection where the header itself is broken. */
export class MalformedPacketError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedPacketError";
  }
}

/** Where 64-bit values are put together and taken apart: `readBigUInt64LE` makes several values of one. */
const wide = new DataView(new ArrayBuffer(8));

// Fields are read and written byte by byte: V8 looks a method of Buffer up anew with each call, which takes longer than the
// method itself. Whoever calls these has checked that the bytes are there.

export function u16At(buffer: Buffer, at: number): number {
  return (buffer[at] ?? 0) | ((buffer[at + 1] ?? 0) << 8);
}

export function u32At(buffer: Buffer, at: number): number {
  return (
    ((buffer[at] ?? 0) |
      ((buffer[at + 1] ?? 0) << 8) |
      ((buffer[at + 2] ?? 0) << 16) |
      ((buffer[at + 3] ?? 0) << 24)) >>>
    0
  );
}

export function u64At(buffer: Buffer, at: number): bigint {
  wide.setUint32(0, u32At(buffer, at), true);
  wide.setUint32(4, u32At(buffer, at + 4), true);
  return wide.getBigUint64(0, true);
}

function putU32(buffer: Buffer, at: number, value: number): void {
  buffer[at] = value;
  buffer[at + 1] = value >>> 8;
  buffer[at + 2] = value >>> 16;
  buffer[at + 3] = value >>> 24;
}

/**
 * Reads little-endian fields of one message. Every read is checked against the end of the message; a short read throws
 * {@link MalformedPacketError}, nothing is clamped. Offsets are counted from the start of the message (the SMB2 header).
 */
export class Reader {
  readonly buffer: Buffer;
  position: number;

  constructor(buffer: Buffer, position = 0) {
    this.buffer = buffer;
    this.position = position;
  }

  get length(): number {
    return this.buffer.length;
  }

  get remaining(): number {
    return this.buffer.length - this.position;
  }

  #advance(size: number): number {
    const at = this.position;
    if (size < 0 || at + size > this.buffer.length) {
      throw new MalformedPacketError(`short read: ${size} bytes at ${at} of ${this.buffer.length}`);
    }
    this.position = at + size;
    return at;
  }

  skip(size: number): void {
    this.#advance(size);
  }

  /** Moves to an absolute offset, which may be the end of the message but not beyond. */
  seek(offset: number): void {
    if (offset < 0 || offset > this.buffer.length) {
      throw new MalformedPacketError(`offset ${offset} outside of ${this.buffer.length} bytes`);
    }
    this.position = offset;
  }

  u8(): number {
    return this.buffer[this.#advance(1)] ?? 0;
  }

  u16(): number {
    return u16At(this.buffer, this.#advance(2));
  }

  u32(): number {
    return u32At(this.buffer, this.#advance(4));
  }

  u64(): bigint {
    return u64At(this.buffer, this.#advance(8));
  }

  i64(): bigint {
    return BigInt.asIntN(64, u64At(this.buffer, this.#advance(8)));
  }

  /** A 64-bit size or offset of a reply as a number; beyond 2^53 - 1 it is malformed. */
  u64n(): number {
    const at = this.#advance(8);
    const high = u32At(this.buffer, at + 4);
    if (high > 0x1fffff) throw new MalformedPacketError(`64-bit value at ${at} exceeds 2^53 - 1`);
    return high * 0x1_0000_0000 + u32At(this.buffer, at);
  }

  /** A view, not a copy: it must not outlive the request. */
  bytes(size: number): Buffer {
    const at = this.#advance(size);
    return this.buffer.subarray(at, at + size);
  }

  /** UTF-16LE text of `size` bytes; an odd size is malformed. */
  utf16(size: number): string {
    if (size % 2 !== 0) throw new MalformedPacketError(`odd length ${size} of a UTF-16 string`);
    const at = this.#advance(size);
    return this.buffer.toString("utf16le", at, at + size);
  }

  /** A view at an absolute offset, bounds-checked; does not move the position. */
  at(offset: number, size: number): Buffer {
    if (offset < 0 || size < 0 || offset + size > this.buffer.length) {
      throw new MalformedPacketError(`${size} bytes at offset ${offset} outside of ${this.buffer.length} bytes`);
    }
    return this.buffer.subarray(offset, offset + size);
  }
}

/**
 * Writes little-endian fields into a growing buffer. `base` marks where the current SMB2 header starts: offsets inside a
 * message are relative to it, and the next message of a compound begins at a new base.
 */
export class Writer {
  #buffer: Buffer;
  #base = 0;
  position = 0;

  constructor(capacity = 1024) {
    this.#buffer = Buffer.allocUnsafe(capacity);
  }

  get base(): number {
    return this.#base;
  }

  /** Starts a message at the current position. */
  beginMessage(): void {
    this.#base = this.position;
  }

  /** The current position, counted from the start of the message. */
  get offset(): number {
    return this.position - this.#base;
  }

  #reserve(size: number): number {
    const at = this.position;
    const end = at + size;
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, at);
      this.#buffer = grown;
    }
    this.position = end;
    return at;
  }

  u8(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  u16(value: number): void {
    if (value >>> 16 !== 0) throw new RangeError(`${value} does not fit 16 bits`);
    const at = this.#reserve(2);
    this.#buffer[at] = value;
    this.#buffer[at + 1] = value >>> 8;
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    putU32(this.#buffer, at, value);
  }

  u64(value: bigint): void {
    if (BigInt.asUintN(64, value) !== value) throw new RangeError(`${value} does not fit 64 bits without a sign`);
    wide.setBigUint64(0, value, true);
    this.#putWide();
  }

  i64(value: bigint): void {
    if (BigInt.asIntN(64, value) !== value) throw new RangeError(`${value} does not fit 64 bits with a sign`);
    wide.setBigInt64(0, value, true);
    this.#putWide();
  }

  #putWide(): void {
    const at = this.#reserve(8);
    putU32(this.#buffer, at, wide.getUint32(0, true));
    putU32(this.#buffer, at + 4, wide.getUint32(4, true));
  }

  /** A 64-bit field from a non-negative safe integer, without a `bigint` on the way. */
  u64n(value: number): void {
    const at = this.#reserve(8);
    putU32(this.#buffer, at, value);
    putU32(this.#buffer, at + 4, Math.floor(value / 0x1_0000_0000));
  }

  /**
   * Makes room for `size` bytes and returns them, uninitialised, for a caller that fills them itself; what remains unused
   * is given back with {@link truncate}. The view is valid until the next write.
   */
  reserve(size: number): Buffer {
    const at = this.#reserve(size);
    return this.#buffer.subarray(at, at + size);
  }

  bytes(data: Uint8Array): void {
    const at = this.#reserve(data.length);
    this.#buffer.set(data, at);
  }

  utf16(text: string): void {
    const at = this.#reserve(text.length * 2);
    this.#buffer.write(text, at, "utf16le");
  }

  zeros(size: number): void {
    const at = this.#reserve(size);
    this.#buffer.fill(0, at, at + size);
  }

  /** Pads with zeros to a multiple of `alignment`, counted from the start of the message. */
  align(alignment: number): void {
    const rest = this.offset % alignment;
    if (rest !== 0) this.zeros(alignment - rest);
  }

  /** Back-patches a field at an absolute position that an earlier write reserved. */
  patchU16(position: number, value: number): void {
    this.#buffer.writeUInt16LE(value, position);
  }

  patchU32(position: number, value: number): void {
    this.#buffer.writeUInt32LE(value >>> 0, position);
  }

  /** Drops everything from `position` on. */
  truncate(position: number): void {
    this.position = position;
  }

  /** The bytes written so far: a view, valid until the next write. */
  view(start = 0, end = this.position): Buffer {
    return this.#buffer.subarray(start, end);
  }
}
