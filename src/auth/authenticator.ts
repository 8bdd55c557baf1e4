// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { AccountStore } from "./accounts.ts";
import type { AuthExchange, Authenticator, AuthStep, ExchangeOptions } from "./auth.ts";
import type { AuthLogger } from "./log.ts";
import type { Mechanism, MechanismExchange, MechanismStep } from "./mechanism.ts";
import { NtlmMechanism } from "./ntlm/acceptor.ts";
import { NTLM_SIGNATURE } from "./ntlm/messages.ts";
import { type AuthClock, LogonRateLimiter, type RateLimitOptions } from "./rate-limit.ts";
import { SpnegoExchange } from "./spnego/acceptor.ts";
import { encodeInit2 } from "./spnego/tokens.ts";

/** Largest token in bytes. */
export const TOKEN_LIMIT: number = 64 * 1024;

/** Session.SessionKey is 16 bytes of the mechanism's key (MS-SMB2 3.3.1.8). */
const SESSION_KEY_SIZE = 16;

export interface AuthenticatorOptions {
  readonly accounts: AccountStore;
  /** NetBIOS name of the server, at most 15 characters. */
  readonly serverName: string;
  /** Fully qualified DNS name of the server. */
  readonly dnsName: string;
  /** NetBIOS name of the domain that the accounts belong to: on a server outside any domain its own name. */
  readonly domainName: string;
  readonly allowAnonymous: boolean;
  /** Users that do not exist become this guest. Absent: they are refused. */
  readonly guest?: string | undefined;
  readonly clock: AuthClock;
  /** Cryptographically strong random bytes. */
  readonly random: (size: number) => Buffer;
  readonly logger: AuthLogger;
  readonly rateLimit?: RateLimitOptions | undefined;
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const { rateLimit, ...rest } = options;
  const ntlm = new NtlmMechanism({ ...rest, rateLimit: new LogonRateLimiter(options.clock, rateLimit) });
  const mechanisms: readonly Mechanism[] = [ntlm];
  return {
    initialToken: encodeInit2(mechanisms.map((mechanism) => mechanism.oids[0])),
    begin: (exchange) => new Exchange(mechanisms, ntlm, exchange),
  };
}

/**
 * One exchange of a session: SPNEGO, or NTLMSSP without it (MS-SMB2 3.3.5.5.3). Over after any failure. The mechanisms
 * bound its length: NTLM takes two tokens, three where the client prefers another mechanism.
 */
class Exchange implements AuthExchange {
  readonly #mechanisms: readonly Mechanism[];
  readonly #ntlm: Mechanism;
  readonly #options: ExchangeOptions;
  #inner: MechanismExchange | undefined;
  #state: "ready" | "busy" | "over" = "ready";

  constructor(mechanisms: readonly Mechanism[], ntlm: Mechanism, options: ExchangeOptions) {
    this.#mechanisms = mechanisms;
    this.#ntlm = ntlm;
    this.#options = options;
  }

  step(token: Buffer): Awaitable<AuthStep> {
    if (this.#state !== "ready" || token.length > TOKEN_LIMIT) {
      this.#state = "over";
      throw new SmbError(NtStatus.INVALID_PARAMETER, "a token out of turn or too long");
    }
    this.#state = "busy";
    try {
      this.#inner ??= this.#begin(token);
      const result = this.#inner.step(token);
      if (!(result instanceof Promise)) return this.#finish(result);
      return result.then(
        (step) => this.#finish(step),
        (error: unknown) => {
          this.#end();
          throw error;
        },
      );
    } catch (error) {
      this.#end();
      throw error;
    }
  }

  #begin(token: Buffer): MechanismExchange {
    const raw = token.subarray(0, NTLM_SIGNATURE.length).equals(NTLM_SIGNATURE);
    return raw ? this.#ntlm.begin(this.#options) : new SpnegoExchange(this.#mechanisms, this.#options);
  }

  #end(): void {
    this.#state = "over";
    this.#inner = undefined;
  }

  #finish(step: MechanismStep): AuthStep {
    // A second token that came while the first was in work ended the exchange.
    if (this.#state !== "busy") {
      this.#end();
      throw new SmbError(NtStatus.INVALID_PARAMETER, "a token out of turn");
    }
    if (step.kind === "continue") {
      this.#state = "ready";
      return step;
    }
    this.#end();
    const { identity, sessionKey, expires } = step.result;
    return {
      kind: "done",
      token: step.token ?? Buffer.alloc(0),
      identity,
      sessionKey: sessionKey.subarray(0, SESSION_KEY_SIZE),
      fullSessionKey: sessionKey,
      ...(expires === undefined ? {} : { expires }),
    };
  }
}
