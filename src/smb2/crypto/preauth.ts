// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";

/** HashAlgorithms of SMB2_PREAUTH_INTEGRITY_CAPABILITIES (MS-SMB2 2.2.3.1.1): the only one defined. */
export const PREAUTH_SHA_512 = 0x0001;

const ZERO = Buffer.alloc(64);

/**
 * PreauthIntegrityHashValue of a connection or a session (MS-SMB2 3.3.5.4, 3.3.5.5.3): each message replaces the value
 * by SHA-512(value, message).
 */
export class PreauthHash {
  #value: Buffer;

  constructor(value: Buffer = ZERO) {
    this.#value = value;
  }

  /** 64 bytes; a later update makes a new buffer and leaves this one alone. */
  get value(): Buffer {
    return this.#value;
  }

  /** Takes one message, from its SMB2 header to the last byte on the network, given in any number of pieces. */
  update(...pieces: readonly Buffer[]): void {
    const hash = createHash("sha512").update(this.#value);
    for (const piece of pieces) hash.update(piece);
    this.#value = hash.digest();
  }

  /** A hash that goes on from here by itself: each session starts from its connection's value. */
  fork(): PreauthHash {
    return new PreauthHash(this.#value);
  }
}
