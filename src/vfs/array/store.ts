// SPDX-License-Identifier: Apache-2.0

import { type Database, open, type RootDatabase } from "lmdb";

/** A key: bytes as a Latin-1 string, so that keys compare as their bytes do. */
export type Key = string;

/** One change of the catalogue; `undefined` removes the key. */
export interface Change {
  readonly key: Key;
  readonly value: unknown;
}

interface Pending {
  readonly value: unknown;
  /** Number of the last {@link CatalogueStore.apply} that set the key. */
  readonly sequence: number;
}

/**
 * The transactional store below the catalogue. What has been applied is seen at once by who reads; it survives the end of the
 * process once the promise of {@link apply} has been fulfilled, and the end of the machine after {@link flush}. Changes that
 * wait for the disk go there together, in the order in which they were applied, so that the store on disk is at every moment
 * one that existed.
 */
export class CatalogueStore {
  readonly #database: RootDatabase<unknown, Buffer>;
  readonly #entries: Database<unknown, Buffer>;
  readonly #pending = new Map<Key, Pending>();
  #queue: Change[] = [];
  #commit: Promise<void> | undefined;
  #sequence = 0;
  #failure: unknown;

  /** @param path a folder, made if it does not exist */
  constructor(path: string, { readOnly = false }: { readonly readOnly?: boolean } = {}) {
    this.#database = open({ path, maxDbs: 2, keyEncoding: "binary", encoding: "msgpack", readOnly });
    this.#entries = this.#database.openDB({ name: "catalogue", keyEncoding: "binary", encoding: "msgpack" });
  }

  /** Why nothing can be applied any more: what is in memory has gone ahead of a disk that failed. */
  get failure(): unknown {
    return this.#failure;
  }

  get(key: Key): unknown {
    const pending = this.#pending.get(key);
    return pending === undefined ? this.#entries.get(bytesOf(key)) : pending.value;
  }

  /** Entries with `start <= key < end`, in order of their keys, at most `limit`. */
  range(start: Key, end: Key, limit = Number.POSITIVE_INFINITY): [Key, unknown][] {
    const changed: [Key, unknown][] = [];
    for (const [key, { value }] of this.#pending) {
      if (key >= start && key < end) changed.push([key, value]);
    }
    changed.sort(([a], [b]) => (a < b ? -1 : 1));
    const found: [Key, unknown][] = [];
    let next = 0;
    const take = (before: Key | undefined): void => {
      for (; next < changed.length && found.length < limit; next++) {
        const [key, value] = changed[next] ?? [];
        if (key === undefined || (before !== undefined && key >= before)) return;
        if (value !== undefined) found.push([key, value]);
      }
    };
    for (const { key: bytes, value } of this.#entries.getRange({ start: bytesOf(start), end: bytesOf(end) })) {
      const key = bytes.toString("latin1");
      take(key);
      if (found.length >= limit) return found;
      if (!this.#pending.has(key)) found.push([key, value]);
    }
    take(undefined);
    return found;
  }

  /** All of `changes`, or none of them. @throws what the disk said, now and ever after */
  async apply(changes: readonly Change[]): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#sequence++;
    for (const change of changes) {
      this.#pending.set(change.key, { value: change.value, sequence: this.#sequence });
      this.#queue.push(change);
    }
    this.#commit ??= Promise.resolve().then(() => this.#writeQueue());
    // A commit that is under way does not hold these changes; the one after it does.
    await this.#commit;
  }

  /** @throws what the disk said when something could not be applied: what is in memory is not what is on the disk */
  async flush(): Promise<void> {
    await this.#commit;
    if (this.#failure !== undefined) throw this.#failure;
    await this.#database.flushed;
  }

  async close(): Promise<void> {
    await this.#commit?.catch(() => {});
    await this.#database.close();
  }

  async #writeQueue(): Promise<void> {
    const changes = this.#queue;
    const sequence = this.#sequence;
    this.#queue = [];
    this.#commit = undefined;
    try {
      await this.#entries.transaction(() => {
        for (const { key, value } of changes) {
          if (value === undefined) this.#entries.remove(bytesOf(key));
          else this.#entries.put(bytesOf(key), value);
        }
      });
    } catch (error) {
      this.#failure ??= error;
      throw error;
    }
    for (const { key } of changes) {
      const pending = this.#pending.get(key);
      if (pending !== undefined && pending.sequence <= sequence) this.#pending.delete(key);
    }
  }
}

function bytesOf(key: Key): Buffer {
  return Buffer.from(key, "latin1");
}
