// SPDX-License-Identifier: Apache-2.0
/** POPULATE TOKEN and WRITE USING TOKEN (SBC-3 5.7 and 5.49). */
import type { Extent } from "../scsi/addressing.ts";
import { type Command, checkRange, parameterList } from "../scsi/command.ts";
import {
  CheckCondition,
  encodeSense,
  illegal,
  internalFailure,
  invalidFieldInList,
  ScsiStatus,
  SenseKey,
  sense,
} from "../scsi/sense.ts";
import type { LogicalUnit } from "../scsi/unit.ts";
import { copyRanges } from "./copier.ts";
import { type CopyOperation, CopyStatus } from "./copy-operation.ts";
import { RodType } from "./options.ts";
import { decodePopulateToken, decodeWriteUsingToken, type WriteUsingTokenList } from "./parameter-lists.ts";
import type { ByteRange } from "./rod.ts";
import { isZeroToken } from "./rod-token.ts";

const populateToken = 0x10;
const writeUsingToken = 0x11;

/** COPY TARGET DEVICE DATA UNDERRUN: less was transferred than asked for. */
const truncation = { code: 0x0d, qualifier: 0x04 };

/** Checks the ranges against the unit, the limits and each other; gives their sum in blocks. */
function checkRanges(ranges: readonly Extent[], unit: LogicalUnit, maxTransferBlocks: number): number {
  let total = 0;
  for (const { lba, count } of ranges) {
    checkRange(unit, lba, count);
    total += count;
  }
  const sorted = ranges.filter(({ count }) => count > 0).sort((a, b) => a.lba - b.lba);
  for (const [index, range] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && before.lba + before.count > range.lba) throw illegal(0x26, 0x00);
  }
  if (maxTransferBlocks > 0 && total > maxTransferBlocks) throw illegal(0x26, 0x00);
  return total;
}

/** The first `blocks` of the ranges, in bytes. */
function toBytes(ranges: readonly Extent[], blocks: number, blockBytes: number): ByteRange[] {
  const found: ByteRange[] = [];
  let left = blocks;
  for (const { lba, count } of ranges) {
    const taken = Math.min(count, left);
    if (taken > 0) found.push({ offset: lba * blockBytes, length: taken * blockBytes });
    left -= taken;
  }
  return found;
}

/**
 * Runs the work of an operation. In the background (IMMED) the command is over at once; otherwise its end is the
 * command's end, and its error too. Either way the result can be fetched afterwards.
 */
function runOperation(
  command: Command,
  operation: CopyOperation,
  immediate: boolean,
  work: () => Promise<void>,
): undefined | Promise<undefined> {
  const { unit, effects } = command;
  if (effects.inProgress !== undefined) {
    operation.pretendPolls = effects.inProgress.polls;
    operation.pretended = effects.inProgress.status;
  }
  const settle = async () => {
    try {
      await work();
    } catch (error) {
      const found = error instanceof CheckCondition ? error.sense : internalFailure;
      operation.completionStatus = ScsiStatus.CHECK_CONDITION;
      operation.sense = encodeSense(found, unit.descriptorSense);
      if (operation.running) operation.status = CopyStatus.COMPLETED_WITH_ERRORS;
      throw error;
    }
  };
  if (!immediate) {
    command.signal.addEventListener("abort", () => operation.stop(), { once: true });
    return settle().then(() => undefined);
  }
  operation.status = CopyStatus.IN_PROGRESS_BACKGROUND;
  // The error is in the result, for whoever asks.
  settle().catch(() => {});
  return undefined;
}

/** Where the switches cut a command short, that is what the initiator is told. */
function reportTruncation(command: Command, operation: CopyOperation): void {
  const how = command.effects.truncate;
  operation.status = CopyStatus.COMPLETED_WITH_RESIDUAL;
  if (how === undefined || how.report === "good") return;
  throw new CheckCondition(
    sense(
      how.key === "aborted-command" ? SenseKey.ABORTED_COMMAND : SenseKey.COPY_ABORTED,
      truncation.code,
      truncation.qualifier,
      how.report === "information" ? operation.transferCount : undefined,
    ),
  );
}

