// SPDX-License-Identifier: Apache-2.0

/** A message authentication code under one key. */
export interface Mac {
  /**
   * The code of a message in any number of pieces, 16 bytes or more. It is the caller's until the next code is made, by whichever
   * object.
   */
  compute(pieces: readonly Buffer[]): Buffer;
  /** The same on another thread, absent where that cannot be had. */
  readonly onWorker?: OnWorker<[pieces: readonly Buffer[]]>;
}

/** A code that another thread computes. */
export interface OnWorker<A extends readonly unknown[]> {
  /** Bytes of a message from which on it is worth the way to the other thread and back, which takes some 30 microseconds. */
  readonly worthIt: number;
  /** The pieces stay lent until the promise settles, and other codes may be made meanwhile. The code is the caller's for good. */
  compute(...args: A): Promise<Buffer>;
}

/** AES-128-GMAC (RFC 4543) under one key. */
export interface Gmac {
  /** As {@link Mac.compute}. @param nonce 12 bytes; never the same again for another message */
  compute(nonce: Buffer, pieces: readonly Buffer[]): Buffer;
  readonly onWorker?: OnWorker<[nonce: Buffer, pieces: readonly Buffer[]]>;
}
