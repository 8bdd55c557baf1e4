// SPDX-License-Identifier: Apache-2.0
/** Moves the data of a ROD, or zeros, to ranges of a unit, in steps between which other commands run. */
import { setImmediate } from "node:timers/promises";
import { checkMedium } from "../scsi/addressing.ts";
import { CheckCondition, illegal, SenseKey, sense } from "../scsi/sense.ts";
import type { LogicalUnit } from "../scsi/unit.ts";
import type { CopyManager } from "./copy-manager.ts";
import { type CopyOperation, CopyStatus } from "./copy-operation.ts";
import type { ByteRange } from "./rod.ts";
import { type IssuedToken, invalidToken } from "./token-registry.ts";

/** Bytes that are moved without letting others run: some milliseconds. */
const stepBytes = 4 * 1024 * 1024;
/** Zeroing moves no data. */
const zeroStepBytes = 1024 * 1024 * 1024;

export interface Copy {
  readonly copyManager: CopyManager;
  /** Undefined: zeros. */
  readonly token: { readonly token: IssuedToken } | undefined;
  /** Bytes into the ROD. */
  readonly sourceOffset: number;
  readonly unit: LogicalUnit;
  readonly destination: readonly ByteRange[];
  readonly operation: CopyOperation;
}

function checkGoesOn(copy: Copy): void {
  const { operation, unit, token } = copy;
  if (operation.abandoned.aborted) {
    operation.status = CopyStatus.TERMINATED;
    // COMMANDS CLEARED BY DEVICE SERVER.
    throw new CheckCondition(sense(SenseKey.COPY_ABORTED, 0x2f, 0x02));
  }
  if (unit.offline || token?.token.rod.unit.offline === true) throw unreachable();
  if (token?.token.ended !== undefined) throw illegal(invalidToken, token.token.ended);
}

/** UNREACHABLE COPY TARGET. */
function unreachable(): CheckCondition {
  return illegal(0x08, 0x04);
}

/** Copies all ranges; `operation.transferCount` follows. Throws {@link CheckCondition} where it ends early. */
export async function copyRanges(copy: Copy): Promise<void> {
  const { token, copyManager } = copy;
  if (token !== undefined) token.token.users += 1;
  try {
    await move(copy);
  } finally {
    if (token !== undefined) {
      token.token.users -= 1;
      token.token.lastActive = copyManager.clock.now();
    }
  }
}

async function move(copy: Copy): Promise<void> {
  const { unit, operation, copyManager } = copy;
  const { blockBytes } = unit.medium;
  const step = copy.token === undefined ? zeroStepBytes : stepBytes;
  const { bytesPerSecond } = copyManager.options;
  let source = copy.sourceOffset;
  for (const range of copy.destination) {
    for (let done = 0; done < range.length; ) {
      checkGoesOn(copy);
      const length = Math.min(step, range.length - done);
      moveStep(copy, source, range.offset + done, length);
      done += length;
      source += length;
      operation.transferCount += length / blockBytes;
      if (bytesPerSecond > 0) await copyManager.clock.delay((length / bytesPerSecond) * 1000, operation.abandoned);
      else await setImmediate();
    }
  }
}

function moveStep(copy: Copy, source: number, target: number, length: number): void {
  const { unit, token } = copy;
  const { medium } = unit;
  checkMedium(unit, { lba: target / medium.blockBytes, count: length / medium.blockBytes }, true);
  if (token === undefined) {
    medium.deallocate(target, length);
    return;
  }
  const data = Buffer.allocUnsafe(length);
  token.token.rod.read(source, data);
  medium.write(target, data);
}
