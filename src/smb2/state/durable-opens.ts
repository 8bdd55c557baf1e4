// SPDX-License-Identifier: Apache-2.0

import type { Clock, Timer } from "../server-context.ts";
import { type Durability, isToBePreserved } from "./durability.ts";
import type { FileOpen } from "./open.ts";
import type { Session } from "./session.ts";
import type { TreeConnect } from "./tree-connect.ts";

export interface DurableOpensOptions {
  readonly clock: Clock;
  /** Handles without a client, over all. */
  readonly maximum: number;
  /** Handles without a client that belong to one user. */
  readonly maximumPerOwner: number;
  /** The client did not come back in time. */
  expired(open: FileOpen): void;
}

/**
 * The handles that can be taken up again after a cut (the durable part of GlobalOpenTable, MS-SMB2 3.3.1.5), with the
 * scavenger of those whose client is gone (MS-SMB2 3.3.2.2, 3.3.2.4).
 */
export class DurableOpens {
  readonly #options: DurableOpensOptions;
  /** By FileId.Persistent. */
  readonly #opens = new Map<bigint, FileOpen>();
  readonly #waiting = new Map<FileOpen, Timer>();
  /** Handles without a client by owner. */
  readonly #counts = new Map<string, number>();

  constructor(options: DurableOpensOptions) {
    this.#options = options;
  }

  /** Handles without a client. */
  get disconnected(): Iterable<FileOpen> {
    return this.#waiting.keys();
  }

  get disconnectedCount(): number {
    return this.#waiting.size;
  }

  /** A handle has become durable, or durable in another way. */
  add(open: FileOpen): void {
    this.#opens.set(open.persistentId, open);
  }

  find(persistentId: bigint): FileOpen | undefined {
    return this.#opens.get(persistentId);
  }

  /** Takes a handle from its session, to wait for its client. False: it is not to be kept, or there is no room. */
  disconnect(open: FileOpen): boolean {
    const { durability } = open;
    if (durability === undefined || !isToBePreserved(open)) return false;
    const { maximum, maximumPerOwner } = this.#options;
    const count = this.#counts.get(durability.owner) ?? 0;
    if (this.#waiting.size >= maximum || count >= maximumPerOwner) return false;
    open.session.opens.delete(open.volatileId);
    this.#wait(open, durability);
    return true;
  }

  /** Takes in a handle from before a restart, that waits for its client. */
  restore(open: FileOpen): void {
    this.add(open);
    if (open.durability !== undefined) this.#wait(open, open.durability);
  }

  #wait(open: FileOpen, { owner, timeout }: Durability): void {
    open.isDisconnected = true;
    open.connection = undefined;
    this.#counts.set(owner, (this.#counts.get(owner) ?? 0) + 1);
    this.#waiting.set(
      open,
      this.#options.clock.after(timeout, () => this.#options.expired(open)),
    );
  }

  /** The client is back: the handle goes to its new session, under a new FileId.Volatile. */
  reconnect(open: FileOpen, session: Session, tree: TreeConnect, volatileId: bigint): void {
    this.#stopWaiting(open);
    open.isDisconnected = false;
    open.session = session;
    open.tree = tree;
    open.volatileId = volatileId;
    session.opens.set(volatileId, open);
  }

  /** The handle closes, for whatever reason. */
  remove(open: FileOpen): void {
    this.#stopWaiting(open);
    this.#opens.delete(open.persistentId);
  }

  #stopWaiting(open: FileOpen): void {
    const timer = this.#waiting.get(open);
    if (timer === undefined || open.durability === undefined) return;
    timer.cancel();
    this.#waiting.delete(open);
    const { owner } = open.durability;
    const count = (this.#counts.get(owner) ?? 1) - 1;
    if (count > 0) this.#counts.set(owner, count);
    else this.#counts.delete(owner);
  }
}
