// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Volume } from "../vfs/volume.ts";
import { type OffloadClock, type TokenLimits, TokenRegistry, type TokenUse } from "./token-registry.ts";
import { TOKEN_KEY_LENGTH, TOKEN_NAME_LENGTH, TokenSealer, TokenType, zeroToken } from "./token-seal.ts";
import type { TokenSource } from "./token-source.ts";

/** What the tokens of a server may do. Times are milliseconds. */
export interface OffloadOptions extends TokenLimits {
  /** Who may use a token: the user who asked for it, or everybody who has one. */
  readonly tokenScope: "user" | "server";
  readonly defaultTimeToLive: number;
  readonly minimumTimeToLive: number;
  readonly maximumTimeToLive: number;
  /** Bytes that one OFFLOAD_WRITE may really move. */
  readonly maxBytesPerWrite: number;
  /** Time after which an OFFLOAD_WRITE begins no further piece. */
  readonly maxTimePerWrite: number;
}

export const defaultOffloadOptions: OffloadOptions = {
  tokenScope: "user",
  maxTokens: 4096,
  maxTokensPerSession: 512,
  maxTokenBytes: 64 * 1024 ** 4,
  defaultTimeToLive: 300_000,
  minimumTimeToLive: 30_000,
  maximumTimeToLive: 3_600_000,
  maxBytesPerWrite: 256 * 1024 * 1024,
  maxTimePerWrite: 3000,
};

/** Who asks for a token, or brings one. */
export interface TokenHolder {
  readonly session: object;
  /** SID. */
  readonly user: string;
}

export interface TokenRequest {
  readonly source: TokenSource;
  /** Bytes, in the source. */
  readonly offset: number;
  /** Bytes that the source holds from there, and that the token is to stand for. */
  readonly length: number;
  readonly holder: TokenHolder;
  /** What the client asks for, 0 for the default. */
  readonly timeToLive: number;
}

/** Why a token was not honoured, for the log. */
export type TokenRefusal = "forged" | "unknown" | "other user" | "data changed";

export interface OffloadEngineParts {
  readonly options: OffloadOptions;
  readonly clock: OffloadClock;
  readonly randomBytes: (size: number) => Buffer;
  /** Hears of data that could not be given up. */
  readonly failed: (error: unknown) => void;
}

/** Gives out tokens for data and takes them back (MS-FSCC 2.1.11). */
export class OffloadEngine {
  readonly options: OffloadOptions;
  readonly clock: OffloadClock;
  readonly #sealer: TokenSealer;
  readonly #registry: TokenRegistry;
  readonly #randomBytes: (size: number) => Buffer;

  constructor({ options, clock, randomBytes, failed }: OffloadEngineParts) {
    this.options = options;
    this.clock = clock;
    this.#randomBytes = randomBytes;
    this.#sealer = new TokenSealer(randomBytes(TOKEN_KEY_LENGTH), randomBytes);
    this.#registry = new TokenRegistry(options, clock, failed);
  }

  /** Tokens that are honoured now. */
  get tokens(): number {
    return this.#registry.size;
  }

  get tokenBytes(): number {
    return this.#registry.bytes;
  }

  /**
   * To be asked before data are pinned.
   * @throws SmbError INSUFFICIENT_RESOURCES
   */
  reserve(holder: TokenHolder, length: number): void {
    this.#registry.reserve(holder.session, length);
  }

  /**
   * A token for data; the source is the engine's from here on.
   * @throws SmbError INSUFFICIENT_RESOURCES; the source is still the caller's
   */
  issue({ source, offset, length, holder, timeToLive }: TokenRequest): Buffer {
    const { defaultTimeToLive, minimumTimeToLive, maximumTimeToLive } = this.options;
    const name = this.#randomBytes(TOKEN_NAME_LENGTH);
    this.#registry.add(name, {
      source,
      offset,
      length,
      session: holder.session,
      user: holder.user,
      timeToLive:
        timeToLive === 0 ? defaultTimeToLive : Math.min(Math.max(timeToLive, minimumTimeToLive), maximumTimeToLive),
    });
    const tokenType = source.pinned ? TokenType.POINT_IN_TIME : TokenType.CHANGE_VULNERABLE;
    return this.#sealer.seal({ tokenType, name, length });
  }

  /** The token that stands for zeros. */
  zeroToken(): Buffer {
    return zeroToken();
  }

  /** Takes a token for the time of a call, or says why not: the client is told INVALID_TOKEN whatever the reason. */
  redeem(token: Buffer, holder: TokenHolder): TokenUse | TokenRefusal {
    const sealed = this.#sealer.open(token);
    if (sealed === undefined) return "forged";
    const use = this.#registry.use(sealed.name);
    if (use === undefined) return "unknown";
    if (this.options.tokenScope === "user" && use.record.user !== holder.user) {
      use.end(false);
      return "other user";
    }
    return use;
  }

  /** Ends the tokens for data of volumes that are about to be closed. */
  forgetVolumes(isGone: (volume: Volume) => boolean): void {
    this.#registry.clear(({ volume }) => isGone(volume));
  }

  close(): void {
    this.#registry.clear();
  }
}

export function invalidToken(reason: TokenRefusal): SmbError {
  return new SmbError(NtStatus.INVALID_TOKEN, reason);
}
