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

/** Ciphers of SMB2_ENCRYPTION_CAPABILITIES (MS-SMB2 2.2.3.1.2). */
export const CipherId = {
  AES_128_CCM: 0x0001,
  AES_128_GCM: 0x0002,
  AES_256_CCM: 0x0003,
  AES_256_GCM: 0x0004,
} as const;

export type CipherId = (typeof CipherId)[keyof typeof CipherId];

/** Length of a cipher's key in bytes. */
export function cipherKeyLength(cipher: CipherId): 16 | 32 {
  return cipher === CipherId.AES_128_CCM || cipher === CipherId.AES_128_GCM ? 16 : 32;
}

/** Layout of the SMB2 TRANSFORM_HEADER (MS-SMB2 2.2.41). */
export const TRANSFORM_HEADER_SIZE = 52;
const PROTOCOL_ID = Buffer.from([0xfd, 0x53, 0x4d, 0x42]);
const TAG_OFFSET = 4;
const TAG_SIZE = 16;
const NONCE_OFFSET = 20;
const SIZE_OFFSET = 36;
const FLAGS_OFFSET = 42;
const SESSION_ID_OFFSET = 44;
const FLAG_ENCRYPTED = 0x0001;

const GCM_NONCE_SIZE = 12;
const CCM_NONCE_SIZE = 11;
const TAG = { authTagLength: TAG_SIZE } as const;

/** CCM takes its text in one call: pieces up to this total are gathered here. Nothing waits while it is in use. */
const scratch = Buffer.allocUnsafeSlow(128 * 1024);

/**
 * Bytes that GCM works on at a time. The cipher makes a new buffer for each piece: pieces of this size stay in the processor's
 * cache, and each takes the memory of the one before.
 */
const PIECE = 64 * 1024;

/** The message was not encrypted with this key, or was changed on its way. */
export class DecryptionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DecryptionError";
  }
}

/** Encrypts and decrypts whole messages of one session (MS-SMB2 3.1.4.3, 3.3.5.2.1.1). */
export interface MessageCipher {
  /**
   * The SMB2 TRANSFORM_HEADER, then the encrypted message in any number of buffers. The input is used up: what is long is
   * encrypted in its place.
   */
  encrypt(sessionId: bigint, pieces: readonly Buffer[]): Buffer[];
  /**
   * The message behind a TRANSFORM_HEADER (its 52 bytes). The ciphertext is used up: a long message takes its place, a
   * short one is in a buffer of its own.
   * @throws DecryptionError for a wrong tag or a message whose size is not OriginalMessageSize
   */
  decrypt(transformHeader: Buffer, ciphertext: Buffer): Buffer;
}

export interface MessageCipherOptions {
  readonly cipher: CipherId;
  /** Session.EncryptionKey: ServerOut of a server. */
  readonly encryptionKey: Buffer;
  /** Session.DecryptionKey: ServerIn of a server. */
  readonly decryptionKey: Buffer;
}

/**
 * Counts messages: the nonce of message n is n, little-endian. 2^53 of them cannot be reached, so that a nonce never
 * comes twice under a key, as long as a key belongs to one cipher only.
 */
class NonceCounter {
  #next = 0;

  writeTo(header: Buffer): void {
    const value = this.#next++;
    if (!Number.isSafeInteger(value)) throw new RangeError("nonces of this key are used up");
    header.writeUInt32LE(value >>> 0, NONCE_OFFSET);
    header.writeUInt32LE(Math.floor(value / 0x1_0000_0000), NONCE_OFFSET + 4);
  }
}

function totalLength(pieces: readonly Buffer[]): number {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  return length;
}

function gather(pieces: readonly Buffer[], length: number): Buffer {
  const [only] = pieces;
  if (pieces.length === 1 && only !== undefined) return only;
  if (length > scratch.length) return Buffer.concat(pieces, length);
  let at = 0;
  for (const piece of pieces) at += piece.copy(scratch, at);
  return scratch.subarray(0, length);
}

function writeHeader(sessionId: bigint, length: number, nonces: NonceCounter): Buffer {
  const header = Buffer.alloc(TRANSFORM_HEADER_SIZE);
  PROTOCOL_ID.copy(header);
  nonces.writeTo(header);
  header.writeUInt32LE(length, SIZE_OFFSET);
  header.writeUInt16LE(FLAG_ENCRYPTED, FLAGS_OFFSET);
  header.writeBigUInt64LE(sessionId, SESSION_ID_OFFSET);
  return header;
}

function checkSizes(header: Buffer, ciphertext: Buffer): void {
  if (header.length !== TRANSFORM_HEADER_SIZE || header.readUInt32LE(SIZE_OFFSET) !== ciphertext.length) {
    throw new DecryptionError("sizes of the transform header and the encrypted message differ");
  }
}

/** What both modes share: keys, nonces, the frame. */
abstract class AeadMessageCipher implements MessageCipher {
  protected readonly encryptionKey: KeyObject;
  protected readonly decryptionKey: KeyObject;
  readonly #nonces = new NonceCounter();

