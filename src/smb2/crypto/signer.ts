// SPDX-License-Identifier: Apache-2.0

import { timingSafeEqual } from "node:crypto";
import type { Gmac, Mac } from "./mac.ts";

export type SigningDirection = "sign" | "verify";

/** Which side of the connection this end is. */
export type SigningRole = "server" | "client";

/**
 * Signs whole SMB2 messages (MS-SMB2 3.1.4.1), compound padding included. A message comes as any number of pieces whose
 * first one holds at least the 64-byte SMB2 header; its Signature field counts as zeros whatever it contains.
 */
export interface Signer {
  /** Writes the Signature field of the header. @throws RangeError where the first piece is shorter than a header */
  sign(pieces: readonly Buffer[]): void;
  /** Whether the Signature field is right; compared in constant time. The message is left as it was. */
  verify(pieces: readonly Buffer[]): boolean;
  /**
   * Whether another thread can do it, and the message is long enough to gain by that. Until the promise of
   * {@link signOnWorker} or {@link verifyOnWorker} settles, the message stays lent, and others may be signed and verified.
   */
  isForWorker(length: number, direction: SigningDirection): boolean;
  signOnWorker(pieces: readonly Buffer[]): Promise<void>;
  verifyOnWorker(pieces: readonly Buffer[]): Promise<boolean>;
}

const HEADER_SIZE = 64;
const SIGNATURE_OFFSET = 48;
const SIGNATURE_SIZE = HEADER_SIZE - SIGNATURE_OFFSET;

/** Keeps the Signature field while it is zeroed during a verification; nothing waits in between. */
const kept = Buffer.alloc(SIGNATURE_SIZE);

/** What the algorithms share: where the signature is, and that it is computed over a field of zeros. */
export abstract class HeaderSigner implements Signer {
  sign(pieces: readonly Buffer[]): void {
    const header = headerPiece(pieces);
    header.fill(0, SIGNATURE_OFFSET, HEADER_SIZE);
    this.mac(pieces, header, true).copy(header, SIGNATURE_OFFSET, 0, SIGNATURE_SIZE);
  }

  verify(pieces: readonly Buffer[]): boolean {
    const header = headerPiece(pieces);
    header.copy(kept, 0, SIGNATURE_OFFSET, HEADER_SIZE);
    header.fill(0, SIGNATURE_OFFSET, HEADER_SIZE);
    try {
      const mac = this.mac(pieces, header, false);
      return timingSafeEqual(kept, mac.length === SIGNATURE_SIZE ? mac : mac.subarray(0, SIGNATURE_SIZE));
    } finally {
      kept.copy(header, SIGNATURE_OFFSET);
    }
  }

  async signOnWorker(pieces: readonly Buffer[]): Promise<void> {
    const header = headerPiece(pieces);
    header.fill(0, SIGNATURE_OFFSET, HEADER_SIZE);
    (await this.macOnWorker(pieces, header, true)).copy(header, SIGNATURE_OFFSET, 0, SIGNATURE_SIZE);
  }

  async verifyOnWorker(pieces: readonly Buffer[]): Promise<boolean> {
    const first = headerPiece(pieces);
    const header = Buffer.from(first.subarray(0, HEADER_SIZE)).fill(0, SIGNATURE_OFFSET);
    const message = [header, first.subarray(HEADER_SIZE), ...pieces.slice(1)];
    const mac = await this.macOnWorker(message, header, false);
    return timingSafeEqual(first.subarray(SIGNATURE_OFFSET, HEADER_SIZE), mac.subarray(0, SIGNATURE_SIZE));
  }

  abstract isForWorker(length: number, direction: SigningDirection): boolean;

  /** At least 16 bytes, of which the first 16 are the signature. @param own whether this end is the sender */
  protected abstract mac(pieces: readonly Buffer[], header: Buffer, own: boolean): Buffer;
  protected abstract macOnWorker(pieces: readonly Buffer[], header: Buffer, own: boolean): Promise<Buffer>;
}

/** Signs with what depends on nothing but key and message: AES-CMAC of dialects 3.x, HMAC-SHA256 of 2.x (MS-SMB2 3.1.4.1). */
export class MacSigner extends HeaderSigner {
  readonly #mac: Mac;

  constructor(mac: Mac) {
    super();
    this.#mac = mac;
  }

  override isForWorker(length: number): boolean {
    return isForWorker(this.#mac, length);
  }

  protected override mac(pieces: readonly Buffer[]): Buffer {
    return this.#mac.compute(pieces);
  }

  protected override async macOnWorker(pieces: readonly Buffer[]): Promise<Buffer> {
    return this.#mac.onWorker?.compute(pieces) ?? Buffer.from(this.#mac.compute(pieces));
  }
}

/** Whether a message is worth the way to another thread and back, and there is one. */
export function isForWorker({ onWorker }: Mac | Gmac, length: number): boolean {
  return onWorker !== undefined && length >= onWorker.worthIt;
}

/** The piece that begins with the SMB2 header. */
function headerPiece(pieces: readonly Buffer[]): Buffer {
  const first = pieces[0];
  if (first === undefined || first.length < HEADER_SIZE) throw new RangeError("a message without its SMB2 header");
  return first;
}
