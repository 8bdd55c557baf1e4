// SPDX-License-Identifier: Apache-2.0

import type { FileOpen } from "./open.ts";

/**
 * CREATE requests with a CreateGuid, that a client may send again because it did not see the answer: those under way, and
 * the handles of those that are done (Open.IsReplayEligible, MS-SMB2 3.3.1.10).
 */
export class CreateReplays {
  readonly #opens = new Map<string, FileOpen>();
  readonly #pending = new Set<string>();

  /** The handle that was opened with this CreateGuid, as long as its client has not used it. */
  find(clientGuid: Buffer, createGuid: Buffer): FileOpen | undefined {
    const open = this.#opens.get(keyOf(clientGuid, createGuid));
    return open?.isReplayEligible === true ? open : undefined;
  }

  /** A request is being worked on; {@link end} must follow. False: there is one with this CreateGuid already. */
  begin(clientGuid: Buffer, createGuid: Buffer): boolean {
    const key = keyOf(clientGuid, createGuid);
    if (this.#pending.has(key)) return false;
    this.#pending.add(key);
    return true;
  }

  end(clientGuid: Buffer, createGuid: Buffer): void {
    this.#pending.delete(keyOf(clientGuid, createGuid));
  }

  /** A handle that has a CreateGuid is open. */
  add(open: FileOpen): void {
    if (open.createGuid !== undefined) this.#opens.set(keyOf(open.clientGuid, open.createGuid), open);
  }

  remove(open: FileOpen): void {
    if (open.createGuid === undefined) return;
    const key = keyOf(open.clientGuid, open.createGuid);
    if (this.#opens.get(key) === open) this.#opens.delete(key);
  }
}

function keyOf(clientGuid: Buffer, createGuid: Buffer): string {
  return clientGuid.toString("latin1") + createGuid.toString("latin1");
}
