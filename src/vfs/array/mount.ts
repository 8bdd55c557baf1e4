// SPDX-License-Identifier: Apache-2.0

import { type FileTime, fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { SmbError } from "../../nt/status.ts";
import { TransportError } from "../../scsi/errors.ts";
import type { LogicalUnit, LogicalUnitDescription } from "../../scsi/logical-unit.ts";
import { fullAccessForUsers } from "../default-security.ts";
import { Allocator, type Piece } from "./allocator.ts";
import { CATALOGUE_VERSION, Catalogue, type LunRecord, type VolumeRecord } from "./catalogue.ts";
import { ArrayContext, type VolumeLog } from "./context.ts";
import { ArrayVolumeError } from "./errors.ts";
import { ExtentMap } from "./extent-map.ts";
import { usableSize } from "./format.ts";
import { decodeLabel, LABEL_LENGTH } from "./label.ts";
import { Lun } from "./lun.ts";
import { CatalogueStore, type Change } from "./store.ts";

/** Bytes; 256 TiB, as on NTFS with allocation units of 64 KiB. */
const MAXIMUM_FILE_SIZE = 256 * 1024 ** 4 - 65_536;

export interface MountOptions {
  /** The folder of the catalogue. */
  readonly catalogue: string;
  /** The catalogue's store, where it is open already; closed with the volume. */
  readonly store?: CatalogueStore;
  /** In the order that they have in the volume. Not closed with it. */
  readonly luns: readonly LogicalUnit[];
  readonly readOnly?: boolean;
  readonly log: VolumeLog;
  /** The time now; the system's clock if not given. */
  readonly clock?: () => FileTime;
  /** Milliseconds of a clock that only goes forward; the system's if not given. */
  readonly monotonicClock?: () => number;
  /** Tokens are honoured that other users of the array had made; yes if not given. */
  readonly acceptsForeignTokens?: boolean;
  /** Self-relative descriptor of files that have none stored; every user has full access if not given. */
  readonly defaultSecurity?: Buffer;
  /** Milliseconds that opening waits for LUNs; those that come later are taken up when they come. Default 10 seconds. */
  readonly patience?: number;
}

export interface MountedVolume {
  readonly context: ArrayContext;
  readonly record: VolumeRecord;
  /** Bytes. */
  readonly physicalBlockSize: number;
  /** Bytes that files can have in all. */
  capacity(): number;
  close(): Promise<void>;
}

/** Puts a volume together from its catalogue and its LUNs. @throws ArrayVolumeError */
export async function mount(options: MountOptions): Promise<MountedVolume> {
  const store = options.store ?? new CatalogueStore(options.catalogue);
  try {
    return await assemble(store, options);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function assemble(store: CatalogueStore, options: MountOptions): Promise<MountedVolume> {
  const { log } = options;
  const catalogue = new Catalogue(store);
  let record = readVolume(catalogue, options);
  const descriptions = await Promise.all(
    options.luns.map((unit) => unit.ready({ timeout: options.patience ?? 10_000 }).catch((error: unknown) => error)),
  );
  const luns = options.luns.map((unit, index) => lunOf(unit, index, () => record));
  let readOnly = options.readOnly ?? false;
  let physicalBlockSize = 4096;
  for (const [index, description] of descriptions.entries()) {
    const { address } = options.luns[index] ?? {};
    if (description instanceof Error) {
      log.error({ lun: address, err: description }, "a LUN of the volume is missing; it is waited for");
      continue;
    }
    const { capacity, readOnly: isReadOnly } = description as LogicalUnitDescription;
    readOnly ||= isReadOnly;
    physicalBlockSize = Math.max(physicalBlockSize, capacity.physicalBlockSize);
    try {
      await luns[index]?.ready();
    } catch (error) {
      // Lost again before it could be looked at: it is, before anything else is done with it.
      if (error instanceof SmbError && error.cause instanceof TransportError) {
        log.error({ lun: address, err: error }, "a LUN of the volume is missing; it is waited for");
        continue;
      }
      throw new ArrayVolumeError(error instanceof Error ? error.message : String(error));
    }
  }
  const allocator = buildAllocator(record, catalogue);
  const context = new ArrayContext(store, {
    catalogue,
    allocator,
    luns,
    unit: record.allocationUnit,
    maximumFileSize: MAXIMUM_FILE_SIZE,
    readOnly,
    wholeLuns: record.wholeLuns,
    defaultSecurity: options.defaultSecurity ?? fullAccessForUsers(),
    clock: options.clock ?? (() => fileTimeFromMilliseconds(Date.now())),
    log,
    acceptsForeignTokens: options.acceptsForeignTokens ?? true,
    monotonicClock: options.monotonicClock ?? (() => performance.now()),
  });

  /** Takes up what a LUN has gained, and tells of what it has lost. */
  const resize = async (index: number, description: LogicalUnitDescription): Promise<void> => {
    const old = record.luns[index];
    if (old === undefined) return;
    const size = usableSize(description, record.wholeLuns ? old.blockSize : record.allocationUnit);
    if (size < old.size) {
      log.error({ lun: old.identity, size, expected: old.size }, "a LUN of the volume has become smaller");
    }
    if (size <= old.size || readOnly || record.wholeLuns) return;
    const grown: LunRecord = { ...old, size };
    record = { ...record, luns: record.luns.map((one, at) => (at === index ? grown : one)) };
    await context.commit([catalogue.setVolume(record)]);
    allocator.release({ lun: index, start: old.size, length: size - old.size });
    log.info({ lun: old.identity, from: old.size, to: size }, "a LUN of the volume has grown");
  };
  const listeners = options.luns.map((unit, index) =>
    unit.listen((event) => {
      if (event.kind === "missing")
        log.error({ lun: unit.address, err: event.reason }, "a LUN of the volume is missing");
      if (event.kind === "online") log.info({ lun: unit.address }, "a LUN of the volume is there");
      if (event.kind === "online" || event.kind === "changed") resize(index, event.description).catch(() => {});
    }),
  );
  for (const [index, description] of descriptions.entries()) {
    if (!(description instanceof Error)) await resize(index, description as LogicalUnitDescription);
  }
  if (!readOnly) await collectRemoved(context);
  return {
    context,
    get record() {
      return record;
    },
    physicalBlockSize,
    capacity: () => record.luns.reduce((sum, { size, reserved }) => sum + size - reserved, 0),
    close: async () => {
      for (const stop of listeners) stop();
      for (const node of context.nodes.values()) await node.storeTimes();
      await context.close();
      try {
        await context.flush();
      } finally {
        await store.close();
      }
    },
  };
}

function readVolume(catalogue: Catalogue, { catalogue: folder, luns }: MountOptions): VolumeRecord {
  const record = catalogue.volume();
  if (record === undefined) {
    throw new ArrayVolumeError(`${folder} holds no array volume. \`tessera array format\` makes one.`);
  }
  if (record.version !== CATALOGUE_VERSION) {
    throw new ArrayVolumeError(`${folder} was made by another version of Tessera (form ${record.version}).`);
  }
  if (record.luns.length !== luns.length) {
    throw new ArrayVolumeError(`The volume has ${record.luns.length} LUNs, but ${luns.length} are configured.`);
  }
  return record;
}

/** A LUN that is read and written only where it is the one of the record. */
function lunOf(unit: LogicalUnit, index: number, volume: () => VolumeRecord): Lun {
  const blockSize = volume().luns[index]?.blockSize ?? 512;
  const lun: Lun = new Lun(unit, blockSize, async ({ identity, capacity }) => {
    const { luns, volumeId, wholeLuns } = volume();
    const expected = luns[index];
    if (identity.name !== expected?.identity || capacity.blockSize !== blockSize) {
      throw new ArrayVolumeError(`${unit.address} is ${identity.name}, not LUN ${index} of the volume.`);
    }
    if (capacity.blocks * blockSize < expected.size) {
      throw new ArrayVolumeError(`${unit.address} is smaller than it was: ${capacity.blocks} blocks.`);
    }
    if (wholeLuns) return;
    const label = decodeLabel(await lun.readStart(LABEL_LENGTH));
    if (label === undefined || label.lun !== index || !label.volumeId.equals(volumeId)) {
      throw new ArrayVolumeError(`${unit.address} does not bear the label of LUN ${index} of the volume.`);
    }
  });
  return lun;
}

function buildAllocator(record: VolumeRecord, catalogue: Catalogue): Allocator {
  const allocator = new Allocator(record.allocationUnit);
  if (record.wholeLuns) return allocator;
  for (const [lun, { reserved, size }] of record.luns.entries()) {
    const whole = size - reserved - ((size - reserved) % record.allocationUnit);
    allocator.release({ lun, start: reserved, length: whole });
  }
  for (const [streamId, extent] of catalogue.allExtents()) {
    try {
      allocator.claim(extent);
    } catch (error) {
      throw new ArrayVolumeError(
        `The catalogue is damaged: stream ${streamId}: ${error instanceof Error ? error.message : error}. Run \`tessera array check\`.`,
      );
    }
  }
  return allocator;
}

/** Files and streams that were removed while they were open, when the process ended. */
async function collectRemoved(context: ArrayContext): Promise<void> {
  const { catalogue } = context;
  const take = (streamId: bigint, changes: Change[]): readonly Piece[] => {
    const taken = new ExtentMap(catalogue.extents(streamId)).replace(
      { offset: 0, length: Number.MAX_SAFE_INTEGER },
      [],
    );
    changes.push(...catalogue.setExtents(streamId, taken));
    return taken.freed;
  };
  for (const streamId of catalogue.removed("stream")) {
    const changes: Change[] = [catalogue.setRemoved("stream", streamId, false)];
    const freed = take(streamId, changes);
    await context.commit(changes, freed);
  }
  for (const fileId of catalogue.removed("file")) {
    const changes: Change[] = [catalogue.setRemoved("file", fileId, false), catalogue.setNode(fileId, undefined)];
    const freed = (catalogue.node(fileId)?.streams ?? []).flatMap(({ id }) => take(id, changes));
    await context.commit(changes, freed);
  }
}
