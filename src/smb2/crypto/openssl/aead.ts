// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../../memory/total-length.ts";
import { addressOf } from "../../../native/ffi.ts";
import { type Aead, type AeadAlgorithm, type AeadOnWorker, IN_PLACE, TAG_SIZE } from "../aead.ts";
import { Contexts, Control, cipherContext, type Evp, evp, ignored, must, step } from "./evp.ts";
import { FixedKey } from "./fixed-key.ts";

const CCM_NONCE_SIZE = 11;

/** Where one direction of a cipher is carried out: `main` for what is done at once. */
interface Direction {
  readonly contexts: Contexts;
  readonly main: number;
}

const kinds = new Map<AeadAlgorithm, readonly [sealing: Contexts, opening: Contexts]>();

function contextsOf(algorithm: AeadAlgorithm): readonly [sealing: Contexts, opening: Contexts] {
  let found = kinds.get(algorithm);
  if (found === undefined) {
    const kind = (encrypts: boolean) => new Contexts((evp) => cipherContext(evp, algorithm, encrypts));
    found = [kind(true), kind(false)];
    kinds.set(algorithm, found);
  }
  return found;
}

abstract class OpensslAead implements Aead {
  protected readonly evp: Evp;
  protected readonly sealing: Direction;
  protected readonly opening: Direction;
  protected readonly key: FixedKey;

  constructor(evp: Evp, sealing: Direction, opening: Direction, key: Buffer) {
    this.evp = evp;
    this.sealing = sealing;
    this.opening = opening;
    this.key = new FixedKey(key);
  }

  abstract seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[];
  abstract open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined;
  abstract readonly onWorker: AeadOnWorker;

  /** Encrypts all or some of the text. */
  protected encrypt(context: number, from: Buffer, to: Buffer): void {
    must(this.evp.encryptUpdate(context, placeOf(to), ignored, placeOf(from), from.length), "encryption");
  }

  protected async encryptOnWorker(context: number, from: Buffer, to: Buffer): Promise<void> {
    const { encryptUpdate } = this.evp;
    must(await step(encryptUpdate, [context, placeOf(to), ignored, placeOf(from), from.length], from), "encryption");
  }

  /** Decrypts the text. @returns false where that shows already that the tag is wrong */
  protected decrypt(context: number, from: Buffer, to: Buffer): boolean {
    return Number(this.evp.decryptUpdate(context, placeOf(to), ignored, placeOf(from), from.length)) > 0;
  }

  protected async decryptOnWorker(context: number, from: Buffer, to: Buffer): Promise<boolean> {
    const { decryptUpdate } = this.evp;
    return (await step(decryptUpdate, [context, placeOf(to), ignored, placeOf(from), from.length], from)) > 0;
  }

  protected endSealing(context: number, tag: Buffer): void {
    must(this.evp.encryptFinal(context, ignored, ignored), "the end of encryption");
    must(this.evp.control(context, Control.GET_TAG, TAG_SIZE, addressOf(tag)), "taking the tag");
  }

  protected wrongTag(): undefined {
    this.evp.clearErrors();
    return undefined;
  }
}

class GcmAead extends OpensslAead {
  readonly onWorker: AeadOnWorker = {
    seal: (nonce, additional, pieces, tag) => this.#sealOnWorker(nonce, additional, pieces, tag),
    open: (nonce, additional, ciphertext, tag) => this.#openOnWorker(nonce, additional, ciphertext, tag),
  };

  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const { main } = this.sealing;
    this.#beginSealing(main, nonce, additional);
    const output: Buffer[] = [];
    for (const piece of pieces) {
      if (piece.length === 0) continue;
      const target = targetOf(piece);
      this.encrypt(main, piece, target);
      output.push(target);
    }
    this.endSealing(main, tag);
    return output;
  }

  #sealOnWorker(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Promise<Buffer[]> {
    return this.sealing.contexts.lend(async (context) => {
      this.#beginSealing(context, nonce, additional);
      const output: Buffer[] = [];
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        const target = targetOf(piece);
        await this.encryptOnWorker(context, piece, target);
        output.push(target);
      }
      this.endSealing(context, tag);
      return output;
    });
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const { main } = this.opening;
    const text = targetOf(ciphertext);
    this.#beginOpening(main, nonce, additional);
    must(this.decrypt(main, ciphertext, text) ? 1 : 0, "decryption");
    return this.#endOpening(main, tag) ? text : this.wrongTag();
  }

  #openOnWorker(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Promise<Buffer | undefined> {
    return this.opening.contexts.lend(async (context) => {
      const text = targetOf(ciphertext);
      this.#beginOpening(context, nonce, additional);
      must((await this.decryptOnWorker(context, ciphertext, text)) ? 1 : 0, "decryption");
      return this.#endOpening(context, tag) ? text : this.wrongTag();
    });
  }

  #beginSealing(context: number, nonce: Buffer, additional: Buffer): void {
    const { evp, key } = this;
    must(evp.encryptInit(context, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.encryptUpdate(context, 0, ignored, addressOf(additional), additional.length), "additional data");
  }

  #beginOpening(context: number, nonce: Buffer, additional: Buffer): void {
    const { evp, key } = this;
    must(evp.decryptInit(context, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.decryptUpdate(context, 0, ignored, addressOf(additional), additional.length), "additional data");
  }

  /** Whether the tag is right. */
  #endOpening(context: number, tag: Buffer): boolean {
    must(this.evp.control(context, Control.SET_TAG, TAG_SIZE, addressOf(tag)), "giving the tag");
    return Number(this.evp.decryptFinal(context, ignored, ignored)) === 1;
  }
}

