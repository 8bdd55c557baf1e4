// SPDX-License-Identifier: Apache-2.0

import { type Cipher, createCipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { Mac } from "./mac.ts";

const BLOCK = 16;
const ZERO_BLOCK = Buffer.alloc(BLOCK);

/**
 * Bytes that go through the cipher in one call. The cipher hands back as much ciphertext as it took, of which only the
 * last block matters, so that large calls would only produce large garbage.
 */
const PIECE = 64 * 1024;

/** Messages up to this size, and the start of longer ones, are gathered and go through the cipher in one call. */
const HEAD = 16 * 1024;

/** One for all keys: nothing waits while it is in use. */
const scratch = Buffer.alloc(HEAD + BLOCK);

/** Multiplies by x in GF(2^128): the subkey step of RFC 4493 section 2.3. */
function double(block: Buffer): Buffer {
  const result = Buffer.alloc(BLOCK);
  let carry = 0;
  for (let i = BLOCK - 1; i >= 0; i--) {
    const value = (block[i] ?? 0) << 1;
    result[i] = (value & 0xff) | carry;
    carry = value >> 8;
  }
  if (carry !== 0) result[BLOCK - 1] = (result[BLOCK - 1] ?? 0) ^ 0x87;
  return result;
}

function xorIntoScratch(at: number, block: Buffer): void {
  for (let i = 0; i < BLOCK; i++) scratch[at + i] = (scratch[at + i] ?? 0) ^ (block[i] ?? 0);
}

/**
 * AES-128-CMAC (RFC 4493), as the last block of AES-CBC.
 *
 * One cipher lives as long as the key. Its chaining value after a message is that message's MAC; the next message XORs
 * it into its first block, which cancels it, so that every message starts from a zero vector without a new cipher.
 */
export class AesCmac implements Mac {
  readonly #key: KeyObject;
  readonly #wholeKey: Buffer;
  readonly #paddedKey: Buffer;
  #cipher: Cipher | undefined;
  #chained: Buffer = ZERO_BLOCK;

  constructor(key: Buffer) {
    this.#key = createSecretKey(key);
    const zeros = createCipheriv("aes-128-ecb", this.#key, null).setAutoPadding(false).update(ZERO_BLOCK);
    this.#wholeKey = double(zeros);
    this.#paddedKey = double(this.#wholeKey);
  }

  /** The 16-byte MAC of a message that is given in any number of pieces. */
  compute(pieces: readonly Buffer[]): Buffer {
    let length = 0;
    for (const piece of pieces) length += piece.length;
    let cipher = this.#cipher;
    if (cipher === undefined) {
      cipher = createCipheriv("aes-128-cbc", this.#key, ZERO_BLOCK).setAutoPadding(false);
      this.#chained = ZERO_BLOCK;
    }
    // Should the cipher throw half-way, its chaining value is lost with it.
    this.#cipher = undefined;
    const mac = length <= HEAD ? this.#short(cipher, pieces) : this.#long(cipher, pieces, length);
    this.#cipher = cipher;
    this.#chained = mac;
    return mac;
  }

  #short(cipher: Cipher, pieces: readonly Buffer[]): Buffer {
    let length = 0;
    for (const piece of pieces) length += piece.copy(scratch, length);
    const padded = this.#finishScratch(length);
    xorIntoScratch(0, this.#chained);
    return cipher.update(scratch.subarray(0, padded)).subarray(padded - BLOCK);
  }

  #long(cipher: Cipher, pieces: readonly Buffer[], length: number): Buffer {
    // The last 1 to 16 bytes are kept back, because they are combined with a subkey.
    const body = length - (length % BLOCK === 0 ? BLOCK : length % BLOCK);
    let position = 0;
    let tail = 0;
    for (const piece of pieces) {
      let at = 0;
      if (position < HEAD) {
        at = piece.copy(scratch, position, 0, Math.min(piece.length, HEAD - position));
        position += at;
        if (position < HEAD) continue;
        xorIntoScratch(0, this.#chained);
        cipher.update(scratch.subarray(0, HEAD));
      }
      while (at < piece.length && position < body) {
        const size = Math.min(piece.length - at, body - position, PIECE);
        cipher.update(piece.subarray(at, at + size));
        at += size;
        position += size;
      }
      if (at < piece.length) tail += piece.copy(scratch, tail, at);
    }
    return cipher.update(scratch.subarray(0, this.#finishScratch(tail)));
  }

  /** Pads `length` bytes of the scratch where they need it, applies the subkey; returns the padded length. */
  #finishScratch(length: number): number {
    const rest = length % BLOCK;
    if (rest === 0 && length > 0) {
      xorIntoScratch(length - BLOCK, this.#wholeKey);
      return length;
    }
    const padded = length - rest + BLOCK;
    scratch.fill(0, length, padded);
    scratch[length] = 0x80;
    xorIntoScratch(padded - BLOCK, this.#paddedKey);
    return padded;
  }
}
