// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import type { Awaitable } from "../nt/awaitable.ts";
import type { Volume } from "../vfs/volume.ts";
import { PreserveBudget } from "./preserve-budget.ts";
import type { RefusalReason } from "./refusal.ts";
import {
  decodeTokenBody,
  encodeTokenBody,
  ISSUER_LENGTH,
  TOKEN_NAME_LENGTH,
  type TokenBody,
  type TokenScope,
} from "./token-body.ts";
import { TokenGroup } from "./token-group.ts";
import {
  type HeldToken,
  type OffloadClock,
  type StorageClaim,
  type TokenLimits,
  type TokenOrigin,
  TokenRegistry,
  type TokenUsage,
  type TokenUse,
} from "./token-registry.ts";
import { TokenSealer, TokenType, zeroToken } from "./token-seal.ts";
import type { TokenSource } from "./token-source.ts";

/** What the tokens of a server may do. Times are milliseconds. */
export interface OffloadOptions extends TokenLimits {
  /**
   * Who may use a token: `user`, the one who asked for it, also on another server that has the key; `server`, everybody, but
   * on the server that issued it only; `cluster`, everybody, on every server that has the key.
   */
  readonly tokenScope: TokenScope;
  /**
   * 32 bytes each: a group of servers with the same storage redeem each other's tokens where they have a key in common. The
   * first one seals, all of them open. None: a key is made, tokens end with the process.
   */
  readonly tokenKeys: readonly Buffer[];
  /** By how much the clocks of such a group may differ at most. */
  readonly maxClockSkew: number;
  /**
   * Bytes of old data that are kept for tokens, in all, on volumes that do not share blocks: before a client overwrites them.
   * Beyond that, tokens that were used up end, and then those for data that are overwritten. 0 keeps none.
   */
  readonly maxPreservedBytes: number;
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
  tokenKeys: [],
  maxClockSkew: 60_000,
  maxPreservedBytes: 256 * 1024 * 1024,
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
  readonly origin: TokenOrigin;
}

export interface OffloadEngineParts {
  readonly options: OffloadOptions;
  readonly clock: OffloadClock;
  readonly randomBytes: (size: number) => Buffer;
  /** The volumes that are served now. */
  readonly volumes: () => Iterable<Volume>;
  /** Hears of data that could not be given up. */
  readonly failed: (error: unknown) => void;
}

export interface OffloadUsage extends TokenUsage {
  /** Old data that are kept since they were overwritten, each piece counted as 4 KiB at least. */
  readonly preservedBytes: number;
}

/** Gives out tokens for data and takes them back (MS-FSCC 2.1.11). */
export class OffloadEngine {
  readonly options: OffloadOptions;
  readonly clock: OffloadClock;
  readonly #sealer: TokenSealer;
  readonly #registry: TokenRegistry;
  readonly #randomBytes: (size: number) => Buffer;
  readonly #issuer: Buffer;
  readonly #group: TokenGroup;
  /** What may be kept of data that are changed while tokens stand for them. */
  readonly preserveBudget: PreserveBudget;

