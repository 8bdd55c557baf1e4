// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { ExchangeOptions, Identity } from "./auth.ts";

/** Signatures under the keys of an established context: GSS_GetMIC and GSS_VerifyMIC (RFC 2743 2.3.1, 2.3.2). */
export interface MessageIntegrity {
  sign(message: Buffer): Buffer;
  verify(message: Buffer, signature: Buffer): boolean;
}

export interface MechanismResult {
  readonly identity: Identity;
  /** The whole session key of the mechanism, at least 16 bytes. */
  readonly sessionKey: Buffer;
  /** Absent where the two sides share no key, or negotiated none of this. */
  readonly integrity?: MessageIntegrity;
  /** FILETIME at which the credentials end, where they do. */
  readonly expires?: bigint;
}

export type MechanismStep =
  | { readonly kind: "continue"; readonly token: Buffer }
  | { readonly kind: "done"; readonly token?: Buffer; readonly result: MechanismResult };

/** The acceptor's side of one authentication. */
export interface MechanismExchange {
  /** @throws SmbError */
  step(token: Buffer): Awaitable<MechanismStep>;
}

/** An authentication mechanism that SPNEGO can choose. */
export interface Mechanism {
  /** Object identifiers under which clients ask for it; the first one is the one that we offer. */
  readonly oids: readonly [string, ...string[]];
  begin(options: ExchangeOptions): MechanismExchange;
}
