// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../../nt/attributes.ts";
import type { FileTime } from "../../../nt/filetime.ts";
import { MalformedPacketError, Reader } from "../cursor.ts";
import { FileInformationClass } from "./classes.ts";

/** What a directory entry tells about its file. */
export interface DirectoryEntryStat {
  readonly fileId: bigint;
  /** `FileAttribute` bits; 0 is sent as NORMAL. */
  readonly attributes: number;
  readonly creationTime: FileTime;
  readonly lastAccessTime: FileTime;
  readonly lastWriteTime: FileTime;
  readonly changeTime: FileTime;
  /** Bytes. */
  readonly endOfFile: number;
  readonly allocationSize: number;
  /** Bytes of all extended attributes, 0 for none. */
  readonly eaSize: number;
  /** 0 where the file is no reparse point. */
  readonly reparseTag: number;
}

export interface DirectoryEntryInformation {
  readonly name: string;
  /** An 8.3 name of at most 12 characters, `""` where there is none. */
  readonly shortName: string;
  readonly stat: DirectoryEntryStat;
}

export interface DecodedDirectoryEntry extends DirectoryEntryInformation {
  readonly index: number;
}

/** Where a class keeps its fields, in bytes from the start of an entry; -1 for a field that it does not have. */
interface DirectoryLayout {
  /** Also the length of the fixed part. */
  readonly name: number;
  readonly nameLength: number;
  readonly eaSize: number;
  /** EaSize holds the reparse tag of a reparse point: classes without a ReparsePointTag of their own. */
  readonly tagInEaSize: boolean;
  readonly reparseTag: number;
  readonly shortName: number;
  readonly fileId: number;
  readonly fileId128: number;
}

const NONE = -1;
const base: DirectoryLayout = {
  name: 64,
  nameLength: 60,
  eaSize: NONE,
  tagInEaSize: false,
  reparseTag: NONE,
  shortName: NONE,
  fileId: NONE,
  fileId128: NONE,
};
const withEa: DirectoryLayout = { ...base, eaSize: 64, tagInEaSize: true };
const withTag: DirectoryLayout = { ...base, eaSize: 64, reparseTag: 68 };

const F = FileInformationClass;

/** MS-FSCC 2.4.8, 2.4.10, 2.4.15, 2.4.18 to 2.4.24, 2.4.33. `shortName` is the offset of ShortNameLength. */
const layouts: ReadonlyMap<number, DirectoryLayout> = new Map([
  [F.FileDirectoryInformation, base],
  [F.FileFullDirectoryInformation, { ...withEa, name: 68 }],
  [F.FileIdFullDirectoryInformation, { ...withEa, fileId: 72, name: 80 }],
  [F.FileBothDirectoryInformation, { ...withEa, shortName: 68, name: 94 }],
  [F.FileIdBothDirectoryInformation, { ...withEa, shortName: 68, fileId: 96, name: 104 }],
  [F.FileNamesInformation, { ...base, nameLength: 8, name: 12 }],
  [F.FileIdExtdDirectoryInformation, { ...withTag, fileId128: 72, name: 88 }],
  [F.FileId64ExtdDirectoryInformation, { ...withTag, fileId: 72, name: 80 }],
  [F.FileId64ExtdBothDirectoryInformation, { ...withTag, fileId: 72, shortName: 80, name: 106 }],
  [F.FileIdAllExtdDirectoryInformation, { ...withTag, fileId: 72, fileId128: 80, name: 96 }],
  [F.FileIdAllExtdBothDirectoryInformation, { ...withTag, fileId: 72, fileId128: 80, shortName: 96, name: 122 }],
]);

/** Bytes before FileName in one entry, or `undefined` where the class does not enumerate directories. */
export function directoryEntryFixedLength(informationClass: number): number | undefined {
  return layouts.get(informationClass)?.name;
}

function layoutOf(informationClass: number): DirectoryLayout {
  const layout = layouts.get(informationClass);
  if (layout === undefined) throw new RangeError(`class ${informationClass} does not enumerate directories`);
  return layout;
}

/** Characters of an 8.3 name with its dot; ShortName has room for exactly these. */
const SHORT_NAME_CHARACTERS = 12;

/** Names up to this length are written character by character: the call into the runtime costs more than the loop. */
const INLINE_NAME_CHARACTERS = 64;

