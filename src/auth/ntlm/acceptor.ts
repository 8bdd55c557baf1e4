// SPDX-License-Identifier: Apache-2.0

import { timingSafeEqual } from "node:crypto";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Account, AccountStore } from "../accounts.ts";
import type { ExchangeOptions } from "../auth.ts";
import { anonymousIdentity, guestIdentity, type Surroundings, userIdentity } from "../identity.ts";
import type { AuthLogger } from "../log.ts";
import type { Mechanism, MechanismExchange, MechanismResult, MechanismStep } from "../mechanism.ts";
import { accountPart } from "../names.ts";
import type { AuthClock, LogonRateLimiter } from "../rate-limit.ts";
import { AV_FLAG_MIC_PRESENT, AvId, avFlags, decodeAvPairs, encodeAvPairs } from "./av-pairs.ts";
import { challengeFlags, NtlmFlag } from "./flags.ts";
import {
  type AuthenticateMessage,
  decodeAuthenticate,
  decodeNegotiate,
  encodeChallenge,
  micOf,
  SERVER_CHALLENGE_SIZE,
  withoutMic,
} from "./messages.ts";
import {
  CLIENT_CHALLENGE_HEADER,
  hmacMd5,
  NT_PROOF_SIZE,
  NTLMV2_RESPONSE_MINIMUM,
  ntowfV2,
  ntProof,
  rc4k,
  sessionBaseKey,
} from "./ntlmv2.ts";
import { serverIntegrity } from "./session-security.ts";

/** NTLMSSP (MS-SPNG 1.9.1). */
export const NTLMSSP_OID = "1.3.6.1.4.1.311.2.2.10";

const NULL_SESSION_KEY = Buffer.alloc(16);

/** Names of a client are cut to this for logs and identities. */
const NAME_LIMIT = 256;

export interface NtlmOptions {
  readonly accounts: AccountStore;
  /** NetBIOS name. */
  readonly serverName: string;
  /** Fully qualified name. */
  readonly dnsName: string;
  /** NetBIOS name of the account domain: the server's own name, as it is a member of none. */
  readonly domainName: string;
  readonly allowAnonymous: boolean;
  /** Name of the guest that unknown users become; absent where they are refused. */
  readonly guest?: string | undefined;
  readonly clock: AuthClock;
  readonly random: (size: number) => Buffer;
  readonly logger: AuthLogger;
  readonly rateLimit: LogonRateLimiter;
}

/** A response that was checked, whether right or not. */
interface Verification {
  readonly ok: boolean;
  readonly keyExchangeKey: Buffer;
}

function utf16(text: string): Buffer {
  return Buffer.from(text, "utf16le");
}

/**
 * NTLM on the side of the server (MS-NLMP 3.2.5.1), NTLMv2 only: responses of LM, NTLM and NTLM2 session are refused.
 * Channel bindings are not looked at, because nothing below SMB has a channel to bind to.
 */
export class NtlmMechanism implements Mechanism {
  readonly oids = [NTLMSSP_OID] as const;
  readonly options: NtlmOptions;
  /** Takes the place of an unknown account's hash, so that both cost the same. */
  readonly decoyHash: Buffer;

  constructor(options: NtlmOptions) {
    this.options = options;
    this.decoyHash = options.random(16);
  }

  begin(exchange: ExchangeOptions): MechanismExchange {
    return new NtlmExchange(this, exchange);
  }
}

class NtlmExchange implements MechanismExchange {
  readonly #options: NtlmOptions;
  readonly #decoyHash: Buffer;
  readonly #address: string;
  /** Set while an AUTHENTICATE_MESSAGE is awaited. */
  #sent: { readonly negotiate: Buffer; readonly challenge: Buffer; readonly flags: number } | undefined;
  #started = false;

  constructor({ options, decoyHash }: NtlmMechanism, exchange: ExchangeOptions) {
    this.#options = options;
    this.#decoyHash = decoyHash;
    this.#address = exchange.remoteAddress;
  }

