// SPDX-License-Identifier: Apache-2.0

import { FileAttribute, SETTABLE_ATTRIBUTES } from "../../nt/attributes.ts";
import { type FileTime, fileTimeFromUnix } from "../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { FileStat } from "../volume.ts";
import { BoundedMap } from "./bounded-map.ts";
import { check, Errno } from "./errno.ts";
import { type FileKey, fileIdOf } from "./file-id.ts";
import { FileType, type Statx } from "./native/stat.ts";
import { getXattr, keepName, listXattr, setXattr, xattrValue } from "./native/xattr.ts";
import { DOSATTRIB_NAME, parseDosAttributes, serialiseDosAttributes } from "./samba-dosattrib.ts";
import { eaNameOf } from "./samba-names.ts";
import { NTACL_NAME, NTACL_USER_NAME } from "./samba-ntacl.ts";

keepName(DOSATTRIB_NAME);
/** Milliseconds within which two changes of a file may carry the same change time. */
const TICK = 20;
/** Milliseconds for which metadata are believed after changes of our own: one from outside may have slipped in between. */
const OWN_CHANGE_TRUST = 1000;

/** What extended attributes say about a file. */
export interface Metadata {
  /** `undefined`: nothing stored. */
  readonly attributes: number | undefined;
  readonly creationTime: FileTime | undefined;
  /** Bytes of a FILE_FULL_EA_INFORMATION list. */
  readonly eaSize: number;
  /** Attributes in which a security descriptor is stored, the one that counts first. */
  readonly security: readonly string[];
  /** The one in there, once the security store has read it: believed for as long as the rest is. */
  descriptor: Buffer | undefined;
}

interface Cached {
  readonly metadata: Metadata;
  changeSeconds: number;
  changeNanoseconds: number;
  /** Milliseconds since 1970. */
  until: number;
}

/** A change time that a client has set, and the one that the file system gave the file at that moment. */
interface SetChangeTime {
  readonly value: FileTime;
  readonly changeSeconds: number;
  readonly changeNanoseconds: number;
}

const NO_SECURITY: readonly string[] = [];
/** Of every file that has nothing stored; frozen, so that a descriptor of one can never become that of all. */
const NOTHING: Metadata = Object.freeze({
  attributes: undefined,
  creationTime: undefined,
  eaSize: 0,
  security: NO_SECURITY,
  descriptor: undefined,
});

/**
 * Reads and writes what is kept in extended attributes besides streams and descriptors. A file's metadata are believed
 * for as long as its change time stays the same, unless that was so recent when they were read that a later change could
 * carry the same time, which some file systems rule out.
 */
export class MetadataStore {
  readonly #cache: BoundedMap<FileKey, Cached>;
  readonly #changeTimes: BoundedMap<FileKey, SetChangeTime>;
  readonly #enabled: boolean;
  readonly #now: () => number;
  readonly #hasFineTimes: (stat: Statx) => boolean;

  /**
   * @param enabled false for a file system without extended attributes
   * @param now milliseconds since 1970
   * @param hasFineTimes whether the next change of a file, which has just been looked at, is sure to show
   */
  constructor(enabled: boolean, maximum: number, now: () => number, hasFineTimes: (stat: Statx) => boolean) {
    this.#hasFineTimes = hasFineTimes;
    this.#enabled = enabled;
    this.#cache = new BoundedMap(maximum);
    this.#changeTimes = new BoundedMap(maximum);
    this.#now = now;
  }

