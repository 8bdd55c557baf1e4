// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { isValidFileName } from "../../nt/names.ts";
import type { LogicalUnit, LogicalUnitDescription } from "../../scsi/logical-unit.ts";
import { CATALOGUE_VERSION, Catalogue, type LunRecord, type NodeRecord, ROOT_ID } from "./catalogue.ts";
import { ArrayVolumeError } from "./errors.ts";
import { decodeLabel, encodeLabel, LABEL_AREA, LABEL_LENGTH } from "./label.ts";
import { Lun } from "./lun.ts";
import { CatalogueStore, type Change } from "./store.ts";

export const DEFAULT_ALLOCATION_UNIT = 64 * 1024;
const MINIMUM_ALLOCATION_UNIT = 4096;
const MAXIMUM_ALLOCATION_UNIT = 16 * 1024 * 1024;

export interface FormatOptions {
  /** A folder for the catalogue; must not hold one yet. */
  readonly catalogue: string;
  /** In the order that they have in the volume. */
  readonly luns: readonly LogicalUnit[];
  readonly label: string;
  /** Bytes, a power of two from 4 KiB to 16 MiB. */
  readonly allocationUnit?: number;
  /** Makes every LUN one file of this name, instead of a volume of files. What the LUNs hold stays. */
  readonly fileNames?: readonly string[];
  /** Overwrites LUNs that are not empty. */
  readonly force?: boolean;
  readonly now: FileTime;
  /** 16 random bytes. */
  readonly volumeId: Buffer;
}

/**
 * Makes an empty volume: writes a label to each LUN and a new catalogue. All LUNs are looked at before the first is written.
 * @throws ArrayVolumeError, `ScsiError`, `TransportError`
 */
export async function formatArrayVolume(options: FormatOptions): Promise<void> {
  const { luns, fileNames, now, volumeId } = options;
  const allocationUnit = options.allocationUnit ?? DEFAULT_ALLOCATION_UNIT;
  checkOptions(options, allocationUnit);
  const records: LunRecord[] = [];
  for (const unit of luns) records.push(await inspect(unit, allocationUnit, options));
  if (new Set(records.map(({ identity }) => identity)).size < records.length) {
    throw new ArrayVolumeError("Two of the LUNs are the same one.");
  }
  const store = new CatalogueStore(options.catalogue);
  try {
    const catalogue = new Catalogue(store);
    if (catalogue.volume() !== undefined) {
      throw new ArrayVolumeError(`${options.catalogue} holds the catalogue of a volume already.`);
    }
    if (fileNames === undefined) await writeLabels(luns, records, { luns: luns.length, allocationUnit, volumeId });
    const changes: Change[] = [
      catalogue.setVolume({
        version: CATALOGUE_VERSION,
        volumeId,
        label: options.label,
        creationTime: now,
        allocationUnit,
        luns: records,
        wholeLuns: fileNames !== undefined,
      }),
      catalogue.setNode(ROOT_ID, emptyNode(true, now)),
    ];
    for (const [lun, name] of (fileNames ?? []).entries()) {
      changes.push(...wholeLun(catalogue, lun, name, records[lun]?.size ?? 0, now));
    }
    await store.apply(changes);
    await store.flush();
  } finally {
    await store.close();
  }
}

function checkOptions({ luns, fileNames }: FormatOptions, unit: number): void {
  if (luns.length === 0) throw new ArrayVolumeError("A volume needs at least one LUN.");
  if (unit < MINIMUM_ALLOCATION_UNIT || unit > MAXIMUM_ALLOCATION_UNIT || (unit & (unit - 1)) !== 0) {
    throw new ArrayVolumeError(`The allocation unit must be a power of two from 4 KiB to 16 MiB, not ${unit}.`);
  }
  if (fileNames === undefined) return;
  if (fileNames.length !== luns.length) throw new ArrayVolumeError("There must be one file name for each LUN.");
  for (const name of fileNames) {
    if (!isValidFileName(name)) throw new ArrayVolumeError(`"${name}" is no file name.`);
  }
  if (new Set(fileNames.map((name) => name.toUpperCase())).size < fileNames.length) {
    throw new ArrayVolumeError("Two of the file names are the same.");
  }
}

async function inspect(unit: LogicalUnit, allocationUnit: number, options: FormatOptions): Promise<LunRecord> {
  const description = await unit.ready();
  const { identity, readOnly } = description;
  const whole = options.fileNames !== undefined;
  if (readOnly && !whole) throw new ArrayVolumeError(`${unit.address} is read-only.`);
  const { blockSize } = description.capacity;
  if (allocationUnit % blockSize !== 0) {
    throw new ArrayVolumeError(`${unit.address} has blocks of ${blockSize} bytes, more than an allocation unit.`);
  }
  const size = usableSize(description, whole ? blockSize : allocationUnit);
  if (whole) return { identity: identity.name, blockSize, reserved: 0, size };
  if (size < LABEL_AREA + allocationUnit) throw new ArrayVolumeError(`${unit.address} is too small.`);
  if (options.force !== true) {
    const start = Buffer.alloc(LABEL_AREA);
    await new Lun(unit, blockSize).read(0, start);
    if (decodeLabel(start) !== undefined) throw new ArrayVolumeError(`${unit.address} belongs to a volume already.`);
    if (start.some((byte) => byte !== 0)) {
      throw new ArrayVolumeError(`${unit.address} is not empty: its first MiB holds data.`);
    }
  }
  return { identity: identity.name, blockSize, reserved: Math.max(LABEL_AREA, allocationUnit), size };
}

/** Bytes of a LUN, in whole units. */
export function usableSize({ capacity }: LogicalUnitDescription, unit: number): number {
  const bytes = capacity.blocks * capacity.blockSize;
  return bytes - (bytes % unit);
}

async function writeLabels(
  units: readonly LogicalUnit[],
  records: readonly LunRecord[],
  label: { readonly luns: number; readonly allocationUnit: number; readonly volumeId: Buffer },
): Promise<void> {
  for (const [lun, unit] of units.entries()) {
    const device = new Lun(unit, records[lun]?.blockSize ?? LABEL_LENGTH);
    await device.write(0, [encodeLabel({ ...label, lun }), Buffer.alloc(LABEL_AREA - LABEL_LENGTH)]);
    await device.flush();
  }
}

export function emptyNode(directory: boolean, now: FileTime): NodeRecord {
  return {
    directory,
    attributes: 0,
    creationTime: now,
    lastAccessTime: now,
    lastWriteTime: now,
    changeTime: now,
    security: undefined,
    extendedAttributes: [],
    streams: [],
    links: [],
  };
}

function wholeLun(catalogue: Catalogue, lun: number, name: string, size: number, now: FileTime): Change[] {
  const changes: Change[] = [];
  const fileId = catalogue.newId(changes);
  const id = catalogue.newId(changes);
  const extent = { offset: 0, length: size, lun, start: 0, written: true };
  changes.push(
    catalogue.setNode(fileId, {
      ...emptyNode(false, now),
      streams: [{ id, name: "", endOfFile: size, allocated: size, sparse: false }],
      links: [{ parent: ROOT_ID, name }],
    }),
    catalogue.setEntry(ROOT_ID, name, fileId),
    ...catalogue.setExtents(id, { removed: [], stored: [extent], freed: [] }),
  );
  return changes;
}
