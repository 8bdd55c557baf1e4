// SPDX-License-Identifier: Apache-2.0

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import type { Mac } from "./mac.ts";

/** HMAC-SHA256 (RFC 2104) by node:crypto. */
export class HmacSha256 implements Mac {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    this.#key = createSecretKey(key);
  }

  compute(pieces: readonly Buffer[]): Buffer {
    const hmac = createHmac("sha256", this.#key);
    for (const piece of pieces) hmac.update(piece);
    return hmac.digest();
  }
}
