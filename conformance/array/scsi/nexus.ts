// SPDX-License-Identifier: Apache-2.0
/** The relation between one initiator port and one target port (SAM-5 4.3), and what is pending for it. */
import type { Sense } from "./sense.ts";
import type { Target } from "./target.ts";
import type { LogicalUnit } from "./unit.ts";

/** A condition is reported once; more than this of them for one unit tell the initiator nothing new. */
const maxPending = 8;

export class Nexus {
  /** The initiator port: its name, ",i,0x" and the ISID (RFC 7143 4.2.7.1). */
  readonly initiatorPort: string;
  readonly initiatorName: string;
  readonly target: Target;
  readonly portalGroup: number;
  readonly #attentions = new Map<LogicalUnit, Sense[]>();

  constructor(initiatorName: string, isid: Buffer, target: Target, portalGroup: number) {
    this.initiatorName = initiatorName;
    this.initiatorPort = `${initiatorName},i,0x${isid.toString("hex")}`;
    this.target = target;
    this.portalGroup = portalGroup;
  }

  /** Establishes a unit attention condition; the same one is not queued twice. */
  raise(unit: LogicalUnit, attention: Sense): void {
    const pending = this.#attentions.get(unit) ?? [];
    if (pending.length >= maxPending || pending.includes(attention)) return;
    pending.push(attention);
    this.#attentions.set(unit, pending);
  }

  /** Takes the oldest unit attention condition, which is thereby reported. */
  takeAttention(unit: LogicalUnit): Sense | undefined {
    const pending = this.#attentions.get(unit);
    const first = pending?.shift();
    if (pending?.length === 0) this.#attentions.delete(unit);
    return first;
  }

  /** A reset takes the place of what was pending (SAM-5 5.14). */
  replaceAttentions(unit: LogicalUnit, attention: Sense): void {
    this.#attentions.set(unit, [attention]);
  }
}
