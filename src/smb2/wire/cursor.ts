// SPDX-License-Identifier: Apache-2.0

/** The bytes on the wire do not follow the specification. Ends the connection where the header itself is broken. */
export class MalformedPacketError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedPacketError";
  }
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
    return this.buffer.readUInt8(this.#advance(1));
  }

  u16(): number {
    return this.buffer.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.buffer.readUInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.buffer.readBigUInt64LE(this.#advance(8));
  }

  i64(): bigint {
    return this.buffer.readBigInt64LE(this.#advance(8));
  }

  /** A 64-bit size or offset of a reply as a number; beyond 2^53 - 1 it is malformed. */
  u64n(): number {
    const at = this.#advance(8);
    const high = this.buffer.readUInt32LE(at + 4);
    if (high > 0x1fffff) throw new MalformedPacketError(`64-bit value at ${at} exceeds 2^53 - 1`);
    return high * 0x1_0000_0000 + this.buffer.readUInt32LE(at);
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
    const at = this.#reserve(2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#reserve(4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
  }

  u64(value: bigint): void {
    const at = this.#reserve(8);
    this.#buffer.writeBigUInt64LE(value, at);
  }

  i64(value: bigint): void {
    const at = this.#reserve(8);
    this.#buffer.writeBigInt64LE(value, at);
  }

  /** A 64-bit field from a non-negative safe integer, without a `bigint` on the way. */
  u64n(value: number): void {
    const at = this.#reserve(8);
    this.#buffer.writeUInt32LE(value >>> 0, at);
    this.#buffer.writeUInt32LE(Math.floor(value / 0x1_0000_0000), at + 4);
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
