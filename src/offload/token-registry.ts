// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { NtStatus } from "../nt/status.ts";
import { CopyRefusedError, type RefusalReason } from "./refusal.ts";
import type { TokenSource } from "./token-source.ts";

/** Revoked tokens whose reason is remembered, for the log. */
const MAX_REVOKED = 1024;

/** Time as a parameter. Milliseconds. */
export interface OffloadClock {
  now(): number;
  after(milliseconds: number, action: () => void): { cancel(): void };
}

/** Bounds on what tokens hold. */
export interface TokenLimits {
  readonly maxTokens: number;
  readonly maxTokensPerSession: number;
  /** Bytes that all tokens together stand for. */
  readonly maxTokenBytes: number;
}

/** Who asked for a token, and for what: for people, not for decisions. */
export interface TokenOrigin {
  readonly userName: string;
  /** Address of the client. */
  readonly client: string;
  readonly share: string;
  /** Path in the share, with backslashes. */
  readonly file: string;
}

/** A token as people see it: nothing of it would help to make one. Times are milliseconds since 1970. */
export interface HeldToken extends TokenOrigin {
  /** Bytes. */
  readonly offset: number;
  readonly length: number;
  /** The data are kept in a file of their own; otherwise as long as a file that changes allows it. */
  readonly pinned: boolean;
  readonly issued: number;
  /** When it ends unless it is used before. */
  readonly expires: number;
  /** A copy is under way. */
  readonly inUse: boolean;
}

/** What tokens hold, over all. */
export interface TokenUsage {
  readonly tokens: number;
  /** Bytes that they stand for. */
  readonly bytes: number;
  /** Files that keep data for them, and the bytes that they stand for; what is shared takes no space. */
  readonly pins: number;
  readonly pinnedBytes: number;
}

/** What the storage says of a token of its own. */
export interface StorageClaim {
  /** It keeps the data as they were. Otherwise they are those of the source, for as long as that is not changed. */
  readonly pointInTime: boolean;
}

export interface TokenRecord {
  readonly source: TokenSource;
  /** Bytes, in the source. */
  readonly offset: number;
  /** Bytes that the token really holds. */
  readonly length: number;
  /** The session that asked for it: its share of the table is bounded. */
  readonly session: object;
  /** SID of the user who asked for it. */
  readonly user: string;
  readonly origin: TokenOrigin;
  /** The token is the storage's own: it copies what the token stands for by itself. */
  readonly storage?: StorageClaim | undefined;
  /** Milliseconds for which the token lives after it was made and after each use. */
  readonly timeToLive: number;
}

interface Entry extends TokenRecord {
  readonly name: string;
  readonly issued: number;
  deadline: number;
  /** Calls that work with it now: it is given up when they are done. */
  uses: number;
  /** Its data have been copied to their end: the first to go where room is needed. */
  spent: boolean;
  removed: boolean;
  timer: { cancel(): void } | undefined;
}

/** A token in use: its data stay until {@link end}. */
export interface TokenUse {
  readonly record: TokenRecord;
  /** @param spent the data have been copied to their end */
  end(spent: boolean): void;
  /** Ends the token for everybody. */
  revoke(reason: RefusalReason): void;
}

function oldestSpent(entries: Iterable<Entry> = [], which: (entry: Entry) => boolean = () => true): Entry | undefined {
  for (const entry of entries) if (entry.spent && entry.uses === 0 && which(entry)) return entry;
  return undefined;
}

/** The tokens that a server has given out and still honours. */
export class TokenRegistry {
  readonly #limits: TokenLimits;
  readonly #clock: OffloadClock;
  readonly #failed: (error: unknown) => void;
  readonly #entries = new Map<string, Entry>();
  readonly #perSession = new Map<object, Set<Entry>>();
  readonly #revoked = new Map<string, RefusalReason>();
  #bytes = 0;

  /** @param failed hears of data that could not be given up */
  constructor(limits: TokenLimits, clock: OffloadClock, failed: (error: unknown) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#failed = failed;
  }

