// SPDX-License-Identifier: Apache-2.0

/**
 * RC4, which NTLM needs for its key exchange and message signatures (MS-NLMP section 6, RC4 and RC4K) and OpenSSL 3
 * withholds. A few dozen bytes per logon go through it; nothing else may use it.
 */
export class Rc4 {
  readonly #state = new Uint8Array(256);
  #i = 0;
  #j = 0;

  /** @param key 1 to 256 bytes */
  constructor(key: Uint8Array) {
    if (key.length < 1 || key.length > 256) throw new RangeError("an RC4 key has 1 to 256 bytes");
    const state = this.#state;
    for (let i = 0; i < 256; i++) state[i] = i;
    let j = 0;
    for (let i = 0; i < 256; i++) {
      const value = state[i] ?? 0;
      j = (j + value + (key[i % key.length] ?? 0)) & 0xff;
      state[i] = state[j] ?? 0;
      state[j] = value;
    }
  }

  /** Encrypts or decrypts, going on where the last call stopped. */
  update(data: Uint8Array): Buffer {
    const state = this.#state;
    const output = Buffer.alloc(data.length);
    for (let at = 0; at < data.length; at++) {
      this.#i = (this.#i + 1) & 0xff;
      const a = state[this.#i] ?? 0;
      this.#j = (this.#j + a) & 0xff;
      const b = state[this.#j] ?? 0;
      state[this.#i] = b;
      state[this.#j] = a;
      output[at] = (data[at] ?? 0) ^ (state[(a + b) & 0xff] ?? 0);
    }
    return output;
  }
}
