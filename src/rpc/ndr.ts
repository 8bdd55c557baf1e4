// SPDX-License-Identifier: Apache-2.0

/**
 * Network Data Representation 2.0, 32-bit, little-endian, ASCII, IEEE: transfer syntax
 * 8a885d04-1ceb-11c9-9fe8-08002b104860 version 2 (C706 chapter 14). Alignment counts from the start of the stub.
 */

/** The stub does not hold what the operation's IDL asks for; answered with the fault RPC_X_BAD_STUB_DATA. */
export class NdrError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "NdrError";
  }
}

/** What `RPC_UNICODE_STRING` and `[string] wchar_t *` may hold at most, in UTF-16 units. */
const MAX_STRING_UNITS = 32_768;

/**
 * Reads one stub. Nothing is clamped: a read past the end, and every count above its limit, throws {@link NdrError}.
 * Octets after the last parameter are not looked at, since clients append verification trailers (MS-RPCE 2.2.2.13).
 */
export class NdrReader {
  readonly #stub: Buffer;
  #position = 0;

  constructor(stub: Buffer) {
    this.#stub = stub;
  }

  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#stub.length - this.#position;
  }

  #take(size: number, alignment: number): number {
    const at = Math.ceil(this.#position / alignment) * alignment;
    if (at + size > this.#stub.length) {
      throw new NdrError(`${size} bytes at ${at} of a stub of ${this.#stub.length}`);
    }
    this.#position = at + size;
    return at;
  }

  align(alignment: number): void {
    this.#take(0, alignment);
  }

  u8(): number {
    return this.#stub.readUInt8(this.#take(1, 1));
  }

  u16(): number {
    return this.#stub.readUInt16LE(this.#take(2, 2));
  }

  u32(): number {
    return this.#stub.readUInt32LE(this.#take(4, 4));
  }

  u64(): bigint {
    return this.#stub.readBigUInt64LE(this.#take(8, 8));
  }

  /** A view of octets without alignment; it must not outlive the call. */
  bytes(size: number): Buffer {
    const at = this.#take(size, 1);
    return this.#stub.subarray(at, at + size);
  }

  /** A count that the peer chose. @throws NdrError when it is above `limit`, or its elements cannot be in the stub */
  count(limit: number, elementSize: number): number {
    const count = this.u32();
    if (count > limit) throw new NdrError(`count ${count} above the limit of ${limit}`);
    if (count * elementSize > this.remaining) throw new NdrError(`${count} elements in ${this.remaining} bytes`);
    return count;
  }

  /** Referent of a unique pointer that is a parameter of its own, so that the referent follows at once. */
  pointer<T>(read: () => T): T | undefined {
    return this.u32() === 0 ? undefined : read();
  }

  /**
   * A unique pointer inside of a structure or array. Its referent comes after the whole construction: call the result
   * there, in the order of the pointers (C706 14.3.12.3).
   */
  embeddedPointer<T>(read: () => T): () => T | undefined {
    return this.u32() === 0 ? () => undefined : read;
  }

  /**
   * A conformant array. `readElement` takes the flat part of an element and returns what reads its referents; these
   * run after the last element.
   */
  conformantArray<T>(limit: number, elementSize: number, readElement: () => () => T): T[] {
    const count = this.count(limit, elementSize);
    const finish: (() => T)[] = [];
    for (let index = 0; index < count; index += 1) finish.push(readElement());
    return finish.map((read) => read());
  }

  /** `[string] wchar_t *` referent: conformant, varying, NUL-terminated. The terminator is not part of the result. */
  string(): string {
    const maximum = this.u32();
    const offset = this.u32();
    const actual = this.count(MAX_STRING_UNITS, 2);
    if (offset !== 0 || actual > maximum) throw new NdrError(`string of ${actual} units at ${offset} of ${maximum}`);
    const text = this.bytes(actual * 2).toString("utf16le");
    const end = text.indexOf("\0");
    if (end < 0) throw new NdrError("string without a terminator");
    return text.slice(0, end);
  }

  /** `[string, unique] wchar_t *` as a parameter. */
  uniqueString(): string | undefined {
    return this.pointer(() => this.string());
  }

  /** RPC_UNICODE_STRING (MS-DTYP 2.3.10): the result reads the referent. A null buffer is the empty string. */
  unicodeString(): () => string {
    this.align(4);
    const length = this.u16();
    const maximumLength = this.u16();
    if (length % 2 !== 0 || length > maximumLength) throw new NdrError(`RPC_UNICODE_STRING of ${length} bytes`);
    const referent = this.u32();
    if (referent === 0) {
      if (length !== 0) throw new NdrError("RPC_UNICODE_STRING with a length and no buffer");
      return () => "";
    }
    return () => {
      const maximum = this.u32();
      const offset = this.u32();
      const actual = this.count(MAX_STRING_UNITS, 2);
      if (offset !== 0 || actual > maximum || actual !== length / 2) {
        throw new NdrError(`RPC_UNICODE_STRING of ${length} bytes with ${actual} units`);
      }
      return this.bytes(actual * 2).toString("utf16le");
    };
  }
}

