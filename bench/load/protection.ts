// SPDX-License-Identifier: Apache-2.0
/** How the messages of a connection are protected, and GCM for messages that are sent or received in pieces. */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { CipherId } from "../../src/smb2/crypto/encryption.ts";
import { SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { TransformFlag } from "../../src/smb2/wire/constants.ts";
import { Writer } from "../../src/smb2/wire/cursor.ts";
import { NO_SIGNATURE } from "../../src/smb2/wire/header.ts";
import {
  encodeTransformHeader,
  TRANSFORM_AAD_OFFSET,
  TRANSFORM_HEADER_SIZE,
  TRANSFORM_SIGNATURE_OFFSET,
} from "../../src/smb2/wire/transform-header.ts";

/** Nothing, AES-128-GMAC, AES-128-CMAC, AES-128-GCM, AES-256-GCM. */
export type Protection = "off" | "gmac" | "cmac" | "gcm-128" | "gcm-256";

export const isEncrypted = (protection: Protection) => protection.startsWith("gcm");
export const isSigned = (protection: Protection) => protection.endsWith("mac");

export const signingAlgorithmOf = (protection: Protection) =>
  protection === "cmac" ? SigningAlgorithm.AES_CMAC : SigningAlgorithm.AES_GMAC;

export const cipherOf = (protection: Protection) =>
  protection === "gcm-256" ? CipherId.AES_256_GCM : CipherId.AES_128_GCM;

const NONCE = 12;
const NONCE_OFFSET = 20;
/** Bytes that go through the cipher at a time: its output stays in the processor's cache. */
const PIECE = 64 * 1024;
/** Nonces from here on are ours; those below belong to the client that has logged on. */
const FIRST_NONCE = 2 ** 40;
/** The counter block of GCM that the first block of text is combined with (NIST SP 800-38D 7.1). */
const FIRST_COUNTER = Buffer.from([0, 0, 0, 2]);

export interface GcmOptions {
  readonly protection: Protection;
  readonly sessionId: bigint;
  /** What the client encrypts with, and what it decrypts with. */
  readonly clientKey: Buffer;
  readonly serverKey: Buffer;
}

/** Encryption of a session (MS-SMB2 3.1.4.3), which leaves its input as it is: payloads are sent again and again. */
export class Gcm {
  readonly #bits: 128 | 256;
  readonly #sessionId: bigint;
  readonly #clientKey: KeyObject;
  readonly #serverKey: KeyObject;
  #nonce = FIRST_NONCE;

  constructor({ protection, sessionId, clientKey, serverKey }: GcmOptions) {
    this.#bits = protection === "gcm-256" ? 256 : 128;
    this.#sessionId = sessionId;
    this.#clientKey = createSecretKey(clientKey);
    this.#serverKey = createSecretKey(serverKey);
  }

  /** The transform header, then the encrypted message. */
  seal(pieces: readonly Buffer[]): Buffer[] {
    const nonce = Buffer.alloc(16);
    nonce.writeUIntLE(this.#nonce, 0, 6);
    this.#nonce += 1;
    const writer = new Writer(TRANSFORM_HEADER_SIZE);
    encodeTransformHeader(writer, {
      signature: NO_SIGNATURE,
      nonce,
      originalMessageSize: pieces.reduce((sum, piece) => sum + piece.length, 0),
      flags: TransformFlag.ENCRYPTED,
      sessionId: this.#sessionId,
    });
    const header = writer.view();
    const cipher = createCipheriv(`aes-${this.#bits}-gcm`, this.#clientKey, nonce.subarray(0, NONCE));
    cipher.setAAD(header.subarray(TRANSFORM_AAD_OFFSET));
    const sealed = [header];
    for (const piece of pieces) {
      for (let at = 0; at < piece.length; at += PIECE) sealed.push(cipher.update(piece.subarray(at, at + PIECE)));
    }
    cipher.final();
    cipher.getAuthTag().copy(header, TRANSFORM_SIGNATURE_OFFSET);
    return sealed;
  }

  /** The message in a frame, checked. @throws Error for a wrong tag */
  open(frame: Buffer): Buffer {
    const decipher = createDecipheriv(`aes-${this.#bits}-gcm`, this.#serverKey, nonceOf(frame));
    decipher.setAuthTag(frame.subarray(TRANSFORM_SIGNATURE_OFFSET, TRANSFORM_SIGNATURE_OFFSET + 16));
    decipher.setAAD(frame.subarray(TRANSFORM_AAD_OFFSET, TRANSFORM_HEADER_SIZE));
    const message = decipher.update(frame.subarray(TRANSFORM_HEADER_SIZE));
    decipher.final();
    return message;
  }

  /** The beginning of the message in a frame of which only the beginning is there. It cannot be checked. */
  peek(head: Buffer): Buffer {
    const counter = Buffer.concat([nonceOf(head), FIRST_COUNTER]);
    return createDecipheriv(`aes-${this.#bits}-ctr`, this.#serverKey, counter).update(
      head.subarray(TRANSFORM_HEADER_SIZE),
    );
  }
}

const nonceOf = (frame: Buffer) => frame.subarray(NONCE_OFFSET, NONCE_OFFSET + NONCE);
