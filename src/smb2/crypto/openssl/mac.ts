// SPDX-License-Identifier: Apache-2.0

import { addressOf, scratch } from "../../../native/ffi.ts";
import type { Gmac, Mac } from "../mac.ts";
import { Control, cipherContext, type Evp, evp, ignored, macContext, must } from "./evp.ts";
import { FixedKey } from "./fixed-key.ts";

const KEY_SIZE = 16;
const GMAC_SIZE = 16;
/** Bytes of the longest code, that of HMAC-SHA256. */
const LONGEST = 32;

/** One for all: whoever asks for a code copies it before the next one is made. */
const code = scratch(LONGEST);

/** A context of all keys, and one key. */
abstract class Keyed {
  protected readonly evp: Evp;
  protected readonly context: number;
  protected readonly key: FixedKey;

  constructor(evp: Evp, context: number, key: Buffer) {
    this.evp = evp;
    this.context = context;
    this.key = new FixedKey(key);
  }
}

class OpensslMac extends Keyed implements Mac {
  compute(pieces: readonly Buffer[]): Buffer {
    const { evp, context, key } = this;
    must(evp.macInit(context, key.address, key.length, 0), "setting the key");
    for (const piece of pieces) {
      if (piece.length > 0) must(evp.macUpdate(context, addressOf(piece), piece.length), "authentication");
    }
    must(evp.macFinal(context, code.address, ignored, LONGEST), "the end of authentication");
    return code.buffer;
  }
}

class OpensslGmac extends Keyed implements Gmac {
  compute(nonce: Buffer, pieces: readonly Buffer[]): Buffer {
    const { evp, context, key } = this;
    must(evp.encryptInit(context, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    for (const piece of pieces) {
      if (piece.length > 0) {
        must(evp.encryptUpdate(context, 0, ignored, addressOf(piece), piece.length), "authentication");
      }
    }
    must(evp.encryptFinal(context, ignored, ignored), "the end of authentication");
    must(evp.control(context, Control.GET_TAG, GMAC_SIZE, code.address), "taking the code");
    return code.buffer;
  }
}

/** A context is made when it is asked for first; `null` where OpenSSL has none. */
function once(make: (evp: Evp) => number | undefined): () => number | undefined {
  let context: number | null | undefined;
  return () => {
    if (context === undefined) context = (evp === undefined ? undefined : make(evp)) ?? null;
    return context ?? undefined;
  };
}

const gmacContext = once((evp) => cipherContext(evp, "aes-128-gcm", true));
const cmacContext = once((evp) => macContext(evp, "cmac", { name: "cipher", value: "aes-128-cbc" }, KEY_SIZE));
const hmacContext = once((evp) => macContext(evp, "hmac", { name: "digest", value: "sha256" }, KEY_SIZE));

/** @param key 16 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslGmac(key: Buffer): Gmac | undefined {
  const context = gmacContext();
  return evp === undefined || context === undefined ? undefined : new OpensslGmac(evp, context, key);
}

/** AES-128-CMAC (RFC 4493). @param key 16 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslCmac(key: Buffer): Mac | undefined {
  const context = cmacContext();
  return evp === undefined || context === undefined ? undefined : new OpensslMac(evp, context, key);
}

/** HMAC-SHA256 (RFC 2104), all of its 32 bytes. `undefined` where OpenSSL cannot be called directly. */
export function opensslHmacSha256(key: Buffer): Mac | undefined {
  const context = hmacContext();
  return evp === undefined || context === undefined ? undefined : new OpensslMac(evp, context, key);
}
