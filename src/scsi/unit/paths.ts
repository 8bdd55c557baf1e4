// SPDX-License-Identifier: Apache-2.0

import { type Clock, delay } from "../clock.ts";
import { TransportError } from "../errors.ts";
import type { Nexus, NexusEvents } from "../nexus.ts";

/** One way to the unit. */
export interface Path {
  /** For messages. */
  readonly name: string;
  open(events: NexusEvents): Promise<Nexus>;
}

/** What a nexus was found to be good for. */
export type PathQuality = "best" | "usable";

export interface PathsParts {
  /** In the order of preference; at least one. */
  readonly paths: readonly Path[];
  readonly lun: bigint;
  readonly clock: Clock;
  /** Looks at the unit through a new nexus, before anybody else may use it. @throws where the path leads elsewhere, or nowhere */
  readonly prepare: (nexus: Nexus) => Promise<PathQuality>;
  /** True while a command that changes the medium is in flight on this nexus. */
  readonly isChanging: (nexus: Nexus) => boolean;
  readonly attention: NexusEvents["attention"];
  readonly online: (nexus: Nexus) => void;
  /** The unit cannot be reached: after the loss of a nexus no other path worked, or none did from the start. */
  readonly missing: (reason: Error) => void;
}

/** Milliseconds. */
const FIRST_BACKOFF = 1000;
const LONGEST_BACKOFF = 30_000;

interface Waiter {
  readonly resolve: (nexus: Nexus) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Keeps one nexus to a unit going over several paths. After a loss the next path is tried at once, then all of them with
 * growing pauses. A new nexus takes no commands before those of the lost one, which may still change the medium, are dead: by
 * session reinstatement where it has the same name, else by LOGICAL UNIT RESET (RFC 7143 6.3.5, SAM-5 6.3.3).
 */
export class Paths {
  readonly #parts: PathsParts;
  readonly #closing = new AbortController();
  readonly #waiters = new Set<Waiter>();
  /** Names of lost nexuses whose commands may still change the medium. */
  readonly #undead = new Set<string>();
  #settled: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined;
  #nexus: Nexus | undefined;
  #next = 0;
  /** A path was passed over for a better one. */
  #secondBest = false;
  #lastError: Error = new TransportError("no path has been tried");
  #running: Promise<void> | undefined;

  constructor(parts: PathsParts) {
    this.#parts = parts;
  }

  /** The nexus that takes commands. */
  get current(): Nexus | undefined {
    return this.#nexus?.connected === true ? this.#nexus : undefined;
  }

  get lastError(): Error {
    return this.#lastError;
  }

  /** Resolves when no command of a lost nexus can change the medium any more; `undefined` while none can. */
  get settled(): Promise<void> | undefined {
    return this.#settled?.promise;
  }

  /** Begins to look for a path, and does so again whenever one is lost. */
  start(): void {
    if (this.#running !== undefined || this.#closing.signal.aborted) return;
    this.#running = this.#search().finally(() => {
      this.#running = undefined;
    });
  }

  /** @returns the nexus as soon as there is one @throws the signal's reason, or TransportError after {@link close} */
  wait(signal: AbortSignal): Promise<Nexus> {
    const nexus = this.current;
    if (nexus !== undefined) return Promise.resolve(nexus);
    if (this.#closing.signal.aborted) return Promise.reject(new TransportError("the unit was closed"));
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        resolve: (found) => {
          signal.removeEventListener("abort", abort);
          this.#waiters.delete(waiter);
          resolve(found);
        },
        reject: (error) => {
          signal.removeEventListener("abort", abort);
          this.#waiters.delete(waiter);
          reject(error);
        },
      };
      const abort = () => waiter.reject(signal.reason);
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(waiter);
      // A nexus that is about to end may bring its commands to an end first: a new login would kill them.
      if (this.#nexus === undefined) this.start();
    });
  }

  /** Leaves a path that works no more as it should, once the commands in flight on it have ended. */
  leave(nexus: Nexus): void {
    if (this.#nexus === nexus) void nexus.close();
  }

  async close(): Promise<void> {
    this.#closing.abort(new TransportError("the unit was closed"));
    for (const waiter of [...this.#waiters]) waiter.reject(new TransportError("the unit was closed"));
    const nexus = this.#nexus;
    this.#nexus = undefined;
    await nexus?.close();
  }

  /** Tries path after path until one works. */
  async #search(): Promise<void> {
    const { signal } = this.#closing;
    let backoff = FIRST_BACKOFF;
    while (!signal.aborted) {
      const nexus = (await this.#round("best")) ?? (await this.#round("usable"));
      if (nexus?.connected === true) {
        this.#found(nexus);
        return;
      }
      if (signal.aborted) return;
      this.#parts.missing(this.#lastError);
      await delay(this.#parts.clock, backoff, signal);
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF);
    }
  }

  /** Tries each path once. A second round takes what the first one found to be second best. */
  async #round(quality: PathQuality): Promise<Nexus | undefined> {
    const { paths } = this.#parts;
    if (quality === "usable" && !this.#secondBest) return undefined;
    this.#secondBest = false;
    for (let tried = 0; tried < paths.length && !this.#closing.signal.aborted; tried++) {
      const path = paths[this.#next % paths.length];
      if (path === undefined) return undefined;
      try {
        return await this.#open(path, quality);
      } catch (error) {
        this.#lastError = error instanceof Error ? error : new TransportError(String(error));
        this.#next++;
      }
    }
    return undefined;
  }

  async #open(path: Path, quality: PathQuality): Promise<Nexus> {
    const { lun, attention, prepare, isChanging, paths } = this.#parts;
    let opened: Nexus | undefined;
    const nexus = await path.open({
      attention,
      lost: (error) => {
        if (opened === undefined) return;
        if (isChanging(opened)) this.#markUndead(opened.name);
        this.#lost(opened, error);
      },
    });
    opened = nexus;
    try {
      await this.#bury(nexus, lun);
      const found = await prepare(nexus);
      if (found === "usable" && quality === "best" && paths.length > 1) {
        this.#secondBest = true;
        throw new TransportError(`${path.name} is not the best path`);
      }
      if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
      return nexus;
    } catch (error) {
      await nexus.close();
      throw error;
    }
  }

  #lost(nexus: Nexus, error: Error | undefined): void {
    if (this.#nexus !== nexus) return;
    this.#nexus = undefined;
    if (error !== undefined) this.#lastError = error;
    this.#next++;
    this.start();
  }

  #markUndead(name: string): void {
    this.#undead.add(name);
    if (this.#settled !== undefined) return;
    let resolve: () => void = () => undefined;
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    this.#settled = { promise, resolve };
  }

  /** Makes sure that no command of an earlier nexus lives on. */
  async #bury(nexus: Nexus, lun: bigint): Promise<void> {
    // The login has ended what an earlier nexus of this name left behind.
    this.#undead.delete(nexus.name);
    if (this.#undead.size > 0) {
      const names = [...this.#undead];
      await nexus.resetLogicalUnit(lun);
      for (const name of names) this.#undead.delete(name);
    }
    this.#settled?.resolve();
    this.#settled = undefined;
  }

  #found(nexus: Nexus): void {
    this.#nexus = nexus;
    this.#parts.online(nexus);
    for (const waiter of [...this.#waiters]) waiter.resolve(nexus);
  }
}
