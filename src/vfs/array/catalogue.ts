// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { foldName } from "../../nt/names.ts";
import type { ExtendedAttribute } from "../volume.ts";
import type { Extent, ExtentChange } from "./extent-map.ts";
import type { CatalogueStore, Change, Key } from "./store.ts";

/** Form of the records below; a catalogue of another one is not opened. */
export const CATALOGUE_VERSION = 1;

export const ROOT_ID = 1n;

/** A LUN of a volume, as it was when it was formatted or last grown. */
export interface LunRecord {
  /** Name of the logical unit: the volume takes no other. */
  readonly identity: string;
  /** Bytes in a logical block. */
  readonly blockSize: number;
  /** Bytes at the start that hold no file data: the label. 0 where the LUN as a whole is one file. */
  readonly reserved: number;
  /** Bytes that the volume uses, the reserved ones among them. */
  readonly size: number;
}

export interface VolumeRecord {
  readonly version: number;
  /** 16 random bytes; stands in the label of every LUN, too. */
  readonly volumeId: Buffer;
  readonly label: string;
  readonly creationTime: FileTime;
  /** Bytes. */
  readonly allocationUnit: number;
  readonly luns: readonly LunRecord[];
  /** Every LUN is one file, neither more nor less. */
  readonly wholeLuns: boolean;
}

export interface StreamRecord {
  readonly id: bigint;
  /** `""` for the default data stream. */
  readonly name: string;
  readonly endOfFile: number;
  /** Bytes in all extents. */
  readonly allocated: number;
  readonly sparse: boolean;
}

/** One name of a file (MS-FSA 2.1.1.5). */
export interface LinkRecord {
  readonly parent: bigint;
  readonly name: string;
}

/** A file or directory. */
export interface NodeRecord {
  readonly directory: boolean;
  readonly attributes: number;
  readonly creationTime: FileTime;
  readonly lastAccessTime: FileTime;
  readonly lastWriteTime: FileTime;
  readonly changeTime: FileTime;
  readonly security: Buffer | undefined;
  readonly extendedAttributes: readonly ExtendedAttribute[];
  readonly streams: readonly StreamRecord[];
  /** None for the root, and for a file that is removed and still open. */
  readonly links: readonly LinkRecord[];
}

export interface EntryRecord {
  /** As it was given; the key holds it in upper case. */
  readonly name: string;
  readonly fileId: bigint;
}

type StoredExtent = readonly [length: number, lun: number, start: number, written: boolean];

/** First bytes of keys. */
const Kind = { VOLUME: "v", NEXT_ID: "i", NODE: "n", ENTRY: "d", EXTENT: "e", REMOVED: "r" } as const;

/** Numbers given out before the next of them is stored: those of a crashed process are skipped, never used twice. */
const ID_BATCH = 4096n;

/**
 * What the volume knows of its files, as records in the store. Reads answer at once; changes are handed over as a list, for
 * {@link CatalogueStore.apply}, so that the caller decides what belongs together.
 */
export class Catalogue {
  readonly #store: CatalogueStore;
  #nextId: bigint;
  #storedId: bigint;

  constructor(store: CatalogueStore) {
    this.#store = store;
    this.#storedId = (store.get(Kind.NEXT_ID) as bigint | undefined) ?? ROOT_ID + 1n;
    this.#nextId = this.#storedId;
  }

  volume(): VolumeRecord | undefined {
    return this.#store.get(Kind.VOLUME) as VolumeRecord | undefined;
  }

  setVolume(record: VolumeRecord): Change {
    return { key: Kind.VOLUME, value: record };
  }

