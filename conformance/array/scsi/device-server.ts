// SPDX-License-Identifier: Apache-2.0
/** Runs commands: finds unit and row, checks what all commands share, turns errors into status and sense (SAM-5 5). */
import type { Clock } from "../clock.ts";
import { type Effects, type FaultSwitches, noEffects, spoilData, statusOf } from "../faults.ts";
import type { ScsiOutcome, ScsiRequest } from "../iscsi/host.ts";
import { addressesBlock } from "./addressing.ts";
import { AccessState, type ArrayServices, type Awaitable, type Command, type CommandRow } from "./command.ts";
import { hasServiceActions, isThirdPartyCopy, rowOf } from "./command-table.ts";
import { standardInquiry } from "./inquiry.ts";
import { decodeLun, reportLunsWellKnown } from "./lun.ts";
import type { Nexus } from "./nexus.ts";
import { reportLuns } from "./primary.ts";
import {
  CheckCondition,
  encodeFixedSense,
  encodeSense,
  internalFailure,
  invalidFieldInCdb,
  invalidOpcode,
  ScsiStatus,
  SenseKey,
  StatusOnly,
  sense,
  spaceExhausted,
  unitNotSupported,
  writeProtected,
} from "./sense.ts";
import { TaskSet } from "./task-set.ts";
import type { LogicalUnit } from "./unit.ts";

/** Commands of one unit that wait or run. */
const maxTasks = 256;

const Opcode = { TEST_UNIT_READY: 0x00, REQUEST_SENSE: 0x03, INQUIRY: 0x12, REPORT_LUNS: 0xa0 } as const;

type Log = (message: string) => void;
type Where = Pick<ScsiRequest, "nexus" | "lun" | "cdb">;

export class DeviceServer {
  readonly #array: ArrayServices;
  readonly #faults: FaultSwitches;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #taskSets = new Map<LogicalUnit, TaskSet>();

  constructor(array: ArrayServices, faults: FaultSwitches, clock: Clock, log: Log) {
    this.#log = log;
    this.#array = array;
    this.#faults = faults;
    this.#clock = clock;
  }

  /** Bytes that the initiator is asked for; 0 for commands that will be refused without looking at data. */
  dataOutLength({ nexus, lun, cdb }: Where): number {
    const unit = this.#unitOf(nexus, lun);
    return unit === undefined ? 0 : (rowOf(cdb)?.dataOut?.(cdb, unit) ?? 0);
  }