  /** Metadata of an open file. */
  get(fd: number, key: FileKey, stat: Statx): Metadata {
    const metadata = this.tryGet(fd, "", key, stat);
    if (metadata === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    return metadata;
  }

  /**
   * @param child a name in the directory `fd`, or "" for the file `fd` itself
   * @returns `undefined` when the name is gone
   */
  tryGet(fd: number, child: string, key: FileKey, stat: Statx): Metadata | undefined {
    if (!this.#enabled) return NOTHING;
    const cached = this.#cache.get(key);
    if (
      cached !== undefined &&
      cached.changeNanoseconds === stat.changeNanoseconds &&
      cached.changeSeconds === stat.changeSeconds &&
      (cached.until === Number.POSITIVE_INFINITY || this.#now() < cached.until)
    ) {
      return cached.metadata;
    }
    const metadata = load(fd, child);
    if (metadata === undefined) return undefined;
    this.#keep(key, metadata, stat, Number.POSITIVE_INFINITY);
    return metadata;
  }

  /** Whether {@link follow} may be worth its two looks at the file. */
  knows(key: FileKey): boolean {
    return this.#cache.get(key) !== undefined;
  }

  /** What the volume itself has just stored, of which nothing is to be read again. @param stat the file as it is since then */
  learn(key: FileKey, metadata: Metadata, stat: Statx): void {
    this.#keep(key, metadata, stat, this.#now() + OWN_CHANGE_TRUST);
  }

  /** The volume has changed something else about a file: what is known of it `before` is known of it `after` that too. */
  follow(key: FileKey, before: Statx, after: Statx): void {
    const cached = this.#cache.get(key);
    if (cached?.changeNanoseconds !== before.changeNanoseconds || cached.changeSeconds !== before.changeSeconds) return;
    if (!this.#isSettled(after)) {
      this.#cache.delete(key);
      return;
    }
    // In place: it happens to a directory with each new name in it.
    cached.changeSeconds = after.changeSeconds;
    cached.changeNanoseconds = after.changeNanoseconds;
    cached.until = Math.min(cached.until, this.#now() + OWN_CHANGE_TRUST);
  }

  #keep(key: FileKey, metadata: Metadata, stat: Statx, until: number): void {
    const { changeSeconds, changeNanoseconds } = stat;
    if (this.#isSettled(stat)) this.#cache.set(key, { metadata, changeSeconds, changeNanoseconds, until });
  }

  /** True when any later change shows another change time: the last one is long enough ago, or times are fine enough. */
  #isSettled(stat: Statx): boolean {
    return this.#hasFineTimes(stat) || this.#now() - (stat.changeSeconds * 1000 + stat.changeNanoseconds / 1e6) > TICK;
  }

  /** Stores attributes and creation time; without extended attributes they are lost, as was agreed to. */
  set(fd: number, key: FileKey, attributes: number, creationTime: FileTime | undefined): void {
    if (!this.#enabled) return;
    this.#cache.delete(key);
    check(setXattr(fd, DOSATTRIB_NAME, serialiseDosAttributes(attributes, creationTime)), "setxattr user.DOSATTRIB");
  }

  /**
   * Remembers the change time that a client has set: no file system lets anybody set its own. It is forgotten with the
   * next change of the file, and when the volume is closed.
   * @param stat the file as it is now
   */
  setChangeTime(key: FileKey, stat: Statx, value: FileTime): void {
    const { changeSeconds, changeNanoseconds } = stat;
    this.#changeTimes.set(key, { value, changeSeconds, changeNanoseconds });
  }

  /** The file changes: for changes that may follow within the same tick of the file system's clock. */
  forgetChangeTime(key: FileKey): void {
    if (this.#changeTimes.size > 0) this.#changeTimes.delete(key);
  }

  /** The change time that a client has set, where nothing has changed the file since. */
  changeTime(key: FileKey, stat: Statx): FileTime | undefined {
    if (this.#changeTimes.size === 0) return undefined;
    const known = this.#changeTimes.get(key);
    if (known === undefined) return undefined;
    if (known.changeNanoseconds === stat.changeNanoseconds && known.changeSeconds === stat.changeSeconds) {
      return known.value;
    }
    this.#changeTimes.delete(key);
    return undefined;
  }

  forget(key: FileKey): void {
    this.#cache.delete(key);
  }
}

const ONLY_DOSATTRIB = Buffer.from(`${DOSATTRIB_NAME}\0`, "latin1");

function load(fd: number, child: string): Metadata | undefined {
  const length = listXattr(fd, child);
  if (length === 0 || length === -Errno.EOPNOTSUPP) return NOTHING;
  if (length === -Errno.ENOENT) return undefined;
  check(length, "listxattr");
  let security = NO_SECURITY;
  let hasDosAttributes = true;
  const eas: { xattr: string; name: string }[] = [];
  if (length !== ONLY_DOSATTRIB.length || xattrValue.compare(ONLY_DOSATTRIB, 0, length, 0, length) !== 0) {
    hasDosAttributes = false;
    for (const xattr of xattrValue.toString("utf8", 0, length - 1).split("\0")) {
      if (xattr === DOSATTRIB_NAME) hasDosAttributes = true;
      // What this process wrote for want of privilege is newer than what root wrote before.
      if (xattr === NTACL_NAME) security = [...security, xattr];
      if (xattr === NTACL_USER_NAME) security = [xattr, ...security];
      const name = eaNameOf(xattr);
      if (name !== undefined) eas.push({ xattr, name });
    }
  }
  if (!hasDosAttributes && eas.length === 0) return security.length > 0 ? { ...NOTHING, security } : NOTHING;
  const found = hasDosAttributes ? getXattr(fd, child, DOSATTRIB_NAME) : -Errno.ENODATA;
  const dos = found >= 0 ? parseDosAttributes(xattrValue.subarray(0, found)) : undefined;
  if (found === -Errno.ENOENT) return undefined;
  if (found < 0 && found !== -Errno.ENODATA) check(found, "getxattr user.DOSATTRIB");
  let eaSize = 0;
  for (const { xattr, name } of eas) {
    const size = getXattr(fd, child, xattr);
    // NextEntryOffset, Flags, EaNameLength, EaValueLength, the name with its NUL, the value (MS-FSCC 2.4.16).
    if (size >= 0) eaSize = ((eaSize + 3) & ~3) + 8 + name.length + 1 + size;
  }
  return { attributes: dos?.attributes, creationTime: dos?.creationTime, eaSize, security, descriptor: undefined };
}

/** The creation time where none is stored: the birth of the inode, or the oldest time there is. */
export function defaultCreationTime(stat: Statx): FileTime {
  if (stat.hasBirth) return time(stat.birthSeconds, stat.birthNanoseconds);
  let oldest = time(stat.writeSeconds, stat.writeNanoseconds);
  for (const other of [
    time(stat.changeSeconds, stat.changeNanoseconds),
    time(stat.accessSeconds, stat.accessNanoseconds),
  ]) {
    if (other < oldest) oldest = other;
  }
  return oldest;
}

function time(seconds: number, nanoseconds: number): FileTime {
  return fileTimeFromUnix(BigInt(seconds), BigInt(nanoseconds));
}

/** Attributes of a file as clients see them. */
export function attributesOf(stat: Statx, metadata: Metadata): number {
  const stored = metadata.attributes ?? 0;
  if (stat.type === FileType.DIRECTORY) return (stored & SETTABLE_ATTRIBUTES) | FileAttribute.DIRECTORY;
  return stored & (SETTABLE_ATTRIBUTES | FileAttribute.SPARSE_FILE);
}

/** The attributes to store when a client asks for `wanted` and the file has `present`. */
export function mergeAttributes(present: number, wanted: number, directory: boolean): number {
  const kept = present & FileAttribute.SPARSE_FILE;
  return (wanted & SETTABLE_ATTRIBUTES) | kept | (directory ? FileAttribute.DIRECTORY : 0);
}

/** @param changeTime as {@link MetadataStore.changeTime} tells it */
export function fileStat(stat: Statx, key: FileKey, metadata: Metadata, changeTime?: FileTime): FileStat {
  const directory = stat.type === FileType.DIRECTORY;
  return {
    fileId: fileIdOf(key),
    directory,
    attributes: attributesOf(stat, metadata) | (stat.compressed ? FileAttribute.COMPRESSED : 0),
    creationTime: metadata.creationTime ?? defaultCreationTime(stat),
    lastAccessTime: time(stat.accessSeconds, stat.accessNanoseconds),
    lastWriteTime: time(stat.writeSeconds, stat.writeNanoseconds),
    changeTime: changeTime ?? time(stat.changeSeconds, stat.changeNanoseconds),
    endOfFile: directory ? 0 : stat.size,
    allocationSize: directory ? 0 : stat.allocated,
    links: directory ? 1 : stat.links,
    eaSize: metadata.eaSize,
    reparseTag: 0,
  };
}