/** POPULATE TOKEN. */
export function populate(command: Command): undefined | Promise<undefined> {
  const { cdb, unit, nexus, array } = command;
  const length = cdb.readUInt32BE(10);
  if (length === 0) return undefined;
  const { copyManager } = array;
  const { options } = copyManager;
  const list = decodePopulateToken(parameterList(command, length), options.maxRangeDescriptors);
  if (list.inactivityTimeout > options.maxInactivityTimeout) throw invalidFieldInList(4);
  const rodType = chosenType(list.rodType, options.rodTypes);
  const total = checkRanges(list.ranges, unit, options.maxTransferBlocks);
  const operation = copyManager.begin(nexus, unit, cdb.readUInt32BE(6), populateToken);
  return runOperation(command, operation, list.immediate, async () => {
    const blocks = Math.min(total, command.effects.truncate?.blocks ?? total);
    const ranges = toBytes(list.ranges, blocks, unit.medium.blockBytes);
    const inactivity = list.inactivityTimeout === 0 ? options.defaultInactivityTimeout : list.inactivityTimeout;
    operation.token = copyManager.tokens.create(rodType, unit, ranges, inactivity).bytes;
    operation.transferCount = blocks;
    operation.status = CopyStatus.COMPLETED;
    if (blocks < total) reportTruncation(command, operation);
  });
}

function chosenType(wanted: number | undefined, types: readonly number[]): number {
  const standard = types[0] ?? RodType.POINT_IN_TIME;
  if (wanted === undefined) return standard;
  if (wanted === RodType.POINT_IN_TIME_ANY) {
    const pointInTime = types.find((one) => one >= RodType.POINT_IN_TIME && one < RodType.POINT_IN_TIME_ANY);
    if (pointInTime !== undefined) return pointInTime;
  } else if (types.includes(wanted)) return wanted;
  throw invalidFieldInList(8);
}

/** WRITE USING TOKEN. */
export function writeUsing(command: Command): undefined | Promise<undefined> {
  const { cdb, unit, nexus, array } = command;
  const length = cdb.readUInt32BE(10);
  if (length === 0) return undefined;
  const { copyManager } = array;
  const { options } = copyManager;
  const list = decodeWriteUsingToken(parameterList(command, length), options.maxRangeDescriptors);
  const total = checkRanges(list.ranges, unit, options.maxTransferBlocks);
  const zero = isZeroToken(list.token);
  // Refused before anything is begun: the list identifier stays free.
  if (!zero) checkSource(copyManager.findToken(list.token).token.rod.bytes, list, unit, total);
  const operation = copyManager.begin(nexus, unit, cdb.readUInt32BE(6), writeUsingToken);
  return runOperation(command, operation, list.immediate, async () => {
    const blocks = Math.min(total, command.effects.truncate?.blocks ?? total);
    const destination = toBytes(list.ranges, blocks, unit.medium.blockBytes);
    await copyRanges({
      copyManager,
      token: zero ? undefined : copyManager.findToken(list.token),
      sourceOffset: list.offsetIntoRod * unit.medium.blockBytes,
      unit,
      destination,
      operation,
    });
    operation.status = CopyStatus.COMPLETED;
    if (list.deleteToken && !zero) {
      const { token, owner } = copyManager.findToken(list.token);
      owner.tokens.delete(token);
    }
    if (blocks < total) reportTruncation(command, operation);
  });
}

/** The token has to hold as much as the ranges take. */
function checkSource(rodBytes: number, list: WriteUsingTokenList, unit: LogicalUnit, total: number): void {
  const { blockBytes } = unit.medium;
  const offset = list.offsetIntoRod * blockBytes;
  if (offset >= rodBytes && rodBytes > 0) throw invalidFieldInList(8);
  if (offset + total * blockBytes > rodBytes) throw illegal(truncation.code, truncation.qualifier);
}
