// SPDX-License-Identifier: Apache-2.0
/** Fault switches: rules that say which commands go wrong, how often and in what way. */
import { z } from "zod";
import { ScsiStatus } from "./scsi/sense.ts";

const byte = z.number().int().min(0).max(255);
const count = z.number().int().min(0);
const hex = z.string().regex(/^([0-9a-fA-F]{2})*$/, "pairs of hexadecimal digits");

/** What goes wrong. Several may be set: they happen in the order in which they stand here. */
export const faultSchema = z.strictObject({
  /** All tokens of the array expire. */
  expireTokens: z.boolean().optional(),
  /** Milliseconds before the command runs. */
  delay: count.optional(),
  /** The connection is cut before the command runs or after it. */
  drop: z.enum(["before", "after"]).optional(),
  /** The command hangs until it is aborted, before it has run or after. */
  silence: z.enum(["before", "after"]).optional(),
  /** BUSY, TASK SET FULL or RESERVATION CONFLICT instead of running. */
  status: z.enum(["BUSY", "TASK_SET_FULL", "RESERVATION_CONFLICT"]).optional(),
  /** CHECK CONDITION instead of running. */
  sense: z.strictObject({ key: byte, code: byte, qualifier: byte, information: count.optional() }).optional(),
  /**
   * POPULATE TOKEN and WRITE USING TOKEN do no more than so many blocks. They tell it with GOOD and the result's status
   * 04h, or with CHECK CONDITION 0Dh/04h with or without the count in INFORMATION.
   */
  truncate: z
    .strictObject({
      blocks: count,
      report: z.enum(["good", "information", "sense"]).default("information"),
      key: z.enum(["copy-aborted", "aborted-command"]).default("copy-aborted"),
    })
    .optional(),
  /** The result of the operation is first answered so often as in progress. */
  inProgress: z.strictObject({ polls: count, status: byte.min(0x10).max(0x12).default(0x12) }).optional(),
  /** Bytes that take the place of those at an offset of the Data-In; they may lie behind its end. */
  patch: z.array(z.strictObject({ offset: count, bytes: hex })).optional(),
  /** The Data-In is cut or filled up with zeros to so many bytes. */
  dataLength: count.max(16 * 1024 * 1024).optional(),
  /** Milliseconds after the command has run. */
  delayResponse: count.optional(),
  /** The response goes out with a wrong digest, where digests are on. */
  corruptDigest: z.enum(["header", "data"]).optional(),
});
export type Fault = z.infer<typeof faultSchema>;

/** Which commands a fault meets. What is left out matches everything. */
export const ruleSchema = z.strictObject({
  /** As in the standards: `WRITE USING TOKEN`, `READ(16)`; all commands by default. */
  command: z.string().optional(),
  /** Name of the logical unit. */
  unit: z.string().optional(),
  /** Initiator's iSCSI name. */
  initiator: z.string().optional(),
  /** A block that the command reads or writes by its CDB. */
  lba: count.optional(),
  /** So many matching commands pass first. */
  after: count.default(0),
  /** And then so many are met; null for all. */
  times: count.nullable().default(1),
  fault: faultSchema,
});
export type Rule = z.infer<typeof ruleSchema>;
/** As it may be written: with the defaults left out. */
export type RuleInput = z.input<typeof ruleSchema>;

/** What remains of the faults when a command runs. */
export type Effects = Fault;

export const noEffects: Effects = {};

export interface CommandIdentity {
  readonly command: string;
  readonly unit: string;
  readonly initiator: string;
  /** Whether it reads or writes a block. */
  readonly touches: (lba: number) => boolean;
}

interface ActiveRule {
  readonly id: number;
  readonly rule: Rule;
  passed: number;
  met: number;
}

/** More rules than anybody needs. */
const maxRules = 1000;

export class FaultSwitches {
  readonly #rules = new Map<number, ActiveRule>();
  #lastId = 0;

  /** Switches a rule on; gives its number. Throws a ZodError for a rule that makes no sense. */
  add(input: RuleInput): number {
    const rule = ruleSchema.parse(input);
    if (this.#rules.size >= maxRules) throw new Error("too many fault rules");
    this.#lastId += 1;
    this.#rules.set(this.#lastId, { id: this.#lastId, rule, passed: 0, met: 0 });
    return this.#lastId;
  }

  /** Switches a rule off; false where there is none of that number. */
  remove(id: number): boolean {
    return this.#rules.delete(id);
  }

  clear(): void {
    this.#rules.clear();
  }

  /** The rules with how often each was met. A rule that is used up stays until it is removed. */
  list(): (Rule & { readonly id: number; readonly met: number })[] {
    return [...this.#rules.values()].map(({ id, rule, met }) => ({ id, met, ...rule }));
  }

  /** The fault that meets a command: of the oldest rule that matches and is not used up. Counts. */
  meet(identity: CommandIdentity): Effects {
    if (this.#rules.size === 0) return noEffects;
    for (const active of this.#rules.values()) {
      const { rule } = active;
      const matches =
        (rule.command === undefined || rule.command === identity.command) &&
        (rule.unit === undefined || rule.unit === identity.unit) &&
        (rule.initiator === undefined || rule.initiator === identity.initiator) &&
        (rule.lba === undefined || identity.touches(rule.lba));
      if (!matches || (rule.times !== null && active.met >= rule.times)) continue;
      if (active.passed < rule.after) {
        active.passed += 1;
        continue;
      }
      active.met += 1;
      return rule.fault;
    }
    return noEffects;
  }
}

/** The status byte of a fault. */
export function statusOf(name: NonNullable<Fault["status"]>): number {
  return ScsiStatus[name];
}

/** Applies `patch` and `dataLength`. */
export function spoilData(data: Buffer | undefined, effects: Effects): Buffer | undefined {
  const { patch, dataLength } = effects;
  if (patch === undefined && dataLength === undefined) return data;
  const patches = (patch ?? []).map(({ offset, bytes }) => ({ offset, bytes: Buffer.from(bytes, "hex") }));
  const end = patches.reduce((most, { offset, bytes }) => Math.max(most, offset + bytes.length), data?.length ?? 0);
  const spoiled = Buffer.alloc(dataLength ?? end);
  data?.copy(spoiled);
  for (const { offset, bytes } of patches) bytes.copy(spoiled, Math.min(offset, spoiled.length));
  return spoiled;
}
