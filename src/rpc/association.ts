// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";
import { HandleTable } from "./handles.ts";

/** Pipes that share context handles (MS-RPCE 3.3.1.5.7, `assoc_group_id`). */
export interface AssociationGroup {
  readonly id: number;
  readonly handles: HandleTable;
}

interface Membership extends AssociationGroup {
  readonly callerSid: string;
  pipes: number;
}

/** Groups at one time; each lives as long as a pipe of it is open, so the number of opens bounds them before this does. */
const MAX_GROUPS = 16_384;

export class AssociationGroups {
  readonly #groups = new Map<number, Membership>();
  readonly #randomUuid: () => string;
  #nextId = 0;

  constructor(randomUuid: () => string) {
    this.#randomUuid = randomUuid;
  }

  get size(): number {
    return this.#groups.size;
  }

  /**
   * Joins the group that the client names, when it exists and belongs to the same account, or begins a new one.
   * `undefined` when there are too many.
   */
  join(id: number, caller: Identity): AssociationGroup | undefined {
    const known = this.#groups.get(id);
    if (known !== undefined && known.callerSid === caller.sid) {
      known.pipes += 1;
      return known;
    }
    if (this.#groups.size >= MAX_GROUPS) return undefined;
    do {
      this.#nextId = (this.#nextId + 1) >>> 0;
    } while (this.#nextId === 0 || this.#groups.has(this.#nextId));
    const group = {
      id: this.#nextId,
      handles: new HandleTable(this.#randomUuid),
      callerSid: caller.sid,
      pipes: 1,
    };
    this.#groups.set(group.id, group);
    return group;
  }

  leave(group: AssociationGroup): void {
    const known = this.#groups.get(group.id);
    if (known === undefined) return;
    known.pipes -= 1;
    if (known.pipes === 0) this.#groups.delete(group.id);
  }
}
