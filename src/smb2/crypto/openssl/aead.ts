// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../../memory/total-length.ts";
import { addressOf } from "../../../native/ffi.ts";
import { type Aead, type AeadAlgorithm, IN_PLACE, TAG_SIZE } from "../aead.ts";
import { Control, cipherContext, type Evp, evp, ignored, must } from "./evp.ts";
import { FixedKey } from "./fixed-key.ts";

const CCM_NONCE_SIZE = 11;

interface Contexts {
  readonly sealing: number;
  readonly opening: number;
}

const contexts = new Map<AeadAlgorithm, Contexts | undefined>();

function contextsOf(evp: Evp, algorithm: AeadAlgorithm): Contexts | undefined {
  if (!contexts.has(algorithm)) {
    const sealing = cipherContext(evp, algorithm, true);
    const opening = cipherContext(evp, algorithm, false);
    contexts.set(algorithm, sealing === undefined || opening === undefined ? undefined : { sealing, opening });
  }
  return contexts.get(algorithm);
}

abstract class OpensslAead implements Aead {
  protected readonly evp: Evp;
  protected readonly contexts: Contexts;
  protected readonly key: FixedKey;

  constructor(evp: Evp, contexts: Contexts, key: Buffer) {
    this.evp = evp;
    this.contexts = contexts;
    this.key = new FixedKey(key);
  }

  abstract seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[];
  abstract open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined;

  /** Encrypts all or some of the text. */
  protected encrypt(from: Buffer, to: Buffer): void {
    const { sealing } = this.contexts;
    must(this.evp.encryptUpdate(sealing, placeOf(to), ignored, placeOf(from), from.length), "encryption");
  }

  /** Decrypts the text. @returns false where that shows already that the tag is wrong */
  protected decrypt(from: Buffer, to: Buffer): boolean {
    const { opening } = this.contexts;
    return Number(this.evp.decryptUpdate(opening, placeOf(to), ignored, placeOf(from), from.length)) > 0;
  }

  protected endSealing(tag: Buffer): void {
    const { sealing } = this.contexts;
    must(this.evp.encryptFinal(sealing, ignored, ignored), "the end of encryption");
    must(this.evp.control(sealing, Control.GET_TAG, TAG_SIZE, addressOf(tag)), "taking the tag");
  }

  protected wrongTag(): undefined {
    this.evp.clearErrors();
    return undefined;
  }
}

class GcmAead extends OpensslAead {
  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const { evp, key } = this;
    const { sealing } = this.contexts;
    must(evp.encryptInit(sealing, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.encryptUpdate(sealing, 0, ignored, addressOf(additional), additional.length), "additional data");
    const output: Buffer[] = [];
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      const target = piece.length > IN_PLACE ? piece : Buffer.allocUnsafe(piece.length);
      this.encrypt(piece, target);
      output.push(target);
    }
    this.endSealing(tag);
    return output;
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const { evp, key } = this;
    const { opening } = this.contexts;
    const text = ciphertext.length > IN_PLACE ? ciphertext : Buffer.allocUnsafe(ciphertext.length);
    must(evp.decryptInit(opening, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.decryptUpdate(opening, 0, ignored, addressOf(additional), additional.length), "additional data");
    must(this.decrypt(ciphertext, text) ? 1 : 0, "decryption");
    must(evp.control(opening, Control.SET_TAG, TAG_SIZE, addressOf(tag)), "giving the tag");
    return Number(evp.decryptFinal(opening, ignored, ignored)) === 1 ? text : this.wrongTag();
  }
}

/** Where data lie. No data lie somewhere, too: no address at all would mean another kind of call. */
function placeOf(data: Buffer): number {
  return data.length === 0 ? ignored : addressOf(data);
}

/** CCM wants to know the length first, and takes the text in one call. */
class CcmAead extends OpensslAead {
  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const { evp, key } = this;
    const { sealing } = this.contexts;
    const length = totalLength(pieces);
    const [only] = pieces;
    const text = only !== undefined && pieces.length === 1 ? only : Buffer.concat(pieces, length);
    const target = text !== only || length > IN_PLACE ? text : Buffer.allocUnsafe(length);
    must(evp.control(sealing, Control.SET_IVLEN, CCM_NONCE_SIZE, 0), "setting the length of the nonce");
    must(evp.control(sealing, Control.SET_TAG, TAG_SIZE, 0), "setting the length of the tag");
    must(evp.encryptInit(sealing, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.encryptUpdate(sealing, 0, ignored, 0, length), "setting the length");
    must(evp.encryptUpdate(sealing, 0, ignored, addressOf(additional), additional.length), "additional data");
    this.encrypt(text, target);
    this.endSealing(tag);
    return [target];
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const { evp, key } = this;
    const { opening } = this.contexts;
    const { length } = ciphertext;
    const text = length > IN_PLACE ? ciphertext : Buffer.allocUnsafe(length);
    must(evp.control(opening, Control.SET_IVLEN, CCM_NONCE_SIZE, 0), "setting the length of the nonce");
    must(evp.control(opening, Control.SET_TAG, TAG_SIZE, addressOf(tag)), "giving the tag");
    must(evp.decryptInit(opening, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.decryptUpdate(opening, 0, ignored, 0, length), "setting the length");
    must(evp.decryptUpdate(opening, 0, ignored, addressOf(additional), additional.length), "additional data");
    // This checks the tag, too.
    return this.decrypt(ciphertext, text) ? text : this.wrongTag();
  }
}

/** `undefined` where OpenSSL cannot be called directly, or does not have the algorithm. */
export function opensslAead(algorithm: AeadAlgorithm, key: Buffer): Aead | undefined {
  const found = evp === undefined ? undefined : contextsOf(evp, algorithm);
  if (evp === undefined || found === undefined) return undefined;
  return algorithm.endsWith("gcm") ? new GcmAead(evp, found, key) : new CcmAead(evp, found, key);
}