  step(token: Buffer): Awaitable<MechanismStep> {
    if (!this.#started) {
      this.#started = true;
      return this.#negotiate(token);
    }
    const sent = this.#sent;
    // One answer to one challenge: whatever comes of it, the challenge is used up.
    this.#sent = undefined;
    if (sent === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER, "the NTLM exchange is over");
    return chain(this.#authenticate(token, sent), (result) => ({ kind: "done", result }));
  }

  #negotiate(token: Buffer): MechanismStep {
    const { clock, random, serverName, domainName, dnsName } = this.#options;
    const flags = challengeFlags(decodeNegotiate(token).flags);
    const timestamp = Buffer.alloc(8);
    timestamp.writeBigUInt64LE(fileTimeFromMilliseconds(clock.now()));
    const dot = dnsName.indexOf(".");
    const targetInfo = encodeAvPairs([
      { id: AvId.NB_DOMAIN_NAME, value: utf16(domainName) },
      { id: AvId.NB_COMPUTER_NAME, value: utf16(serverName) },
      { id: AvId.DNS_DOMAIN_NAME, value: utf16(dot < 0 ? "" : dnsName.slice(dot + 1)) },
      { id: AvId.DNS_COMPUTER_NAME, value: utf16(dnsName) },
      { id: AvId.TIMESTAMP, value: timestamp },
    ]);
    const serverChallenge = random(SERVER_CHALLENGE_SIZE);
    const challenge = encodeChallenge({ flags, serverChallenge, targetName: serverName, targetInfo });
    // A copy: the token is a view into the receive buffer of its request.
    this.#sent = { negotiate: Buffer.from(token), challenge, flags };
    return { kind: "continue", token: challenge };
  }

  #authenticate(
    token: Buffer,
    sent: { readonly negotiate: Buffer; readonly challenge: Buffer; readonly flags: number },
  ): Awaitable<MechanismResult> {
    const { accounts, rateLimit } = this.#options;
    // The request's buffer may be gone when a delayed or asynchronous lookup comes back.
    const message = Buffer.from(token);
    const auth = decodeAuthenticate(message, sent.flags);
    const flags = sent.flags & auth.flags;
    if (isAnonymous(auth)) return this.#anonymous(auth, flags);
    const accountKey = foldName(accountPart(auth.userName)).slice(0, NAME_LIMIT);
    return chain(rateLimit.admit(this.#address, accountKey), (admitted) => {
      if (!admitted) throw this.#refuse(auth, "too many attempts");
      return chain(this.#lookup(auth, accounts), (account) => {
        try {
          return this.#verify(message, auth, flags, sent, account, accountKey);
        } catch (error) {
          if (error instanceof SmbError) rateLimit.failed(this.#address, accountKey);
          throw error;
        }
      });
    });
  }

  /** `user@domain` comes in the user name, with an empty domain. */
  #lookup(auth: AuthenticateMessage, accounts: AccountStore): Awaitable<Account | undefined> {
    return accounts.lookup(accountPart(auth.userName));
  }

  #verify(
    message: Buffer,
    auth: AuthenticateMessage,
    flags: number,
    sent: { readonly negotiate: Buffer; readonly challenge: Buffer },
    account: Account | undefined,
    accountKey: string,
  ): Awaitable<MechanismResult> {
    const { ntResponse } = auth;
    if (ntResponse.length < NTLMV2_RESPONSE_MINIMUM) {
      throw this.#refuse(auth, ntResponse.length <= 24 ? "NTLMv1 or LM response" : "short NTLMv2 response");
    }
    const avPairs = decodeAvPairs(ntResponse.subarray(NT_PROOF_SIZE + CLIENT_CHALLENGE_HEADER));
    const { ok, keyExchangeKey } = verifyResponse(
      account?.ntHash ?? this.#decoyHash,
      auth,
      sent.challenge.subarray(24, 24 + SERVER_CHALLENGE_SIZE),
    );
    if (account === undefined && this.#options.guest !== undefined) return this.#guest(auth, this.#options.guest);
    if (account === undefined || !ok) {
      throw this.#refuse(auth, account === undefined ? "unknown user" : "wrong password");
    }
    const sessionKey = exportedSessionKey(flags, keyExchangeKey, auth);
    if (avFlags(avPairs) & AV_FLAG_MIC_PRESENT) {
      const expected = hmacMd5(sessionKey, sent.negotiate, sent.challenge, withoutMic(message));
      if (!timingSafeEqual(expected, micOf(message))) throw this.#refuse(auth, "wrong MIC");
    }
    // Told only to those who know the password.
    if (account.disabled) throw this.#refuse(auth, "account disabled", NtStatus.ACCOUNT_DISABLED);
    this.#options.rateLimit.succeeded(this.#address, accountKey);
    this.#options.logger.info(this.#logFields(auth), "logon");
    const integrity = serverIntegrity(flags, sessionKey);
    return {
      identity: userIdentity(account, this.#surroundings(auth)),
      sessionKey,
      ...(integrity === undefined ? {} : { integrity }),
    };
  }

  #anonymous(auth: AuthenticateMessage, flags: number): MechanismResult {
    if (!this.#options.allowAnonymous) throw this.#refuse(auth, "anonymous logon");
    this.#options.logger.info(this.#logFields(auth), "anonymous logon");
    const sessionKey = exportedSessionKey(flags, NULL_SESSION_KEY, auth);
    const integrity = serverIntegrity(flags, sessionKey);
    return {
      identity: anonymousIdentity(cut(auth.workstation)),
      sessionKey,
      ...(integrity === undefined ? {} : { integrity }),
    };
  }

  /** The server cannot know the key of someone whose password it does not know: no key, no integrity. */
  #guest(auth: AuthenticateMessage, guest: string): Awaitable<MechanismResult> {
    return chain(this.#options.accounts.lookup(guest), (account) => {
      if (account?.disabled) throw this.#refuse(auth, "unknown user, and the guest account is disabled");
      this.#options.logger.info(this.#logFields(auth), "guest logon");
      return { identity: guestIdentity(guest, account, this.#surroundings(auth)), sessionKey: NULL_SESSION_KEY };
    });
  }

  #surroundings(auth: AuthenticateMessage): Surroundings {
    const { domainName, accounts } = this.#options;
    return { domainName, machineSid: accounts.machineSid, workstation: cut(auth.workstation) };
  }

  #logFields(auth: AuthenticateMessage): object {
    return {
      address: this.#address,
      user: cut(auth.userName),
      domain: cut(auth.domainName),
      workstation: cut(auth.workstation),
    };
  }

  #refuse(auth: AuthenticateMessage, reason: string, status: NtStatus = NtStatus.LOGON_FAILURE): SmbError {
    this.#options.logger.warn({ ...this.#logFields(auth), reason }, "logon refused");
    return new SmbError(status);
  }
}