  get usage(): TokenUsage {
    let pins = 0;
    let pinnedBytes = 0;
    for (const { source, length } of this.#entries.values()) {
      if (!source.pinned) continue;
      pins++;
      pinnedBytes += length;
    }
    return { tokens: this.#entries.size, bytes: this.#bytes, pins, pinnedBytes };
  }

  /** The oldest first. */
  list(): readonly HeldToken[] {
    return Array.from(this.#entries.values(), ({ origin, offset, length, source, issued, deadline, uses }) => ({
      ...origin,
      offset,
      length,
      pinned: source.pinned,
      issued,
      expires: deadline,
      inUse: uses > 0,
    }));
  }

  /**
   * Makes sure that one more token has room, at the cost of the oldest tokens that were used up: of the same session, or, where the
   * server has no room, of any. Otherwise a few clients that have copied many files would keep all others from it for the life of
   * their tokens.
   * @throws SmbError INSUFFICIENT_RESOURCES: the client copies by itself
   */
  reserve(session: object, length: number): void {
    for (;;) {
      const own = this.#perSession.get(session);
      const sessionIsFull = (own?.size ?? 0) >= this.#limits.maxTokensPerSession;
      const serverIsFull =
        this.#entries.size >= this.#limits.maxTokens ||
        (this.#entries.size > 0 && this.#bytes + length > this.#limits.maxTokenBytes);
      if (!sessionIsFull && !serverIsFull) return;
      const spent = oldestSpent(own) ?? (sessionIsFull ? undefined : oldestSpent(this.#entries.values()));
      if (spent === undefined) throw new CopyRefusedError(NtStatus.INSUFFICIENT_RESOURCES, "too many tokens");
      this.#endEverywhere(spent, Number.POSITIVE_INFINITY);
    }
  }

  /**
   * Ends the oldest token that was used up and has no file of its own to keep its data in: what has been put aside for it makes room
   * for what others still want.
   * @returns false where there is none
   */
  endOldestSpentUnpinned(): boolean {
    const spent = oldestSpent(this.#entries.values(), ({ source }) => !source.pinned);
    if (spent === undefined) return false;
    this.#endEverywhere(spent, Number.POSITIVE_INFINITY);
    return true;
  }

  /** @throws SmbError INSUFFICIENT_RESOURCES; the source is then the caller's to release */
  add(name: Buffer, record: TokenRecord): void {
    this.reserve(record.session, record.length);
    const entry: Entry = {
      ...record,
      name: name.toString("hex"),
      issued: this.#clock.now(),
      deadline: this.#clock.now() + record.timeToLive,
      uses: 0,
      spent: false,
      removed: false,
      timer: undefined,
    };
    this.#entries.set(entry.name, entry);
    const own = this.#perSession.get(record.session);
    if (own === undefined) this.#perSession.set(record.session, new Set([entry]));
    else own.add(entry);
    this.#bytes += record.length;
    this.#watch(entry);
  }

  /** Takes a token for the time of a call; `undefined` where it is not known, or no more. */
  use(name: Buffer): TokenUse | undefined {
    const entry = this.#entries.get(name.toString("hex"));
    if (entry === undefined) return undefined;
    entry.uses++;
    return {
      record: entry,
      end: (spent) => {
        entry.uses--;
        entry.spent ||= spent;
        entry.deadline = this.#clock.now() + entry.timeToLive;
        if (!entry.removed) this.#attempt(() => entry.source.used?.(entry.deadline));
        if (entry.removed && entry.uses === 0) this.#release(entry);
      },
      revoke: (reason) => {
        this.#endEverywhere(entry, Number.POSITIVE_INFINITY);
        this.#note(entry.name, reason);
      },
    };
  }

  /** Forgets all tokens, or those of some sources: what other servers find of them stays. */
  clear(which: (source: TokenSource) => boolean = () => true): void {
    for (const entry of [...this.#entries.values()]) if (which(entry.source)) this.#forget(entry);
  }

  /** Why a token was revoked, for as long as there is room to remember. */
  whyEnded(name: Buffer): RefusalReason | undefined {
    return this.#revoked.get(name.toString("hex"));
  }

  #note(name: string, reason: RefusalReason): void {
    for (const [oldest] of this.#revoked) {
      if (this.#revoked.size < MAX_REVOKED) break;
      this.#revoked.delete(oldest);
    }
    this.#revoked.set(name, reason);
  }

  #watch(entry: Entry): void {
    const wait = entry.uses > 0 ? entry.timeToLive : Math.max(1, entry.deadline - this.#clock.now());
    entry.timer = this.#clock.after(wait, () => {
      const now = this.#clock.now();
      // It may have been used since, which has put its end off.
      if (entry.uses === 0 && now >= entry.deadline) this.#endEverywhere(entry, now);
      else this.#watch(entry);
    });
  }

  /** Ends a token here and, unless one of them has had its data kept for longer than `now`, on other servers. */
  #endEverywhere(entry: Entry, now: number): void {
    if (entry.removed) return;
    this.#attempt(() => entry.source.ended?.(now));
    this.#forget(entry);
  }

  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Ends a token here; what other servers find of its data stays until it expires. */
  #forget(entry: Entry): void {
    if (entry.removed) return;
    entry.removed = true;
    entry.timer?.cancel();
    this.#entries.delete(entry.name);
    const own = this.#perSession.get(entry.session);
    own?.delete(entry);
    if (own?.size === 0) this.#perSession.delete(entry.session);
    this.#bytes -= entry.length;
    // The storage may honour its token for longer than we do: it must not pass for one that we have never seen.
    if (entry.storage !== undefined) this.#note(entry.name, "expired");
    if (entry.uses === 0) this.#release(entry);
  }

  #release(entry: Entry): void {
    try {
      const released: Awaitable<void> = entry.source.release();
      if (released instanceof Promise) released.catch(this.#failed);
    } catch (error) {
      this.#failed(error);
    }
  }
}
