// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Clock } from "../scsi/clock.ts";
import type { LogicalUnit } from "../scsi/logical-unit.ts";
import { defaultInitiatorName, openIscsiUnit } from "../scsi/open.ts";
import { ArrayVolume } from "../vfs/array/array-volume.ts";
import type { VolumeLog } from "../vfs/array/context.ts";
import type { Volume } from "../vfs/volume.ts";
import { chapOptions } from "./chap-secrets.ts";
import type { ArrayConfig } from "./config/array.ts";

/** A clock whose timers keep no process alive that has nothing else to do, unless `holds`. */
export function initiatorClock(holds: boolean): Clock {
  return {
    now: () => Date.now(),
    after(milliseconds, action) {
      const timer = setTimeout(action, milliseconds);
      if (!holds) timer.unref();
      return { cancel: () => clearTimeout(timer) };
    },
  };
}

/** The LUNs of a configured array, which are looked for from now on. @throws StartupError a secret cannot be read */
export function openArrayUnits(config: ArrayConfig, clock: Clock): LogicalUnit[] {
  const { target, portals, luns, initiatorName, digests } = config;
  const chap = config.chap === undefined ? undefined : chapOptions(config.chap);
  return luns.map((lun) =>
    openIscsiUnit(
      { clock, randomBytes },
      {
        portals,
        targetName: target,
        lun,
        initiatorName: initiatorName ?? defaultInitiatorName(hostname()),
        chap,
        session: { headerDigest: digests, dataDigest: digests },
      },
    ),
  );
}

/** Milliseconds; any number will do. */
const AWAKE = 60_000;

/** @throws ArrayVolumeError, StartupError */
export async function openArrayVolume(
  config: ArrayConfig,
  log: VolumeLog,
): Promise<{ readonly volume: Volume; readonly close: () => Promise<void> }> {
  const { catalogue, readOnly, foreignTokens } = config;
  const luns = openArrayUnits(config, initiatorClock(false));
  // Nothing else keeps the process alive while it waits for a LUN that is missing.
  const awake = setInterval(() => {}, AWAKE);
  const closeUnits = async () => {
    await Promise.all(luns.map((unit) => unit.close()));
  };
  try {
    const acceptsForeignTokens = foreignTokens === "accept";
    const volume = await ArrayVolume.open({ catalogue, luns, readOnly, acceptsForeignTokens, log });
    const close = async () => {
      try {
        await volume.close();
      } finally {
        await closeUnits();
      }
    };
    return { volume, close };
  } catch (error) {
    await closeUnits();
    throw error;
  } finally {
    clearInterval(awake);
  }
}
