// SPDX-License-Identifier: Apache-2.0

/** AES in the modes that SMB 3 encrypts with, by the names that OpenSSL knows. */
export type AeadAlgorithm = "aes-128-gcm" | "aes-256-gcm" | "aes-128-ccm" | "aes-256-ccm";

export const TAG_SIZE = 16;

/** Buffers up to this size are left as they are, and their result is in a new one; longer ones are worked on in their place. */
export const IN_PLACE = 16 * 1024;

/** Authenticated encryption (RFC 5116) under one key. */
export interface Aead {
  /**
   * @param nonce 12 bytes for GCM, 11 for CCM; never the same again under this key
   * @param additional what the tag vouches for besides the text
   * @param pieces the text; what is longer than {@link IN_PLACE} may be used up
   * @param tag gets the 16 bytes of the tag
   * @returns the ciphertext in any number of buffers
   */
  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[];
  /**
   * @param ciphertext what is longer than {@link IN_PLACE} is used up, whatever comes of it
   * @returns the text, or `undefined` for a wrong tag
   */
  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined;
  /** The same on other threads, absent where that cannot be had. */
  readonly onWorker?: AeadOnWorker;
}

/**
 * Encryption by other threads: as {@link Aead.seal} and {@link Aead.open}. The buffers stay lent until the promise settles, and other
 * messages may begin and end meanwhile.
 */
export interface AeadOnWorker {
  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Promise<Buffer[]>;
  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Promise<Buffer | undefined>;
}
