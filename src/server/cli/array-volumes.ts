// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { formatLun } from "../../scsi/iscsi/lun.ts";
import { formatPortal } from "../../scsi/iscsi/transport.ts";
import { Catalogue } from "../../vfs/array/catalogue.ts";
import { checkCatalogue } from "../../vfs/array/check.ts";
import { formatArrayVolume } from "../../vfs/array/format.ts";
import { CatalogueStore } from "../../vfs/array/store.ts";
import { initiatorClock, openArrayUnits } from "../array-units.ts";
import type { ArrayConfig } from "../config/array.ts";
import { loadConfig } from "../config/load.ts";
import { formatSize, parseSize } from "../config/units.ts";
import { StartupError, UsageError } from "../startup-error.ts";
import { DEFAULT_CONFIG_FILE } from "./serve-options.ts";

export interface ArrayVolumeOptions {
  readonly config?: string;
}

export interface FormatOptions extends ArrayVolumeOptions {
  readonly label?: string;
  readonly allocationUnit?: string;
  readonly file?: readonly string[];
  readonly force?: boolean;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");

async function arraysOf({ config = DEFAULT_CONFIG_FILE }: ArrayVolumeOptions): Promise<readonly ArrayConfig[]> {
  return (await loadConfig(config)).arrays;
}

async function arrayOf(name: string, options: ArrayVolumeOptions): Promise<ArrayConfig> {
  const arrays = await arraysOf(options);
  const found = arrays.find((array) => array.name === name);
  if (found !== undefined) return found;
  const known = arrays.map((array) => array.name).join(", ") || "none";
  throw new UsageError(`There is no array ${name} in the configuration. There are: ${known}.`);
}

/** Makes an empty volume on the LUNs of an array. @throws StartupError, UsageError */
export async function formatArray(name: string, options: FormatOptions): Promise<void> {
  const array = await arrayOf(name, options);
  const allocationUnit = options.allocationUnit === undefined ? undefined : parseSize(options.allocationUnit);
  if (options.allocationUnit !== undefined && allocationUnit === undefined) {
    throw new UsageError(`--allocation-unit ${options.allocationUnit}: must be a size such as 64KiB.`);
  }
  const luns = openArrayUnits(array, initiatorClock(true));
  try {
    await mkdir(array.catalogue, { recursive: true });
    await formatArrayVolume({
      catalogue: array.catalogue,
      luns,
      label: options.label ?? name,
      ...(allocationUnit === undefined ? {} : { allocationUnit }),
      ...(options.file === undefined ? {} : { fileNames: options.file }),
      force: options.force ?? false,
      now: fileTimeFromMilliseconds(Date.now()),
      volumeId: randomBytes(16),
    });
  } catch (error) {
    throw new StartupError(`The array ${name} cannot be formatted: ${messageOf(error)}.`);
  } finally {
    await Promise.all(luns.map((unit) => unit.close()));
  }
  process.stdout.write(
    `Made a volume on ${luns.length} LUN(s) of ${array.target}; its catalogue is in ${array.catalogue}.\n`,
  );
}

/** Looks for contradictions in the catalogue of an array's volume. @throws StartupError */
export async function checkArray(name: string, options: ArrayVolumeOptions): Promise<void> {
  const array = await arrayOf(name, options);
  const store = openCatalogue(array);
  try {
    const { problems, ...report } = checkCatalogue(store);
    const { files, directories, extents, allocated, free, removed } = report;
    process.stdout.write(
      `${files} files and ${directories} directories in ${extents} extents: ${formatSize(allocated)} used, ${formatSize(free)} free.\n` +
        (removed > 0 ? `${removed} removed files and streams are cleared away when the volume is next opened.\n` : ""),
    );
    if (problems.length > 0) throw new StartupError(`The volume is damaged:\n${problems.join("\n")}`);
    process.stdout.write("No contradiction found.\n");
  } finally {
    await store.close();
  }
}

/** Prints the arrays of a configuration, and what is known of their volumes without asking them. */
export async function listArrays(options: ArrayVolumeOptions): Promise<void> {
  const arrays = await arraysOf(options);
  if (arrays.length === 0) process.stdout.write("The configuration names no arrays.\n");
  for (const array of arrays) {
    const luns = array.luns.map(formatLun).join(", ");
    const portals = array.portals.map(formatPortal).join(", ");
    process.stdout.write(
      `${array.name}: LUN ${luns} of ${array.target} at ${portals}\n  ${await describeVolume(array)}\n`,
    );
  }
}

async function describeVolume(array: ArrayConfig): Promise<string> {
  if (!existsSync(array.catalogue)) return `no volume yet: tessera array format ${array.name}`;
  const store = openCatalogue(array);
  try {
    const volume = new Catalogue(store).volume();
    if (volume === undefined) return `no volume yet: tessera array format ${array.name}`;
    const bytes = volume.luns.reduce((sum, { size, reserved }) => sum + size - reserved, 0);
    const kind = volume.wholeLuns ? "each LUN is one file" : `allocation unit ${formatSize(volume.allocationUnit)}`;
    return `volume "${volume.label}", ${formatSize(bytes)}, ${kind}, catalogue in ${array.catalogue}`;
  } finally {
    await store.close();
  }
}

function openCatalogue({ name, catalogue }: ArrayConfig): CatalogueStore {
  if (!existsSync(catalogue)) {
    throw new StartupError(`The array ${name} has no volume yet: ${catalogue} does not exist.`);
  }
  try {
    return new CatalogueStore(catalogue, { readOnly: true });
  } catch (error) {
    throw new StartupError(`The catalogue in ${catalogue} cannot be read: ${messageOf(error)}.`);
  }
}
