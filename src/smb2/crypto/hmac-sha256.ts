// SPDX-License-Identifier: Apache-2.0

import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import { HeaderSigner } from "./signer.ts";

/** HMAC-SHA256 cut to its first 16 bytes: dialects 2.0.2 and 2.1 (MS-SMB2 3.1.4.1). */
export class HmacSha256Signer extends HeaderSigner {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    super();
    this.#key = createSecretKey(key);
  }

  protected override mac(pieces: readonly Buffer[]): Buffer {
    const hmac = createHmac("sha256", this.#key);
    for (const piece of pieces) hmac.update(piece);
    return hmac.digest();
  }
}