/** Referent identifiers only need to be unique within a stub and not zero. */
const FIRST_REFERENT = 0x00020000;

/**
 * Writes one stub. Pointers inside of {@link construct} are deferred until its end, pointers outside are written at
 * once, as C706 14.3.12.3 orders it.
 */
export class NdrWriter {
  #buffer = Buffer.allocUnsafe(512);
  #referent = FIRST_REFERENT;
  #deferred: (() => void)[] | undefined;
  position = 0;

  #reserve(size: number, alignment: number): number {
    const at = Math.ceil(this.position / alignment) * alignment;
    const end = at + size;
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.position);
      this.#buffer = grown;
    }
    if (at > this.position) this.#buffer.fill(0, this.position, at);
    this.position = end;
    return at;
  }

  align(alignment: number): void {
    this.#reserve(0, alignment);
  }

  u8(value: number): void {
    const at = this.#reserve(1, 1);
    this.#buffer[at] = value;
  }

  u16(value: number): void {
    const at = this.#reserve(2, 2);
    this.#buffer.writeUInt16LE(value, at);
  }

  u32(value: number): void {
    const at = this.#reserve(4, 4);
    this.#buffer.writeUInt32LE(value >>> 0, at);
  }

  u64(value: bigint): void {
    const at = this.#reserve(8, 8);
    this.#buffer.writeBigUInt64LE(value, at);
  }

  bytes(data: Uint8Array): void {
    const at = this.#reserve(data.length, 1);
    this.#buffer.set(data, at);
  }

  /** A unique pointer; `undefined` writes null. */
  pointer(write: (() => void) | undefined): void {
    if (write === undefined) {
      this.u32(0);
      return;
    }
    this.u32(this.#referent);
    this.#referent += 4;
    if (this.#deferred === undefined) write();
    else this.#deferred.push(write);
  }

  /** Writes a structure, or an array of structures, and then what its pointers refer to, depth first. */
  construct(write: () => void): void {
    if (this.#deferred !== undefined) {
      write();
      return;
    }
    const deferred: (() => void)[] = [];
    this.#deferred = deferred;
    write();
    this.#deferred = undefined;
    for (const referent of deferred) referent();
  }

  /** A conformant array of structures, with the referents of all of them after the last one. */
  conformantArray<T>(items: readonly T[], write: (item: T) => void): void {
    this.construct(() => {
      this.u32(items.length);
      for (const item of items) write(item);
    });
  }

  /** Referent of `[string] wchar_t *`. */
  string(text: string): void {
    const units = text.length + 1;
    this.u32(units);
    this.u32(0);
    this.u32(units);
    this.bytes(Buffer.from(`${text}\0`, "utf16le"));
  }

  /** `[string, unique] wchar_t *`, as a parameter or a member. */
  uniqueString(text: string | undefined): void {
    this.pointer(text === undefined ? undefined : () => this.string(text));
  }

  /** RPC_UNICODE_STRING (MS-DTYP 2.3.10), not terminated. `undefined` is the null string. */
  unicodeString(text: string | undefined): void {
    this.align(4);
    const length = (text?.length ?? 0) * 2;
    if (length > 0xfffe) throw new RangeError(`RPC_UNICODE_STRING of ${length} bytes`);
    this.u16(length);
    this.u16(length);
    this.pointer(
      text === undefined
        ? undefined
        : () => {
            this.u32(text.length);
            this.u32(0);
            this.u32(text.length);
            this.bytes(Buffer.from(text, "utf16le"));
          },
    );
  }

  /** The stub written so far: a view, valid until the next write. */
  view(): Buffer {
    return this.#buffer.subarray(0, this.position);
  }
}
