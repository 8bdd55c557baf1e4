// SPDX-License-Identifier: Apache-2.0

import {
  type CipherGCM,
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type DecipherGCM,
  type KeyObject,
} from "node:crypto";
import { discard } from "../../memory/discard.ts";
import { totalLength } from "../../memory/total-length.ts";
import { type Aead, type AeadAlgorithm, IN_PLACE, TAG_SIZE } from "./aead.ts";

const TAG = { authTagLength: TAG_SIZE } as const;

/** CCM takes its text in one call: pieces up to this total are gathered here. Nothing waits while it is in use. */
const scratch = Buffer.allocUnsafeSlow(128 * 1024);

/**
 * Bytes that GCM works on at a time. The cipher makes a new buffer for each piece: pieces of this size stay in the processor's
 * cache, and each takes the memory of the one before.
 */
const PIECE = 64 * 1024;

class GcmAead implements Aead {
  readonly #algorithm: "aes-128-gcm" | "aes-256-gcm";
  readonly #key: KeyObject;

  constructor(algorithm: "aes-128-gcm" | "aes-256-gcm", key: Buffer) {
    this.#algorithm = algorithm;
    this.#key = createSecretKey(key);
  }

  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const cipher = createCipheriv(this.#algorithm, this.#key, nonce);
    cipher.setAAD(additional);
    const output: Buffer[] = [];
    for (const piece of pieces) {
      if (piece.length > IN_PLACE) output.push(inPlace(cipher, piece));
      else if (piece.length > 0) output.push(cipher.update(piece));
    }
    cipher.final();
    cipher.getAuthTag().copy(tag);
    return output;
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const decipher = createDecipheriv(this.#algorithm, this.#key, nonce, TAG);
    decipher.setAuthTag(tag);
    decipher.setAAD(additional);
    const text = ciphertext.length <= IN_PLACE ? decipher.update(ciphertext) : inPlace(decipher, ciphertext);
    return endsWell(() => decipher.final()) ? text : undefined;
  }
}

function inPlace(cipher: CipherGCM | DecipherGCM, text: Buffer): Buffer {
  for (let at = 0; at < text.length; at += PIECE) {
    const piece = cipher.update(text.subarray(at, at + PIECE));
    piece.copy(text, at);
    discard(piece);
  }
  return text;
}

class CcmAead implements Aead {
  readonly #algorithm: "aes-128-ccm" | "aes-256-ccm";
  readonly #key: KeyObject;

  constructor(algorithm: "aes-128-ccm" | "aes-256-ccm", key: Buffer) {
    this.#algorithm = algorithm;
    this.#key = createSecretKey(key);
  }

  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const length = totalLength(pieces);
    const cipher = createCipheriv(this.#algorithm, this.#key, nonce, TAG);
    cipher.setAAD(additional, { plaintextLength: length });
    const encrypted = cipher.update(gather(pieces, length));
    cipher.final();
    cipher.getAuthTag().copy(tag);
    return [encrypted];
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const decipher = createDecipheriv(this.#algorithm, this.#key, nonce, TAG);
    decipher.setAuthTag(tag);
    decipher.setAAD(additional, { plaintextLength: ciphertext.length });
    let text: Buffer | undefined;
    // The tag is checked by whichever of the two comes first, depending on the OpenSSL version.
    const good = endsWell(() => {
      text = decipher.update(ciphertext);
      decipher.final();
    });
    return good ? text : undefined;
  }
}

function gather(pieces: readonly Buffer[], length: number): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  if (length > scratch.length) return Buffer.concat(pieces, length);
  let at = 0;
  for (const piece of pieces) at += piece.copy(scratch, at);
  return scratch.subarray(0, length);
}

/** OpenSSL throws for a wrong tag, and for nothing else here. */
function endsWell(verify: () => void): boolean {
  try {
    verify();
    return true;
  } catch {
    return false;
  }
}

/** By node:crypto, which makes a cipher for each message and a new buffer for each of its pieces. */
export function nodeAead(algorithm: AeadAlgorithm, key: Buffer): Aead {
  switch (algorithm) {
    case "aes-128-gcm":
    case "aes-256-gcm":
      return new GcmAead(algorithm, key);
    default:
      return new CcmAead(algorithm, key);
  }
}
