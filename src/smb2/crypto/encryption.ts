// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../memory/total-length.ts";
import { type Aead, type AeadAlgorithm, TAG_SIZE } from "./aead.ts";
import { nodeAead } from "./node-aead.ts";
import { opensslAead } from "./openssl/aead.ts";

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
const NONCE_OFFSET = 20;
const SIZE_OFFSET = 36;
const FLAGS_OFFSET = 42;
const SESSION_ID_OFFSET = 44;
const FLAG_ENCRYPTED = 0x0001;

const GCM_NONCE_SIZE = 12;
const CCM_NONCE_SIZE = 11;

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
   * @throws DecryptionError for a wrong tag, a message whose size is not OriginalMessageSize, Flags that do not say encrypted
   */
  decrypt(transformHeader: Buffer, ciphertext: Buffer): Buffer;
  /**
   * Whether other threads can do it, and the message is of a length to gain by that. Until the promise of
   * {@link encryptOnWorker} or {@link decryptOnWorker} settles, the message stays lent, and others may be encrypted and decrypted.
   */
  isForWorker(length: number): boolean;
  encryptOnWorker(sessionId: bigint, pieces: readonly Buffer[]): Promise<Buffer[]>;
  decryptOnWorker(transformHeader: Buffer, ciphertext: Buffer): Promise<Buffer>;
}

/**
 * Bytes of messages that are worth the way to another thread and back: it takes some 30 microseconds, and moves all data from cache
 * to cache twice. Clients that ask for more at a time have too few requests under way to make up for that.
 */
const WORTH_A_WORKER = 256 * 1024;
const TOO_FAR_FOR_A_WORKER = 2 * 1024 * 1024;

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

function writeHeader(sessionId: bigint, length: number, nonces: NonceCounter): Buffer {
  const header = Buffer.allocUnsafe(TRANSFORM_HEADER_SIZE).fill(0);
  PROTOCOL_ID.copy(header);
  nonces.writeTo(header);
  header.writeUInt32LE(length, SIZE_OFFSET);
  header.writeUInt16LE(FLAG_ENCRYPTED, FLAGS_OFFSET);
  header.writeBigUInt64LE(sessionId, SESSION_ID_OFFSET);
  return header;
}

function checkHeader(header: Buffer, ciphertext: Buffer): void {
  if (header.length !== TRANSFORM_HEADER_SIZE || header.readUInt32LE(SIZE_OFFSET) !== ciphertext.length) {
    throw new DecryptionError("sizes of the transform header and the encrypted message differ");
  }
  if (header.readUInt16LE(FLAGS_OFFSET) !== FLAG_ENCRYPTED) throw new DecryptionError("Flags of the transform header");
}

const ALGORITHMS: Readonly<Record<CipherId, AeadAlgorithm>> = {
  [CipherId.AES_128_CCM]: "aes-128-ccm",
  [CipherId.AES_128_GCM]: "aes-128-gcm",
  [CipherId.AES_256_CCM]: "aes-256-ccm",
  [CipherId.AES_256_GCM]: "aes-256-gcm",
};

class AeadMessageCipher implements MessageCipher {
  readonly #sealing: Aead;
  readonly #opening: Aead;
  readonly #nonceEnd: number;
  readonly #nonces = new NonceCounter();

  constructor(sealing: Aead, opening: Aead, nonceSize: number) {
    this.#sealing = sealing;
    this.#opening = opening;
    this.#nonceEnd = NONCE_OFFSET + nonceSize;
  }

  encrypt(sessionId: bigint, pieces: readonly Buffer[]): Buffer[] {
    const header = writeHeader(sessionId, totalLength(pieces), this.#nonces);
    return [header, ...this.#sealing.seal(this.#nonceOf(header), additionalData(header), pieces, tagOf(header))];
  }

  async encryptOnWorker(sessionId: bigint, pieces: readonly Buffer[]): Promise<Buffer[]> {
    const header = writeHeader(sessionId, totalLength(pieces), this.#nonces);
    const sealing = this.#sealing.onWorker ?? this.#sealing;
    return [header, ...(await sealing.seal(this.#nonceOf(header), additionalData(header), pieces, tagOf(header)))];
  }

  decrypt(header: Buffer, ciphertext: Buffer): Buffer {
    checkHeader(header, ciphertext);
    return opened(this.#opening.open(this.#nonceOf(header), additionalData(header), ciphertext, tagOf(header)));
  }

  async decryptOnWorker(header: Buffer, ciphertext: Buffer): Promise<Buffer> {
    checkHeader(header, ciphertext);
    const opening = this.#opening.onWorker ?? this.#opening;
    return opened(await opening.open(this.#nonceOf(header), additionalData(header), ciphertext, tagOf(header)));
  }

  isForWorker(length: number): boolean {
    return length >= WORTH_A_WORKER && length <= TOO_FAR_FOR_A_WORKER && this.#sealing.onWorker !== undefined;
  }

  #nonceOf(header: Buffer): Buffer {
    return header.subarray(NONCE_OFFSET, this.#nonceEnd);
  }
}

/** @throws DecryptionError */
function opened(message: Buffer | undefined): Buffer {
  if (message === undefined) throw new DecryptionError("wrong tag of an encrypted message");
  return message;
}

/** What the tag vouches for besides the message: the header from its nonce on. */
const additionalData = (header: Buffer) => header.subarray(NONCE_OFFSET);

const tagOf = (header: Buffer) => header.subarray(TAG_OFFSET, TAG_OFFSET + TAG_SIZE);

/**
 * One object for a session and all of its channels: they share the key, so they must share the nonces.
 * @param aead makes what encrypts with a key; by default OpenSSL called directly where that can be, else node:crypto
 */
export function createMessageCipher(
  { cipher, encryptionKey, decryptionKey }: MessageCipherOptions,
  aead: (algorithm: AeadAlgorithm, key: Buffer) => Aead = bestAead,
): MessageCipher {
  const algorithm = ALGORITHMS[cipher];
  const nonceSize = algorithm.endsWith("gcm") ? GCM_NONCE_SIZE : CCM_NONCE_SIZE;
  return new AeadMessageCipher(aead(algorithm, encryptionKey), aead(algorithm, decryptionKey), nonceSize);
}

function bestAead(algorithm: AeadAlgorithm, key: Buffer): Aead {
  return opensslAead(algorithm, key) ?? nodeAead(algorithm, key);
}
