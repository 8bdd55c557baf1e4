// SPDX-License-Identifier: Apache-2.0

import { addressOf } from "../../../native/ffi.ts";

/** A key in memory of its own, which stays where it is for as long as this lives. */
export class FixedKey {
  readonly address: number;
  readonly length: number;
  /** What keeps the memory. */
  readonly #memory: Buffer;

  constructor(key: Buffer) {
    this.#memory = Buffer.allocUnsafeSlow(key.length);
    key.copy(this.#memory);
    this.address = addressOf(this.#memory);
    this.length = key.length;
  }
}
