// SPDX-License-Identifier: Apache-2.0

import type { FileOpen } from "./open.ts";

/** Open.AppInstanceId with its version (MS-SMB2 3.3.1.10). */
export interface AppInstance {
  /** 16 bytes. */
  readonly id: Buffer;
  /** Open.ApplicationInstanceVersionHigh and Low; SMB 3.1.1 only. */
  readonly version: AppInstanceVersion | undefined;
}

export interface AppInstanceVersion {
  readonly high: bigint;
  readonly low: bigint;
}

/** Handles by the application that opened them: what runs on another node after a failover closes what it left behind. */
export class AppInstances {
  readonly #opens = new Map<string, Set<FileOpen>>();

  add(open: FileOpen): void {
    if (open.appInstance === undefined) return;
    const key = keyOf(open.appInstance.id);
    const opens = this.#opens.get(key);
    if (opens === undefined) this.#opens.set(key, new Set([open]));
    else opens.add(open);
  }

  /** Handles that this application holds. */
  find(id: Buffer): readonly FileOpen[] {
    return [...(this.#opens.get(keyOf(id)) ?? [])];
  }

  remove(open: FileOpen): void {
    if (open.appInstance === undefined) return;
    const key = keyOf(open.appInstance.id);
    const opens = this.#opens.get(key);
    opens?.delete(open);
    if (opens?.size === 0) this.#opens.delete(key);
  }
}

function keyOf(id: Buffer): string {
  return id.toString("latin1");
}

/** True where the application that holds a handle is as new as the one that wants it, or newer (MS-SMB2 3.3.5.9.13). */
export function outranks(held: AppInstanceVersion, wanted: AppInstanceVersion): boolean {
  return held.high > wanted.high || (held.high === wanted.high && held.low >= wanted.low);
}
