// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createDecipheriv, createHash } from "node:crypto";
import {
  decodeStorageOffloadToken,
  encodeStorageOffloadToken,
  STORAGE_OFFLOAD_TOKEN_LENGTH,
  TOKEN_ID_LENGTH,
  TOKEN_TYPE_ZERO_DATA,
} from "../nt/offload-token.ts";
import type { RefusalReason } from "./refusal.ts";

/** ROD token types of T10 for what our tokens are. */
export const TokenType = {
  /** Point in time: the data are kept. */
  POINT_IN_TIME: 0x00800000,
  /** Point in time, change vulnerable: a change of the data ends the token. */
  CHANGE_VULNERABLE: 0x00800001,
} as const;

export const TOKEN_KEY_LENGTH = 32;
const VERSION = 1;
const KEY_ID_LENGTH = 4;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
/** Version and name of the key. */
const CLEAR_LENGTH = 1 + KEY_ID_LENGTH;
const OVERHEAD = CLEAR_LENGTH + NONCE_LENGTH + TAG_LENGTH;

/** Bytes that a token can hold under its seal. */
export const MAXIMUM_BODY_LENGTH = TOKEN_ID_LENGTH - OVERHEAD;

export interface SealedToken {
  readonly tokenType: number;
  readonly body: Buffer;
}

interface TokenKey {
  readonly id: Buffer;
  readonly key: Buffer;
}

/**
 * Makes and opens tokens that only a holder of a key can make: AES-256-GCM over everything but the padding. The nonces are
 * random: a key is good for 2^32 tokens.
 */
export class TokenSealer {
  readonly #first: TokenKey;
  readonly #keys: readonly TokenKey[];
  readonly #randomBytes: (size: number) => Buffer;

  /** @param keys of 32 bytes; the first one seals, all of them open. None: one that nobody else has is made */
  constructor(keys: readonly Buffer[], randomBytes: (size: number) => Buffer) {
    const named = keys.map(nameKey);
    this.#first = named[0] ?? nameKey(randomBytes(TOKEN_KEY_LENGTH));
    this.#keys = named.length > 0 ? named : [this.#first];
    this.#randomBytes = randomBytes;
  }

  /**
   * A STORAGE_OFFLOAD_TOKEN (MS-FSCC 2.1.11), 512 bytes.
   * @throws RangeError the body is longer than {@link MAXIMUM_BODY_LENGTH}
   */
  seal({ tokenType, body }: SealedToken): Buffer {
    const { id, key } = this.#first;
    const nonce = this.#randomBytes(NONCE_LENGTH);
    const cipher = createCipheriv("aes-256-gcm", key, nonce);
    cipher.setAAD(additionalData(tokenType, id));
    const sealed = Buffer.concat([cipher.update(body), cipher.final()]);
    const tokenId = Buffer.concat([Buffer.of(VERSION), id, nonce, cipher.getAuthTag(), sealed]);
    return encodeStorageOffloadToken({ tokenType, tokenId });
  }

  /** What was sealed, or why these bytes are no token of a holder of one of the keys. */
  open(token: Buffer): SealedToken | Extract<RefusalReason, "malformed" | "unknown key" | "altered"> {
    const parsed = decodeStorageOffloadToken(token);
    if (parsed === undefined || parsed.tokenId.length < OVERHEAD) return "malformed";
    const { tokenType, tokenId } = parsed;
    if (tokenId[0] !== VERSION) return "malformed";
    // What follows the token in its field is zero: a token has one form only.
    if (token.subarray(8 + tokenId.length).some((byte) => byte !== 0) || token.readUInt16BE(4) !== 0)
      return "malformed";
    const id = tokenId.subarray(1, CLEAR_LENGTH);
    const known = this.#keys.find((key) => key.id.equals(id));
    if (known === undefined) return "unknown key";
    const nonce = tokenId.subarray(CLEAR_LENGTH, CLEAR_LENGTH + NONCE_LENGTH);
    const decipher = createDecipheriv("aes-256-gcm", known.key, nonce, { authTagLength: TAG_LENGTH });
    decipher.setAAD(additionalData(tokenType, id));
    decipher.setAuthTag(tokenId.subarray(CLEAR_LENGTH + NONCE_LENGTH, OVERHEAD));
    try {
      return { tokenType, body: Buffer.concat([decipher.update(tokenId.subarray(OVERHEAD)), decipher.final()]) };
    } catch {
      return "altered";
    }
  }
}

function nameKey(key: Buffer): TokenKey {
  if (key.length !== TOKEN_KEY_LENGTH) throw new RangeError(`token key of ${key.length} bytes`);
  const id = createHash("sha256").update("tessera offload token key\0").update(key).digest().subarray(0, KEY_ID_LENGTH);
  return { id, key };
}

function additionalData(tokenType: number, keyId: Buffer): Buffer {
  const data = Buffer.alloc(CLEAR_LENGTH + 4);
  data.writeUInt8(VERSION, 0);
  keyId.copy(data, 1);
  data.writeUInt32BE(tokenType, CLEAR_LENGTH);
  return data;
}

/** The token that stands for zeros (MS-FSCC 2.1.11). */
export function zeroToken(): Buffer {
  return encodeStorageOffloadToken({ tokenType: TOKEN_TYPE_ZERO_DATA, tokenId: Buffer.alloc(0) });
}

/** Anybody may make one; what stands in its other fields does not count. */
export function isZeroToken(token: Buffer): boolean {
  return token.length === STORAGE_OFFLOAD_TOKEN_LENGTH && token.readUInt32BE(0) === TOKEN_TYPE_ZERO_DATA;
}
