// SPDX-License-Identifier: Apache-2.0

import type { PersistentOpen, PersistentOpenStore } from "../../src/smb2/state/persistent-open.ts";

/** A store of persistent handles in memory that can be made slow, or to fail. */
export class MemoryOpenStore implements PersistentOpenStore {
  /** What is stable. */
  readonly records = new Map<bigint, PersistentOpen>();
  failing = false;
  #held: { readonly go: () => void; readonly fail: () => void }[] | undefined;

  /** Nothing becomes stable from now on. */
  hold(): void {
    this.#held = [];
  }

  /** Changes that wait to become stable. */
  get waiting(): number {
    return this.#held?.length ?? 0;
  }

  release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { go } of held) go();
  }

  /** Nothing that waits becomes stable. */
  fail(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const { fail } of held) fail();
  }

  load(): readonly PersistentOpen[] {
    return [...this.records.values()];
  }

  put(open: PersistentOpen): Promise<void> {
    if (this.failing) return Promise.reject(diskFull());
    return this.#apply(() => this.records.set(open.persistentId, open));
  }

  remove(persistentId: bigint): Promise<void> {
    return this.#apply(() => this.records.delete(persistentId));
  }

  #apply(change: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        change();
        resolve();
      };
      if (this.#held === undefined) go();
      else this.#held.push({ go, fail: () => reject(diskFull()) });
    });
  }
}

function diskFull(): Error {
  return new Error("the disk is full");
}