  constructor({ encryptionKey, decryptionKey }: MessageCipherOptions) {
    this.encryptionKey = createSecretKey(encryptionKey);
    this.decryptionKey = createSecretKey(decryptionKey);
  }

  encrypt(sessionId: bigint, pieces: readonly Buffer[]): Buffer[] {
    const length = totalLength(pieces);
    const header = writeHeader(sessionId, length, this.#nonces);
    return this.seal(header, pieces, length);
  }

  decrypt(header: Buffer, ciphertext: Buffer): Buffer {
    checkSizes(header, ciphertext);
    try {
      return this.open(header, ciphertext);
    } catch {
      throw new DecryptionError("wrong tag of an encrypted message");
    }
  }

  /** Puts the tag into the header, in front of what is encrypted. */
  protected abstract seal(header: Buffer, pieces: readonly Buffer[], length: number): Buffer[];

  /** @throws Error of OpenSSL for a wrong tag */
  protected abstract open(header: Buffer, ciphertext: Buffer): Buffer;
}

/** What the tag vouches for besides the message: the header from its nonce on. */
const additionalData = (header: Buffer) => header.subarray(NONCE_OFFSET);

const tagOf = (header: Buffer) => header.subarray(TAG_OFFSET, TAG_OFFSET + TAG_SIZE);

class GcmMessageCipher extends AeadMessageCipher {
  readonly #algorithm: "aes-128-gcm" | "aes-256-gcm";

  constructor(algorithm: "aes-128-gcm" | "aes-256-gcm", options: MessageCipherOptions) {
    super(options);
    this.#algorithm = algorithm;
  }

  protected override seal(header: Buffer, pieces: readonly Buffer[]): Buffer[] {
    const cipher = createCipheriv(this.#algorithm, this.encryptionKey, gcmNonce(header));
    cipher.setAAD(additionalData(header));
    const output = [header];
    for (const piece of pieces) {
      if (piece.length > PIECE) output.push(inPlace(cipher, piece));
      else if (piece.length > 0) output.push(cipher.update(piece));
    }
    cipher.final();
    cipher.getAuthTag().copy(header, TAG_OFFSET);
    return output;
  }

  protected override open(header: Buffer, ciphertext: Buffer): Buffer {
    const decipher = createDecipheriv(this.#algorithm, this.decryptionKey, gcmNonce(header), TAG);
    decipher.setAuthTag(tagOf(header));
    decipher.setAAD(additionalData(header));
    const message = ciphertext.length <= PIECE ? decipher.update(ciphertext) : inPlace(decipher, ciphertext);
    decipher.final();
    return message;
  }
}

const gcmNonce = (header: Buffer) => header.subarray(NONCE_OFFSET, NONCE_OFFSET + GCM_NONCE_SIZE);

function inPlace(cipher: CipherGCM | DecipherGCM, text: Buffer): Buffer {
  for (let at = 0; at < text.length; at += PIECE) {
    const piece = cipher.update(text.subarray(at, at + PIECE));
    piece.copy(text, at);
    discard(piece);
  }
  return text;
}

class CcmMessageCipher extends AeadMessageCipher {
  readonly #algorithm: "aes-128-ccm" | "aes-256-ccm";

  constructor(algorithm: "aes-128-ccm" | "aes-256-ccm", options: MessageCipherOptions) {
    super(options);
    this.#algorithm = algorithm;
  }

  protected override seal(header: Buffer, pieces: readonly Buffer[], length: number): Buffer[] {
    const cipher = createCipheriv(this.#algorithm, this.encryptionKey, ccmNonce(header), TAG);
    cipher.setAAD(additionalData(header), { plaintextLength: length });
    const encrypted = cipher.update(gather(pieces, length));
    cipher.final();
    cipher.getAuthTag().copy(header, TAG_OFFSET);
    return [header, encrypted];
  }

  protected override open(header: Buffer, ciphertext: Buffer): Buffer {
    const decipher = createDecipheriv(this.#algorithm, this.decryptionKey, ccmNonce(header), TAG);
    decipher.setAuthTag(tagOf(header));
    decipher.setAAD(additionalData(header), { plaintextLength: ciphertext.length });
    // The tag is checked by whichever of the two comes first, depending on the OpenSSL version.
    const message = decipher.update(ciphertext);
    decipher.final();
    return message;
  }
}

const ccmNonce = (header: Buffer) => header.subarray(NONCE_OFFSET, NONCE_OFFSET + CCM_NONCE_SIZE);

/** One object for a session and all of its channels: they share the key, so they must share the nonces. */
export function createMessageCipher(options: MessageCipherOptions): MessageCipher {
  switch (options.cipher) {
    case CipherId.AES_128_CCM:
      return new CcmMessageCipher("aes-128-ccm", options);
    case CipherId.AES_128_GCM:
      return new GcmMessageCipher("aes-128-gcm", options);
    case CipherId.AES_256_CCM:
      return new CcmMessageCipher("aes-256-ccm", options);
    case CipherId.AES_256_GCM:
      return new GcmMessageCipher("aes-256-gcm", options);
  }
}
