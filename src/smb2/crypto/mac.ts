// SPDX-License-Identifier: Apache-2.0

/** A message authentication code under one key. */
export interface Mac {
  /**
   * The code of a message in any number of pieces, 16 bytes or more. It is the caller's until the next code is made, by whichever
   * object.
   */
  compute(pieces: readonly Buffer[]): Buffer;
}

/** AES-128-GMAC (RFC 4543) under one key. */
export interface Gmac {
  /** As {@link Mac.compute}. @param nonce 12 bytes; never the same again for another message */
  compute(nonce: Buffer, pieces: readonly Buffer[]): Buffer;
}