/**
 * Fills the output buffer of one QUERY_DIRECTORY with entries, chained by NextEntryOffset and aligned to 8 bytes. Writes
 * straight into the buffer through a `DataView`, whose 64-bit stores need no intermediate objects: enumerations of
 * 100,000 entries come through here.
 */
export class DirectoryEntryWriter {
  readonly #layout: DirectoryLayout;
  readonly #target: Buffer;
  readonly #view: DataView;
  #last = NONE;
  #length = 0;
  #count = 0;

  /**
   * @param target all of it is available; need not be initialised
   * @throws RangeError where the class does not enumerate directories
   */
  constructor(informationClass: number, target: Buffer) {
    this.#layout = layoutOf(informationClass);
    this.#target = target;
    this.#view = new DataView(target.buffer, target.byteOffset, target.length);
  }

  /** Bytes of the buffer in use; nothing follows the last name. */
  get length(): number {
    return this.#length;
  }

  /** Entries written. */
  get count(): number {
    return this.#count;
  }

  /** Appends one entry, or returns false and changes nothing where it does not fit. `index` becomes FileIndex. */
  append(entry: DirectoryEntryInformation, index: number): boolean {
    const start = (this.#length + 7) & ~7;
    const nameSize = entry.name.length * 2;
    if (start + this.#layout.name + nameSize > this.#target.length) return false;
    this.#write(start, entry, index, entry.name.length);
    return true;
  }

  /**
   * Writes the first entry with as many characters of its name as there is room for; FileNameLength still tells the whole
   * length. The answer is then BUFFER_OVERFLOW (MS-FSA 2.1.5.6.3). False where not even the fixed part fits, or where
   * an entry was written before.
   */
  appendTruncated(entry: DirectoryEntryInformation, index: number): boolean {
    const room = this.#target.length - this.#layout.name;
    if (this.#count > 0 || room < 0) return false;
    this.#write(0, entry, index, Math.min(entry.name.length, room >> 1));
    return true;
  }

  #write(start: number, entry: DirectoryEntryInformation, index: number, characters: number): void {
    const view = this.#view;
    const layout = this.#layout;
    if (this.#last !== NONE) {
      view.setUint32(this.#last, start - this.#last, true);
      for (let at = this.#length; at < start; at++) view.setUint8(at, 0);
    }
    view.setUint32(start, 0, true);
    view.setUint32(start + 4, index, true);
    view.setUint32(start + layout.nameLength, entry.name.length * 2, true);
    if (layout.nameLength === 60) this.#writeStat(start, entry);
    const nameStart = start + layout.name;
    this.#writeName(nameStart, entry.name, characters);
    this.#last = start;
    this.#length = nameStart + characters * 2;
    this.#count++;
  }

  #writeStat(start: number, entry: DirectoryEntryInformation): void {
    const view = this.#view;
    const layout = this.#layout;
    const stat = entry.stat;
    view.setBigUint64(start + 8, stat.creationTime, true);
    view.setBigUint64(start + 16, stat.lastAccessTime, true);
    view.setBigUint64(start + 24, stat.lastWriteTime, true);
    view.setBigUint64(start + 32, stat.changeTime, true);
    this.#writeSize(start + 40, stat.endOfFile);
    this.#writeSize(start + 48, stat.allocationSize);
    view.setUint32(start + 56, stat.attributes === 0 ? FileAttribute.NORMAL : stat.attributes, true);
    if (layout.eaSize !== NONE) {
      const tagged = layout.tagInEaSize && (stat.attributes & FileAttribute.REPARSE_POINT) !== 0;
      view.setUint32(start + layout.eaSize, tagged ? stat.reparseTag : stat.eaSize, true);
      // ReparsePointTag where there is one, else Reserved, else overwritten by what lies there.
      if (layout.name > 68) view.setUint32(start + 68, layout.reparseTag === NONE ? 0 : stat.reparseTag, true);
    }
    if (layout.shortName !== NONE) this.#writeShortName(start + layout.shortName, entry.shortName);
    if (layout.fileId !== NONE) view.setBigUint64(start + layout.fileId, stat.fileId, true);
    if (layout.fileId128 !== NONE) {
      view.setBigUint64(start + layout.fileId128, stat.fileId, true);
      this.#writeSize(start + layout.fileId128 + 8, 0);
    }
    // Reserved2 of FileIdBothDirectoryInformation, between ShortName and FileId.
    if (layout.fileId === 96) view.setUint16(start + 94, 0, true);
  }

  #writeSize(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
    this.#view.setUint32(at + 4, value / 0x1_0000_0000, true);
  }

  /** ShortNameLength, Reserved and the 24 bytes of ShortName. */
  #writeShortName(at: number, shortName: string): void {
    const view = this.#view;
    const characters = shortName.length;
    if (characters > SHORT_NAME_CHARACTERS) throw new RangeError(`short name of ${characters} characters`);
    view.setUint16(at, characters * 2, true);
    for (let i = 0; i < characters; i++) view.setUint16(at + 2 + i * 2, shortName.charCodeAt(i), true);
    for (let i = characters; i < SHORT_NAME_CHARACTERS; i++) view.setUint16(at + 2 + i * 2, 0, true);
  }

  #writeName(at: number, name: string, characters: number): void {
    if (characters > INLINE_NAME_CHARACTERS) {
      this.#target.write(name, at, characters * 2, "utf16le");
      return;
    }
    const view = this.#view;
    for (let i = 0; i < characters; i++) view.setUint16(at + i * 2, name.charCodeAt(i), true);
  }
}