function cut(name: string): string {
  return name.length <= NAME_LIMIT ? name : name.slice(0, NAME_LIMIT);
}

/** MS-NLMP 3.2.5.1.2: no user and no response, where an LM response of one zero byte counts as none. */
function isAnonymous({ userName, ntResponse, lmResponse }: AuthenticateMessage): boolean {
  const noLm = lmResponse.length === 0 || (lmResponse.length === 1 && lmResponse[0] === 0);
  return userName === "" && ntResponse.length === 0 && noLm;
}

/**
 * Checks an NTLMv2 response for each of the domain names that clients are known to hash: the one that they send, the
 * same in upper case, and none. All of them are computed in every case, so that time tells nothing.
 */
function verifyResponse(ntHash: Buffer, auth: AuthenticateMessage, serverChallenge: Buffer): Verification {
  const proof = auth.ntResponse.subarray(0, NT_PROOF_SIZE);
  const clientChallenge = auth.ntResponse.subarray(NT_PROOF_SIZE);
  let result: Verification = { ok: false, keyExchangeKey: NULL_SESSION_KEY };
  for (const domain of [auth.domainName, foldName(auth.domainName), ""]) {
    const responseKey = ntowfV2(ntHash, auth.userName, domain);
    const expected = ntProof(responseKey, serverChallenge, clientChallenge);
    const keyExchangeKey = sessionBaseKey(responseKey, expected);
    if (timingSafeEqual(expected, proof)) result = { ok: true, keyExchangeKey };
  }
  return result;
}

/** ExportedSessionKey (MS-NLMP 3.2.5.1.2). */
function exportedSessionKey(flags: number, keyExchangeKey: Buffer, auth: AuthenticateMessage): Buffer {
  if (!(flags & NtlmFlag.KEY_EXCH)) return keyExchangeKey;
  const { length } = auth.encryptedRandomSessionKey;
  // Without SIGN and SEAL a client leaves the key out, although the flag is set.
  if (length === 0 && !(flags & (NtlmFlag.SIGN | NtlmFlag.SEAL))) return keyExchangeKey;
  if (length !== 16) throw new SmbError(NtStatus.INVALID_PARAMETER, "no session key in spite of KEY_EXCH");
  return rc4k(keyExchangeKey, auth.encryptedRandomSessionKey);
}
