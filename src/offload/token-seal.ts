// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createDecipheriv } from "node:crypto";
import {
  decodeStorageOffloadToken,
  encodeStorageOffloadToken,
  STORAGE_OFFLOAD_TOKEN_LENGTH,
  TOKEN_TYPE_ZERO_DATA,
} from "../smb2/wire/fscc/offload.ts";

/** ROD token types of T10 for what our tokens are. */
export const TokenType = {
  /** Point in time: the data are kept. */
  POINT_IN_TIME: 0x00800000,
  /** Point in time, change vulnerable: a change of the data ends the token. */
  CHANGE_VULNERABLE: 0x00800001,
} as const;

export const TOKEN_KEY_LENGTH = 32;
const VERSION = 1;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;
/** Version, nonce, tag. */
const OVERHEAD = 1 + NONCE_LENGTH + TAG_LENGTH;

/** Bytes of the name under which a server knows a token. */
export const TOKEN_NAME_LENGTH = 16;

export interface SealedToken {
  readonly tokenType: number;
  /** 16 random bytes. */
  readonly name: Buffer;
  /** Bytes that the token stands for, exactly. */
  readonly length: number;
}

const BODY_LENGTH = TOKEN_NAME_LENGTH + 8;

/** Makes and opens tokens that only the holder of the key can make: AES-256-GCM over everything but the padding. */
export class TokenSealer {
  readonly #key: Buffer;
  readonly #randomBytes: (size: number) => Buffer;

  /** @param key 32 bytes */
  constructor(key: Buffer, randomBytes: (size: number) => Buffer) {
    if (key.length !== TOKEN_KEY_LENGTH) throw new RangeError(`token key of ${key.length} bytes`);
    this.#key = key;
    this.#randomBytes = randomBytes;
  }

  /** A STORAGE_OFFLOAD_TOKEN (MS-FSCC 2.1.11), 512 bytes. */
  seal({ tokenType, name, length }: SealedToken): Buffer {
    const nonce = this.#randomBytes(NONCE_LENGTH);
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonce);
    cipher.setAAD(additionalData(tokenType));
    const body = Buffer.alloc(BODY_LENGTH);
    name.copy(body);
    body.writeBigUInt64BE(BigInt(length), TOKEN_NAME_LENGTH);
    const sealed = Buffer.concat([cipher.update(body), cipher.final()]);
    const tokenId = Buffer.concat([Buffer.of(VERSION), nonce, cipher.getAuthTag(), sealed]);
    return encodeStorageOffloadToken({ tokenType, tokenId });
  }

  /** `undefined` for a token that was not sealed with this key, or was altered. */
  open(token: Buffer): SealedToken | undefined {
    const parsed = parse(token);
    if (parsed === undefined || parsed.tokenId.length !== OVERHEAD + BODY_LENGTH) return undefined;
    const { tokenType, tokenId } = parsed;
    if (tokenId[0] !== VERSION) return undefined;
    // What follows the token in its field is zero: a token has one form only.
    if (token.subarray(8 + tokenId.length).some((byte) => byte !== 0) || token.readUInt16BE(4) !== 0) return undefined;
    const nonce = tokenId.subarray(1, 1 + NONCE_LENGTH);
    const decipher = createDecipheriv("aes-256-gcm", this.#key, nonce, { authTagLength: TAG_LENGTH });
    decipher.setAAD(additionalData(tokenType));
    decipher.setAuthTag(tokenId.subarray(1 + NONCE_LENGTH, OVERHEAD));
    try {
      const body = Buffer.concat([decipher.update(tokenId.subarray(OVERHEAD)), decipher.final()]);
      const length = Number(body.readBigUInt64BE(TOKEN_NAME_LENGTH));
      return { tokenType, name: body.subarray(0, TOKEN_NAME_LENGTH), length };
    } catch {
      return undefined;
    }
  }
}

function parse(token: Buffer): { tokenType: number; tokenId: Buffer } | undefined {
  try {
    return decodeStorageOffloadToken(token);
  } catch {
    return undefined;
  }
}

function additionalData(tokenType: number): Buffer {
  const data = Buffer.alloc(5);
  data.writeUInt8(VERSION, 0);
  data.writeUInt32BE(tokenType, 1);
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