/**
 * All entries of an output buffer. Fields that the class does not carry are 0 or empty; a NORMAL attribute stays as sent.
 * @throws MalformedPacketError
 */
export function decodeDirectoryEntries(informationClass: number, buffer: Buffer): DecodedDirectoryEntry[] {
  const layout = layoutOf(informationClass);
  const entries: DecodedDirectoryEntry[] = [];
  if (buffer.length === 0) return entries;
  for (let start = 0; ; ) {
    const entry = new Reader(buffer.subarray(start));
    const next = entry.u32();
    if (next !== 0 && (next % 8 !== 0 || next < layout.name || next >= entry.length)) {
      throw new MalformedPacketError(`NextEntryOffset ${next} of ${entry.length} bytes`);
    }
    entries.push(decodeEntry(layout, next === 0 ? entry : new Reader(buffer.subarray(start, start + next))));
    if (next === 0) return entries;
    start += next;
  }
}

function decodeEntry(layout: DirectoryLayout, entry: Reader): DecodedDirectoryEntry {
  const u32At = (offset: number): number => {
    entry.seek(offset);
    return entry.u32();
  };
  const index = u32At(4);
  const nameSize = u32At(layout.nameLength);
  entry.seek(layout.name);
  const name = entry.utf16(nameSize);
  if (layout.nameLength !== 60) return { index, name, shortName: "", stat: emptyStat };
  entry.seek(8);
  const creationTime = entry.u64();
  const lastAccessTime = entry.u64();
  const lastWriteTime = entry.u64();
  const changeTime = entry.u64();
  const endOfFile = entry.u64n();
  const allocationSize = entry.u64n();
  const attributes = entry.u32();
  const ea = layout.eaSize === NONE ? 0 : u32At(layout.eaSize);
  const tagged = layout.tagInEaSize && (attributes & FileAttribute.REPARSE_POINT) !== 0;
  const reparseTag = layout.reparseTag === NONE ? (tagged ? ea : 0) : u32At(layout.reparseTag);
  let shortName = "";
  if (layout.shortName !== NONE) {
    entry.seek(layout.shortName);
    const size = entry.u8();
    if (size > SHORT_NAME_CHARACTERS * 2) throw new MalformedPacketError(`ShortNameLength ${size}`);
    entry.skip(1);
    shortName = entry.utf16(size);
  }
  let fileId = 0n;
  const idOffset = layout.fileId === NONE ? layout.fileId128 : layout.fileId;
  if (idOffset !== NONE) {
    entry.seek(idOffset);
    fileId = entry.u64();
  }
  return {
    index,
    name,
    shortName,
    stat: {
      fileId,
      attributes,
      creationTime,
      lastAccessTime,
      lastWriteTime,
      changeTime,
      endOfFile,
      allocationSize,
      eaSize: tagged ? 0 : ea,
      reparseTag,
    },
  };
}

const emptyStat: DirectoryEntryStat = {
  fileId: 0n,
  attributes: 0,
  creationTime: 0n,
  lastAccessTime: 0n,
  lastWriteTime: 0n,
  changeTime: 0n,
  endOfFile: 0,
  allocationSize: 0,
  eaSize: 0,
  reparseTag: 0,
};