  /** A number for a file or a stream that never had one before; `changes` gets what must be stored with it. */
  newId(changes: Change[]): bigint {
    const id = this.#nextId++;
    if (this.#nextId > this.#storedId) {
      this.#storedId = this.#nextId + ID_BATCH;
      changes.push({ key: Kind.NEXT_ID, value: this.#storedId });
    }
    return id;
  }

  node(fileId: bigint): NodeRecord | undefined {
    return this.#store.get(nodeKey(fileId)) as NodeRecord | undefined;
  }

  setNode(fileId: bigint, record: NodeRecord | undefined): Change {
    return { key: nodeKey(fileId), value: record };
  }

  *nodes(): Generator<[bigint, NodeRecord]> {
    for (const [key, value] of this.#scan(Kind.NODE)) yield [idAt(key, 1), value as NodeRecord];
  }

  entry(parent: bigint, name: string): EntryRecord | undefined {
    return this.#store.get(entryKey(parent, name)) as EntryRecord | undefined;
  }

  setEntry(parent: bigint, name: string, fileId: bigint | undefined): Change {
    return { key: entryKey(parent, name), value: fileId === undefined ? undefined : { name, fileId } };
  }

  /** Entries of a directory in the order of their names in upper case, behind `after`. */
  entries(parent: bigint, after: string | undefined, limit: number): EntryRecord[] {
    const start = after === undefined ? Kind.ENTRY + idKey(parent) : `${entryKey(parent, after)}\0`;
    const found = this.#store.range(start, Kind.ENTRY + idKey(parent + 1n), limit);
    return found.map(([, value]) => value as EntryRecord);
  }

  *allEntries(): Generator<[bigint, EntryRecord]> {
    for (const [key, value] of this.#scan(Kind.ENTRY)) yield [idAt(key, 1), value as EntryRecord];
  }

  extents(streamId: bigint): Extent[] {
    const found = this.#store.range(Kind.EXTENT + idKey(streamId), Kind.EXTENT + idKey(streamId + 1n));
    return found.map(([key, value]) => extentOf(key, value));
  }

  *allExtents(): Generator<[bigint, Extent]> {
    for (const [key, value] of this.#scan(Kind.EXTENT)) yield [idAt(key, 1), extentOf(key, value)];
  }

  setExtents(streamId: bigint, { removed, stored }: ExtentChange): Change[] {
    const changes: Change[] = removed.map((offset) => ({ key: extentKey(streamId, offset), value: undefined }));
    for (const { offset, length, lun, start, written } of stored) {
      const value: StoredExtent = [length, lun, start, written];
      changes.push({ key: extentKey(streamId, offset), value });
    }
    return changes;
  }

  /** Marks a file or stream that has no name any more and is still open: it goes when it is closed, or at the next start. */
  setRemoved(kind: "file" | "stream", id: bigint, removed: boolean): Change {
    return { key: Kind.REMOVED + (kind === "file" ? "f" : "s") + idKey(id), value: removed ? true : undefined };
  }

  removed(kind: "file" | "stream"): bigint[] {
    const prefix = Kind.REMOVED + (kind === "file" ? "f" : "s");
    return this.#store.range(prefix, `${prefix}\xff\xff\xff\xff\xff\xff\xff\xff\xff`).map(([key]) => idAt(key, 2));
  }

  /** Everything of one kind, in pieces, so that a large catalogue need not be in memory at once. */
  *#scan(kind: string): Generator<[Key, unknown]> {
    const end = String.fromCharCode(kind.charCodeAt(0) + 1);
    for (let start = kind; ; ) {
      const some = this.#store.range(start, end, 1000);
      yield* some;
      const last = some.at(-1);
      if (last === undefined || some.length < 1000) return;
      start = `${last[0]}\0`;
    }
  }
}

/** A number as eight bytes, most significant first. */
function idKey(id: bigint): string {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(id);
  return bytes.toString("latin1");
}

function idAt(key: Key, offset: number): bigint {
  return Buffer.from(key.slice(offset, offset + 8), "latin1").readBigUInt64BE();
}

function nodeKey(fileId: bigint): Key {
  return Kind.NODE + idKey(fileId);
}

/** Names in upper case as UTF-16, most significant byte first: keys sort as NTFS lists. */
function entryKey(parent: bigint, name: string): Key {
  return Kind.ENTRY + idKey(parent) + Buffer.from(foldName(name), "utf16le").swap16().toString("latin1");
}

function extentKey(streamId: bigint, offset: number): Key {
  return Kind.EXTENT + idKey(streamId) + idKey(BigInt(offset));
}

function extentOf(key: Key, value: unknown): Extent {
  const [length, lun, start, written] = value as StoredExtent;
  return { offset: Number(idAt(key, 9)), length, lun, start, written };
}
