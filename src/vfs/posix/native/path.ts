// SPDX-License-Identifier: Apache-2.0

/** Paths for system calls: stored names are strings in which a byte that is no UTF-8 stands as U+DC80 to U+DCFF. */

import { type Scratch, scratch } from "../../../native/ffi.ts";

/** PATH_MAX of Linux, the terminating NUL included. */
export const PATH_MAX = 4096;

const ESCAPED = /[\udc80-\udcff]/u;

/** Encodes a stored name or path: UTF-8, with escaped bytes as they were. */
export function encodeStored(name: string): Buffer {
  if (!ESCAPED.test(name)) return Buffer.from(name, "utf8");
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0) ?? 0;
    parts.push(code >= 0xdc80 && code <= 0xdcff ? Buffer.of(code - 0xdc00) : Buffer.from(character, "utf8"));
  }
  return Buffer.concat(parts);
}

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Length of the well-formed UTF-8 sequence at `offset`, 0 when there is none (RFC 3629). */
function sequenceLength(bytes: Uint8Array, offset: number, end: number): number {
  const first = bytes[offset] ?? 0;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length === 0 || offset + length > end) return 0;
  const second = bytes[offset + 1] ?? 0;
  if ((second & 0xc0) !== 0x80) return 0;
  if (first === 0xe0 && second < 0xa0) return 0;
  if (first === 0xed && second > 0x9f) return 0;
  if (first === 0xf0 && second < 0x90) return 0;
  if (first === 0xf4 && second > 0x8f) return 0;
  for (let i = 2; i < length; i++) if (((bytes[offset + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

/** Decodes the bytes of a name so that {@link encodeStored} gives the same bytes again. */
export function decodeStored(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = bytes.toString("utf8", start, end);
  // A replacement character is either in the name itself or stands for bytes that are no UTF-8.
  if (!text.includes("\ufffd")) return text;
  try {
    return strict.decode(bytes.subarray(start, end));
  } catch {
    let name = "";
    for (let offset = start; offset < end; ) {
      const length = sequenceLength(bytes, offset, end);
      if (length === 0) name += String.fromCharCode(0xdc00 + (bytes[offset] ?? 0));
      else name += bytes.toString("utf8", offset, offset + length);
      offset += Math.max(length, 1);
    }
    return name;
  }
}

/** A place for one NUL-terminated path argument; overwritten by the next use. */
export class PathArgument {
  readonly #memory: Scratch;
  readonly #capacity: number;

  /** @param capacity bytes, the terminating NUL included */
  constructor(capacity = PATH_MAX) {
    this.#memory = scratch(capacity);
    this.#capacity = capacity;
  }

  get address(): number {
    return this.#memory.address;
  }

  /** The address of the path, or 0 when it does not fit or holds a NUL. */
  set(path: string): number {
    const { buffer, address } = this.#memory;
    // Three bytes at most for a UTF-16 code unit.
    if (path.length * 3 < this.#capacity && !ESCAPED.test(path)) {
      const length = buffer.write(path, 0, this.#capacity - 1, "utf8");
      buffer[length] = 0;
      return path.includes("\0") ? 0 : address;
    }
    const bytes = encodeStored(path);
    if (bytes.length >= this.#capacity || bytes.includes(0)) return 0;
    bytes.copy(buffer);
    buffer[bytes.length] = 0;
    return address;
  }
}