/** Where the result of a piece goes: long ones are worked on in their place. */
function targetOf(piece: Buffer): Buffer {
  return piece.length > IN_PLACE ? piece : Buffer.allocUnsafe(piece.length);
}

/** Where data lie. No data lie somewhere, too: no address at all would mean another kind of call. */
function placeOf(data: Buffer): number {
  return data.length === 0 ? ignored : addressOf(data);
}

/** CCM wants to know the length first, and takes the text in one call. */
class CcmAead extends OpensslAead {
  readonly onWorker: AeadOnWorker = {
    seal: (nonce, additional, pieces, tag) => this.#sealOnWorker(nonce, additional, pieces, tag),
    open: (nonce, additional, ciphertext, tag) => this.#openOnWorker(nonce, additional, ciphertext, tag),
  };

  seal(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Buffer[] {
    const { main } = this.sealing;
    const [text, target] = inOnePiece(pieces);
    this.#beginSealing(main, nonce, additional, text.length);
    this.encrypt(main, text, target);
    this.endSealing(main, tag);
    return [target];
  }

  #sealOnWorker(nonce: Buffer, additional: Buffer, pieces: readonly Buffer[], tag: Buffer): Promise<Buffer[]> {
    return this.sealing.contexts.lend(async (context) => {
      const [text, target] = inOnePiece(pieces);
      this.#beginSealing(context, nonce, additional, text.length);
      await this.encryptOnWorker(context, text, target);
      this.endSealing(context, tag);
      return [target];
    });
  }

  open(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Buffer | undefined {
    const { main } = this.opening;
    const text = targetOf(ciphertext);
    this.#beginOpening(main, nonce, additional, text.length, tag);
    // This checks the tag, too.
    return this.decrypt(main, ciphertext, text) ? text : this.wrongTag();
  }

  #openOnWorker(nonce: Buffer, additional: Buffer, ciphertext: Buffer, tag: Buffer): Promise<Buffer | undefined> {
    return this.opening.contexts.lend(async (context) => {
      const text = targetOf(ciphertext);
      this.#beginOpening(context, nonce, additional, text.length, tag);
      return (await this.decryptOnWorker(context, ciphertext, text)) ? text : this.wrongTag();
    });
  }

  #beginSealing(context: number, nonce: Buffer, additional: Buffer, length: number): void {
    const { evp, key } = this;
    must(evp.control(context, Control.SET_IVLEN, CCM_NONCE_SIZE, 0), "setting the length of the nonce");
    must(evp.control(context, Control.SET_TAG, TAG_SIZE, 0), "setting the length of the tag");
    must(evp.encryptInit(context, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.encryptUpdate(context, 0, ignored, 0, length), "setting the length");
    must(evp.encryptUpdate(context, 0, ignored, addressOf(additional), additional.length), "additional data");
  }

  #beginOpening(context: number, nonce: Buffer, additional: Buffer, length: number, tag: Buffer): void {
    const { evp, key } = this;
    must(evp.control(context, Control.SET_IVLEN, CCM_NONCE_SIZE, 0), "setting the length of the nonce");
    must(evp.control(context, Control.SET_TAG, TAG_SIZE, addressOf(tag)), "giving the tag");
    must(evp.decryptInit(context, 0, 0, key.address, addressOf(nonce)), "setting key and nonce");
    must(evp.decryptUpdate(context, 0, ignored, 0, length), "setting the length");
    must(evp.decryptUpdate(context, 0, ignored, addressOf(additional), additional.length), "additional data");
  }
}

/** The whole text, and where its result goes: what was put together here is free to be overwritten. */
function inOnePiece(pieces: readonly Buffer[]): readonly [text: Buffer, target: Buffer] {
  const [only] = pieces;
  if (only !== undefined && pieces.length === 1) return [only, targetOf(only)];
  const text = Buffer.concat(pieces, totalLength(pieces));
  return [text, text];
}

/** `undefined` where OpenSSL cannot be called directly, or does not have the algorithm. */
export function opensslAead(algorithm: AeadAlgorithm, key: Buffer): Aead | undefined {
  const [sealing, opening] = contextsOf(algorithm);
  if (evp === undefined || sealing.main === undefined || opening.main === undefined) return undefined;
  const one = { contexts: sealing, main: sealing.main };
  const other = { contexts: opening, main: opening.main };
  return algorithm.endsWith("gcm") ? new GcmAead(evp, one, other, key) : new CcmAead(evp, one, other, key);
}