  execute(request: ScsiRequest): Awaitable<ScsiOutcome> {
    const unit = this.#unitOf(request.nexus, request.lun);
    if (unit === undefined) return settle(() => this.#withoutUnit(request), false, this.#log);
    const row = rowOf(request.cdb);
    const effects = this.#faults.meet({
      command: row?.name ?? `OPCODE ${request.cdb.readUInt8(0).toString(16)}h`,
      unit: unit.options.id,
      initiator: request.nexus.initiatorName,
      touches: (lba) => addressesBlock(request.cdb, lba),
    });
    const set = this.#taskSet(unit);
    if (set.size >= maxTasks) return { status: ScsiStatus.TASK_SET_FULL };
    const turn = set.enter(request.attribute);
    const run = () =>
      effects === noEffects
        ? this.#paced(
            request,
            unit,
            settle(() => this.#run(request, unit, row, effects), unit.descriptorSense, this.#log),
          )
        : this.#runFaulty(request, unit, row, effects);
    const outcome = turn === undefined ? run() : turn.then(run);
    if (!(outcome instanceof Promise)) {
      set.leave();
      return outcome;
    }
    return outcome.finally(() => set.leave());
  }

  /** What a command has moved takes the time of the medium. */
  #paced({ dataOut, signal }: ScsiRequest, unit: LogicalUnit, outcome: Awaitable<ScsiOutcome>): Awaitable<ScsiOutcome> {
    if (outcome instanceof Promise) return outcome;
    const bytes = dataOut.length + (outcome.dataIn?.length ?? 0);
    const wait = unit.pace.take(bytes, this.#clock.now());
    return wait === 0 ? outcome : this.#clock.delay(wait, signal).then(() => outcome);
  }

  /** Runs a command that a fault rule has met. */
  async #runFaulty(
    request: ScsiRequest,
    unit: LogicalUnit,
    row: CommandRow | undefined,
    effects: Effects,
  ): Promise<ScsiOutcome> {
    if (effects.expireTokens === true) this.#array.copyManager.tokens.expireAll();
    if (effects.delay !== undefined) await this.#clock.delay(effects.delay, request.signal);
    if (effects.drop === "before") return { status: ScsiStatus.GOOD, transport: "drop" };
    if (effects.silence === "before") return hang(request.signal);
    const outcome = await settle(
      () => {
        const { sense: forced } = effects;
        if (effects.status !== undefined) throw new StatusOnly(statusOf(effects.status));
        if (forced !== undefined)
          throw new CheckCondition(sense(forced.key, forced.code, forced.qualifier, forced.information));
        return this.#run(request, unit, row, effects);
      },
      unit.descriptorSense,
      this.#log,
    );
    if (effects.delayResponse !== undefined) await this.#clock.delay(effects.delayResponse, request.signal);
    if (effects.silence === "after") return hang(request.signal);
    const dataIn = outcome.status === ScsiStatus.GOOD ? spoilData(outcome.dataIn, effects) : outcome.dataIn;
    return {
      status: outcome.status,
      ...(dataIn === undefined ? {} : { dataIn }),
      ...(outcome.sense === undefined ? {} : { sense: outcome.sense }),
      ...transportOf(effects),
    };
  }

  #run(
    request: ScsiRequest,
    unit: LogicalUnit,
    row: CommandRow | undefined,
    effects: Effects,
  ): Awaitable<Buffer | undefined> {
    const { nexus, cdb } = request;
    // A command that was aborted while it waited for its turn changes nothing.
    if (request.signal.aborted) return undefined;
    if (row?.always !== true) {
      const attention = nexus.takeAttention(unit);
      if (attention !== undefined) throw new CheckCondition(attention);
    }
    if (row === undefined) throw unknownCommand(cdb);
    if (isThirdPartyCopy(row.opcode) && !this.#array.copyManager.options.enabled) throw invalidOpcode();
    this.#checkReady(nexus, unit, row);
    // NACA: no auto contingent allegiance (SAM-5 5.2).
    if ((cdb.readUInt8(row.usage.length - 1) & 0x04) !== 0) throw invalidFieldInCdb(row.usage.length - 1);
    if (row.writes === true && unit.writeProtected) throw writeProtected();
    const { dataOut, expectedLength, signal } = request;
    const command: Command = { cdb, dataOut, expectedLength, nexus, unit, array: this.#array, effects, signal };
    return row.run(command);
  }

  #checkReady(nexus: Nexus, unit: LogicalUnit, row: CommandRow): void {
    if (row.inStandby !== true) {
      const port = this.#array.targetPorts.find(({ portalGroup }) => portalGroup === nexus.portalGroup);
      // LOGICAL UNIT NOT ACCESSIBLE, TARGET PORT IN STANDBY or UNAVAILABLE STATE.
      if (port?.state === AccessState.STANDBY) throw new CheckCondition(sense(SenseKey.NOT_READY, 0x04, 0x0b));
      if (port?.state === AccessState.UNAVAILABLE) throw new CheckCondition(sense(SenseKey.NOT_READY, 0x04, 0x0c));
    }
    if (unit.offline && row.always !== true && row.notReady !== true) {
      // LOGICAL UNIT NOT READY, OFFLINE.
      throw new CheckCondition(sense(SenseKey.NOT_READY, 0x04, 0x12));
    }
  }

  /** A number without a unit, or the well-known one that answers REPORT LUNS (SPC-4 6.6.1, 8.2). */
  #withoutUnit({ nexus, lun, cdb }: ScsiRequest): Buffer | undefined {
    const wellKnown = decodeLun(lun) === reportLunsWellKnown;
    switch (cdb.readUInt8(0)) {
      case Opcode.INQUIRY: {
        if ((cdb.readUInt8(1) & 0x01) !== 0 || cdb.readUInt8(2) !== 0) throw invalidFieldInCdb(2);
        const data = standardInquiry(false);
        // Peripheral device type 1Eh: well-known logical unit.
        if (wellKnown) data.writeUInt8(0x1e, 0);
        return data.subarray(0, cdb.readUInt16BE(3));
      }
      case Opcode.REPORT_LUNS:
        // An initiator begins with LUN 0, whether there is one or not.
        if (!wellKnown && decodeLun(lun) !== 0) throw unitNotSupported();
        return reportLuns(nexus.target, cdb);
      case Opcode.REQUEST_SENSE:
        return encodeFixedSense(wellKnown ? sense(SenseKey.NO_SENSE, 0, 0) : unitNotSupported().sense).subarray(
          0,
          cdb.readUInt8(4),
        );
      case Opcode.TEST_UNIT_READY:
        if (wellKnown) return undefined;
        throw unitNotSupported();
      default:
        throw unitNotSupported();
    }
  }

  #unitOf(nexus: Nexus, lun: Buffer): LogicalUnit | undefined {
    const number = decodeLun(lun);
    return typeof number === "number" ? nexus.target.luns.get(number) : undefined;
  }

  #taskSet(unit: LogicalUnit): TaskSet {
    const found = this.#taskSets.get(unit) ?? new TaskSet();
    this.#taskSets.set(unit, found);
    return found;
  }
}

