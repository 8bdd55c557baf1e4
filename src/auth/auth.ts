// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";

/** Who is behind a session: what access checks and audit lines need. */
export interface Identity {
  readonly kind: "user" | "guest" | "anonymous";
  readonly userName: string;
  readonly domainName: string;
  /** The user's SID as text, `S-1-5-21-…`. */
  readonly sid: string;
  /** Groups as text, the well-known ones (Everyone, Authenticated Users, Network) included. */
  readonly groups: readonly string[];
  /** Privilege names held, such as `SeSecurityPrivilege` (MS-LSAD 3.1.1.2.1). */
  readonly privileges: readonly string[];
  /** Name of the client's machine as it told us, for logs only. */
  readonly workstation?: string;
}

export type AuthStep =
  /** STATUS_MORE_PROCESSING_REQUIRED with this token. */
  | { readonly kind: "continue"; readonly token: Buffer }
  | {
      readonly kind: "done";
      /** Final token for the client (SPNEGO accept-completed with mechListMIC), empty for raw NTLMSSP. */
      readonly token: Buffer;
      readonly identity: Identity;
      /**
       * Session.SessionKey: the first 16 bytes of the mechanism's key (MS-SMB2 3.3.5.5.3). For anonymous it rests on no
       * secret, for a guest it is zeros: neither can be signed with.
       */
      readonly sessionKey: Buffer;
      /** The whole key of the mechanism, from which 256-bit ciphers derive theirs. */
      readonly fullSessionKey: Buffer;
      /** FILETIME at which the credentials end, where they do. */
      readonly expires?: bigint;
    };

/** One authentication exchange: fed with the tokens of successive SESSION_SETUP requests. */
export interface AuthExchange {
  /** @throws SmbError LOGON_FAILURE, ACCOUNT_DISABLED, INVALID_PARAMETER (a token that does not parse) */
  step(token: Buffer): Awaitable<AuthStep>;
}

export interface ExchangeOptions {
  /** Address of the client, for the rate limit and logs. */
  readonly remoteAddress: string;
}

export interface Authenticator {
  /** The token of the NEGOTIATE response: SPNEGO NegTokenInit2 with the mechanisms offered. */
  readonly initialToken: Buffer;
  begin(options: ExchangeOptions): AuthExchange;
}
