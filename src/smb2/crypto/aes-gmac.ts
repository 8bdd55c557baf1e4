// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createSecretKey, type KeyObject } from "node:crypto";
import type { Gmac } from "./mac.ts";
import { HeaderSigner, isForWorker, type SigningDirection, type SigningRole } from "./signer.ts";

const COMMAND_OFFSET = 12;
const COMMAND_CANCEL = 0x000c;
const MESSAGE_ID_OFFSET = 24;

const NONCE_SIZE = 12;
/** Bits of the last four bytes of the nonce. */
const NONCE_SERVER = 0x1;
const NONCE_CANCEL = 0x2;

/** AES-128-GMAC by node:crypto. */
export class AesGmac implements Gmac {
  readonly #key: KeyObject;

  constructor(key: Buffer) {
    this.#key = createSecretKey(key);
  }

  compute(nonce: Buffer, pieces: readonly Buffer[]): Buffer {
    const cipher = createCipheriv("aes-128-gcm", this.#key, nonce);
    for (const piece of pieces) if (piece.length > 0) cipher.setAAD(piece);
    cipher.final();
    return cipher.getAuthTag();
  }
}

/** AES-128-GMAC with a nonce made of MessageId, sender and CANCEL (MS-SMB2 3.1.4.1). */
export class AesGmacSigner extends HeaderSigner {
  readonly #gmac: Gmac;
  readonly #isServer: boolean;
  readonly #nonce = Buffer.alloc(NONCE_SIZE);

  constructor(gmac: Gmac, role: SigningRole) {
    super();
    this.#gmac = gmac;
    this.#isServer = role === "server";
  }

  /** Requests that wait for a worker come in bursts, which costs more than so fast a code. */
  override isForWorker(length: number, direction: SigningDirection): boolean {
    return direction === "sign" && isForWorker(this.#gmac, length);
  }

  protected override mac(pieces: readonly Buffer[], header: Buffer, own: boolean): Buffer {
    return this.#gmac.compute(this.#setNonce(this.#nonce, header, own), pieces);
  }

  protected override async macOnWorker(pieces: readonly Buffer[], header: Buffer, own: boolean): Promise<Buffer> {
    const nonce = this.#setNonce(Buffer.alloc(NONCE_SIZE), header, own);
    return this.#gmac.onWorker?.compute(nonce, pieces) ?? Buffer.from(this.#gmac.compute(nonce, pieces));
  }

  /** Of a nonce, the last three bytes stay zero. */
  #setNonce(nonce: Buffer, header: Buffer, own: boolean): Buffer {
    header.copy(nonce, 0, MESSAGE_ID_OFFSET, MESSAGE_ID_OFFSET + 8);
    const fromServer = this.#isServer === own;
    const cancel = header.readUInt16LE(COMMAND_OFFSET) === COMMAND_CANCEL;
    nonce[8] = (fromServer ? NONCE_SERVER : 0) | (cancel ? NONCE_CANCEL : 0);
    return nonce;
  }
}