/** INVALID COMMAND OPERATION CODE, or INVALID FIELD IN CDB for an unknown service action of a known opcode. */
function unknownCommand(cdb: Buffer): CheckCondition {
  return hasServiceActions(cdb.readUInt8(0)) ? invalidFieldInCdb(1) : invalidOpcode();
}

/** A command that stays in the task set until somebody aborts it; its response is not sent then. */
function hang(signal: AbortSignal): Promise<ScsiOutcome> {
  return new Promise((resolve) => {
    const end = () => resolve({ status: ScsiStatus.TASK_ABORTED });
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

function transportOf(effects: Effects): Pick<ScsiOutcome, "transport"> {
  if (effects.drop === "after") return { transport: "drop" };
  if (effects.corruptDigest === "header") return { transport: "corruptHeaderDigest" };
  if (effects.corruptDigest === "data") return { transport: "corruptDataDigest" };
  return {};
}

function failure(error: unknown, descriptorSense: boolean, log: Log): ScsiOutcome {
  if (error instanceof CheckCondition) {
    return { status: ScsiStatus.CHECK_CONDITION, sense: encodeSense(error.sense, descriptorSense) };
  }
  if (error instanceof StatusOnly) return { status: error.status };
  const full = error instanceof Error && "code" in error && error.code === "ENOSPC";
  if (!full) log(`command failed: ${error instanceof Error ? error.stack : String(error)}`);
  const found = full ? spaceExhausted : internalFailure;
  return { status: ScsiStatus.CHECK_CONDITION, sense: encodeSense(found, descriptorSense) };
}

function success(dataIn: Buffer | undefined): ScsiOutcome {
  return dataIn === undefined ? { status: ScsiStatus.GOOD } : { status: ScsiStatus.GOOD, dataIn };
}

/** Runs a command; errors become its status. */
function settle(run: () => Awaitable<Buffer | undefined>, descriptorSense: boolean, log: Log): Awaitable<ScsiOutcome> {
  try {
    const result = run();
    if (!(result instanceof Promise)) return success(result);
    return result.then(success, (error: unknown) => failure(error, descriptorSense, log));
  } catch (error) {
    return failure(error, descriptorSense, log);
  }
}