  constructor({ options, clock, randomBytes, volumes, failed }: OffloadEngineParts) {
    this.options = options;
    this.clock = clock;
    this.#randomBytes = randomBytes;
    this.#sealer = new TokenSealer(options.tokenKeys, randomBytes);
    this.#issuer = randomBytes(ISSUER_LENGTH);
    this.#registry = new TokenRegistry(options, clock, failed);
    this.preserveBudget = new PreserveBudget(options.maxPreservedBytes, () => this.#registry.endOldestSpentUnpinned());
    this.#group = new TokenGroup({ options, clock, volumes, failed });
  }

  /** What the tokens that are honoured now hold, over all. */
  get usage(): OffloadUsage {
    return { ...this.#registry.usage, preservedBytes: this.preserveBudget.used };
  }

  /** The tokens that are honoured now, for people. */
  heldTokens(): readonly HeldToken[] {
    return this.#registry.list();
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
  async issue({ source, offset, length, holder, timeToLive, origin }: TokenRequest): Promise<Buffer> {
    const name = this.#randomBytes(TOKEN_NAME_LENGTH);
    const lifetime = this.lifetime(timeToLive);
    const { session, user } = holder;
    const { place, expires } = await this.#group.place(source, name, user, lifetime);
    try {
      this.#registry.add(name, { source, offset, length, session, user, origin, timeToLive: lifetime });
    } catch (error) {
      source.ended?.(Number.POSITIVE_INFINITY);
      throw error;
    }
    const scope = this.options.tokenScope;
    const body: TokenBody = { name, issuer: this.#issuer, scope, user, offset, length, expires, place };
    const tokenType = source.pinned ? TokenType.POINT_IN_TIME : TokenType.CHANGE_VULNERABLE;
    return this.#sealer.seal({ tokenType, body: encodeTokenBody(body) });
  }

  /**
   * Takes note of a token that the storage made, so that only who may use it does, and that its data can be copied through the
   * server where the storage cannot bring them. The source is the engine's from here on.
   * @throws SmbError INSUFFICIENT_RESOURCES; the source is still the caller's
   */
  adopt(token: Buffer, storage: StorageClaim, request: TokenRequest): void {
    const { holder, timeToLive, source, offset, length, origin } = request;
    const { session, user } = holder;
    const lifetime = this.lifetime(timeToLive);
    this.#registry.add(nameOf(token), { source, offset, length, session, user, origin, storage, timeToLive: lifetime });
  }

  /** Milliseconds: what the client asks for is a hint. */
  lifetime(timeToLive: number): number {
    const { defaultTimeToLive, minimumTimeToLive, maximumTimeToLive } = this.options;
    if (timeToLive === 0) return defaultTimeToLive;
    return Math.min(Math.max(timeToLive, minimumTimeToLive), maximumTimeToLive);
  }

  /** The token that stands for zeros. */
  zeroToken(): Buffer {
    return zeroToken();
  }

  /** Takes a token for the time of a call, or says why not: the client is told INVALID_TOKEN whatever the reason. */
  redeem(token: Buffer, holder: TokenHolder): Awaitable<TokenUse | RefusalReason> {
    const sealed = this.#sealer.open(token);
    if (typeof sealed === "string") return this.#redeemAdopted(token, holder) ?? sealed;
    const body = decodeTokenBody(sealed.body);
    if (body === undefined) return "malformed";
    const { name, issuer, scope, user, expires } = body;
    const isOtherUser = user !== holder.user;
    if (isOtherUser && (scope === "user" || this.options.tokenScope === "user")) return "other user";
    const use = this.#registry.use(name);
    if (use !== undefined) {
      const { lost } = use.record.source;
      if (lost === undefined) return use;
      use.revoke(lost);
      use.end(false);
      return lost;
    }
    const ended = this.#registry.whyEnded(name);
    if (ended !== undefined) return ended;
    const isOwn = issuer.equals(this.#issuer);
    if (!isOwn && (scope === "server" || this.options.tokenScope === "server")) return "other server";
    if (body.place.kind !== "issuer") return this.#group.redeem(body, holder);
    if (this.clock.now() >= expires) return "expired";
    return isOwn ? "unknown" : "other server";
  }

  /** `undefined`: no token that the storage made for us. */
  #redeemAdopted(token: Buffer, holder: TokenHolder): TokenUse | RefusalReason | undefined {
    const name = nameOf(token);
    const use = this.#registry.use(name);
    if (use === undefined) return this.#registry.whyEnded(name);
    if (this.options.tokenScope !== "user" || use.record.user === holder.user) return use;
    use.end(false);
    return "other user";
  }

  /** Ends the tokens for data of volumes that are about to be closed. */
  forgetVolumes(isGone: (volume: Volume) => boolean): void {
    this.#registry.clear(({ volume }) => isGone(volume));
  }

  close(): void {
    this.#group.close();
    this.#registry.clear();
  }
}

/** The name under which a token of the storage is known. */
function nameOf(token: Buffer): Buffer {
  return createHash("sha256").update(token).digest().subarray(0, TOKEN_NAME_LENGTH);
}
