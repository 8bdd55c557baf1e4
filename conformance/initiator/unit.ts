// SPDX-License-Identifier: Apache-2.0
/** Our initiator as a suite uses it. */
import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../src/scsi/clock.ts";
import { encodeLun } from "../../src/scsi/iscsi/lun.ts";
import type { LogicalUnit } from "../../src/scsi/logical-unit.ts";
import { type IscsiUnitOptions, openIscsiUnit } from "../../src/scsi/open.ts";
import { expect } from "../lib/report.ts";

export const clock: Clock = {
  now: () => Date.now(),
  after: (milliseconds, action) => {
    const timer = setTimeout(action, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

export type UnitSettings = Partial<Omit<IscsiUnitOptions, "targetName" | "lun" | "portals">> & {
  readonly ports: readonly number[];
  readonly targetName: string;
  readonly lun: number;
  /** Milliseconds until the unit has to be there. */
  readonly patience?: number;
};

function openUnit({ ports, lun, patience: _, ...options }: UnitSettings): LogicalUnit {
  return openIscsiUnit(
    { clock, randomBytes },
    {
      initiatorName: "iqn.2026-01.test:initiator",
      ...options,
      portals: ports.map((port) => ({ host: "127.0.0.1", port })),
      lun: encodeLun(lun),
    },
  );
}

/** Opens a unit on 127.0.0.1, runs `use` with it once it is there, and closes it. */
export async function withUnit<T>(settings: UnitSettings, use: (unit: LogicalUnit) => Promise<T>): Promise<T> {
  const unit = openUnit(settings);
  try {
    await unit.ready({ timeout: settings.patience ?? 10_000 });
    return await use(unit);
  } finally {
    await unit.close();
  }
}

/** Why a unit on 127.0.0.1 cannot be reached, once each path has been tried. @throws Error it can */
export async function whyMissing(settings: UnitSettings): Promise<Error> {
  const unit = openUnit(settings);
  try {
    return await new Promise<Error>((resolve, reject) => {
      unit.listen((event) => {
        if (event.kind === "missing") resolve(event.reason);
        else reject(new Error("the unit is there"));
      });
    });
  } finally {
    await unit.close();
  }
}

/** Bytes of one call; not a power of two, so that pieces of all sizes are sent. */
const CALL = 1_536_000;
const CALLS_AT_ONCE = 4;

async function inPieces(bytes: number, move: (offset: number, length: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < bytes) {
      const offset = next;
      next += CALL;
      await move(offset, Math.min(CALL, bytes - offset));
    }
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
}

/** Cuts a buffer at places that have nothing to do with blocks. */
function scattered(data: Buffer): Buffer[] {
  const third = Math.floor(data.length / 3) + 1;
  return [data.subarray(0, 100), data.subarray(100, third), data.subarray(third)];
}

/** Writes random bytes from the first block on, and reads them back. @returns their SHA-256, in hexadecimal */
export async function writeAndReadBack(unit: LogicalUnit, bytes: number): Promise<string> {
  const { blockSize } = (await unit.ready()).capacity;
  const data = randomBytes(bytes);
  await inPieces(bytes, (offset, length) =>
    unit.write(offset / blockSize, scattered(data.subarray(offset, offset + length))),
  );
  await unit.synchronizeCache();
  const hash = createHash("sha256").update(data).digest("hex");
  data.fill(0);
  await inPieces(bytes, (offset, length) =>
    unit.read(offset / blockSize, scattered(data.subarray(offset, offset + length))),
  );
  const back = createHash("sha256").update(data).digest("hex");
  expect(back === hash, "what was read is not what was written");
  return hash;
}

/** The message with which an action fails. */
export async function failure(action: Promise<unknown>): Promise<Error> {
  try {
    await action;
  } catch (error) {
    if (error instanceof Error) return error;
    throw error;
  }
  throw new Error("it did not fail");
}
