// SPDX-License-Identifier: Apache-2.0

import { addressOf, scratch } from "../../../native/ffi.ts";
import type { Gmac, Mac, OnWorker } from "../mac.ts";
import { Contexts, Control, cipherContext, type Evp, evp, ignored, macContext, must, step } from "./evp.ts";
import { FixedKey } from "./fixed-key.ts";

const KEY_SIZE = 16;
const GMAC_SIZE = 16;
/** Bytes of the longest code, that of HMAC-SHA256. */
const LONGEST = 32;

/** Bytes of messages that are worth a worker: CMAC and HMAC take ten and four times as long as GMAC. */
const LONG = 64 * 1024;
const LONG_GMAC = 256 * 1024;

/** One for all: whoever asks for a code copies it before the next one is made. */
const code = scratch(LONGEST);

/** The contexts of all keys, and one key. */
abstract class Keyed {
  protected readonly evp: Evp;
  protected readonly contexts: Contexts;
  /** For codes that are computed at once. */
  protected readonly context: number;
  protected readonly key: FixedKey;

  constructor(evp: Evp, contexts: Contexts, context: number, key: Buffer) {
    this.evp = evp;
    this.contexts = contexts;
    this.context = context;
    this.key = new FixedKey(key);
  }
}

class OpensslMac extends Keyed implements Mac {
  readonly onWorker: OnWorker<[readonly Buffer[]]> = { worthIt: LONG, compute: (pieces) => this.#onWorker(pieces) };

  compute(pieces: readonly Buffer[]): Buffer {
    const { evp, context } = this;
    this.#begin(context);
    for (const piece of pieces) {
      if (piece.length > 0) must(evp.macUpdate(context, addressOf(piece), piece.length), "authentication");
    }
    return this.#end(context);
  }

  #onWorker(pieces: readonly Buffer[]): Promise<Buffer> {
    const { macUpdate } = this.evp;
    return this.contexts.lend(async (context) => {
      this.#begin(context);
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        must(await step(macUpdate, [context, addressOf(piece), piece.length], piece), "authentication");
      }
      return Buffer.from(this.#end(context));
    });
  }

  #begin(context: number): void {
    must(this.evp.macInit(context, this.key.address, this.key.length, 0), "setting the key");
  }

  #end(context: number): Buffer {
    must(this.evp.macFinal(context, code.address, ignored, LONGEST), "the end of authentication");
    return code.buffer;
  }
}

class OpensslGmac extends Keyed implements Gmac {
  readonly onWorker: OnWorker<[Buffer, readonly Buffer[]]> = {
    worthIt: LONG_GMAC,
    compute: (nonce, pieces) => this.#onWorker(nonce, pieces),
  };

  compute(nonce: Buffer, pieces: readonly Buffer[]): Buffer {
    const { evp, context } = this;
    this.#begin(context, nonce);
    for (const piece of pieces) {
      if (piece.length > 0) {
        must(evp.encryptUpdate(context, 0, ignored, addressOf(piece), piece.length), "authentication");
      }
    }
    return this.#end(context);
  }

  #onWorker(nonce: Buffer, pieces: readonly Buffer[]): Promise<Buffer> {
    const { encryptUpdate } = this.evp;
    return this.contexts.lend(async (context) => {
      this.#begin(context, nonce);
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        must(await step(encryptUpdate, [context, 0, ignored, addressOf(piece), piece.length], piece), "authentication");
      }
      return Buffer.from(this.#end(context));
    });
  }

  #begin(context: number, nonce: Buffer): void {
    must(this.evp.encryptInit(context, 0, 0, this.key.address, addressOf(nonce)), "setting key and nonce");
  }

  #end(context: number): Buffer {
    const { evp } = this;
    must(evp.encryptFinal(context, ignored, ignored), "the end of authentication");
    must(evp.control(context, Control.GET_TAG, GMAC_SIZE, code.address), "taking the code");
    return code.buffer;
  }
}

const gmacContexts = new Contexts((evp) => cipherContext(evp, "aes-128-gcm", true));
const cmacContexts = new Contexts((evp) => macContext(evp, "cmac", { name: "cipher", value: "aes-128-cbc" }, KEY_SIZE));
const hmacContexts = new Contexts((evp) => macContext(evp, "hmac", { name: "digest", value: "sha256" }, KEY_SIZE));

/** @param key 16 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslGmac(key: Buffer): Gmac | undefined {
  const { main } = gmacContexts;
  return evp === undefined || main === undefined ? undefined : new OpensslGmac(evp, gmacContexts, main, key);
}

/** AES-128-CMAC (RFC 4493). @param key 16 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslCmac(key: Buffer): Mac | undefined {
  const { main } = cmacContexts;
  return evp === undefined || main === undefined ? undefined : new OpensslMac(evp, cmacContexts, main, key);
}

/** HMAC-SHA256 (RFC 2104), all of its 32 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslHmacSha256(key: Buffer): Mac | undefined {
  const { main } = hmacContexts;
  return evp === undefined || main === undefined ? undefined : new OpensslMac(evp, hmacContexts, main, key);
}
