// SPDX-License-Identifier: Apache-2.0

/** statx(2), statvfs(3) and utimensat(2). */

import { bind, outcome, scratch } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { PathArgument } from "./path.ts";

const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
/** STATX_BASIC_STATS | STATX_BTIME. */
const MASK = 0x7ff | 0x800;
const MASK_BTIME = 0x800;
const ATTR_COMPRESSED = 0x4;

const S_IFMT = 0o170000;

export const FileType = { DIRECTORY: 0o040000, REGULAR: 0o100000, LINK: 0o120000 } as const;

/** What statx tells; times as whole seconds (possibly negative) and nanoseconds. */
export interface Statx {
  /** One of {@link FileType}, or another S_IFMT value. */
  readonly type: number;
  /** Permission bits. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Exact: a number where it is safe. */
  readonly inode: number | bigint;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly size: number;
  /** Bytes allocated. */
  readonly allocated: number;
  readonly accessSeconds: number;
  readonly accessNanoseconds: number;
  readonly writeSeconds: number;
  readonly writeNanoseconds: number;
  readonly changeSeconds: number;
  readonly changeNanoseconds: number;
  /** Time of birth; meaningless unless `hasBirth`. */
  readonly birthSeconds: number;
  readonly birthNanoseconds: number;
  readonly hasBirth: boolean;
  /** STATX_ATTR_COMPRESSED. */
  readonly compressed: boolean;
}

const statxCall = bind<[number, number, number, number, number]>("statx", "int", [
  "int",
  "address",
  "int",
  "uint32",
  "address",
]);
const utimensat = bind<[number, number, number, number]>("utimensat", "int", ["int", "address", "address", "int"]);
const fstatvfs = bind<[number, number]>("fstatvfs", "int", ["int", "address"]);
const fstatfs = bind<[number, number]>("fstatfs", "int", ["int", "address"]);

const result = scratch(256);
const words = new DataView(result.buffer.buffer, result.buffer.byteOffset, 256);
const empty = scratch(1);
empty.buffer[0] = 0;
const argument = new PathArgument();

function safe64(offset: number): number | bigint {
  const high = words.getUint32(offset + 4, true);
  return high < 0x200000 ? high * 0x100000000 + words.getUint32(offset, true) : words.getBigUint64(offset, true);
}

/** A signed 64-bit value that is a safe integer by nature: sizes and seconds. */
function number64(offset: number): number {
  return words.getInt32(offset + 4, true) * 0x100000000 + words.getUint32(offset, true);
}

function parse(): Statx {
  return {
    type: words.getUint16(28, true) & S_IFMT,
    mode: words.getUint16(28, true) & 0o7777,
    links: words.getUint32(16, true),
    uid: words.getUint32(20, true),
    gid: words.getUint32(24, true),
    inode: safe64(32),
    deviceMajor: words.getUint32(136, true),
    deviceMinor: words.getUint32(140, true),
    size: number64(40),
    allocated: number64(48) * 512,
    accessSeconds: number64(64),
    accessNanoseconds: words.getUint32(72, true),
    birthSeconds: number64(80),
    birthNanoseconds: words.getUint32(88, true),
    changeSeconds: number64(96),
    changeNanoseconds: words.getUint32(104, true),
    writeSeconds: number64(112),
    writeNanoseconds: words.getUint32(120, true),
    hasBirth: (words.getUint32(0, true) & MASK_BTIME) !== 0,
    compressed: (words.getUint32(8, true) & ATTR_COMPRESSED) !== 0,
  };
}

/** statx of an open file, O_PATH or not; a negated error number when it fails. */
export function statOpen(fd: number): Statx | number {
  const outcomeOf = outcome(statxCall(fd, empty.address, AT_EMPTY_PATH, MASK, result.address));
  return outcomeOf < 0 ? outcomeOf : parse();
}

/** statx of a name in a directory; symbolic links are not followed. */
export function statName(directory: number, name: string): Statx | number {
  const address = argument.set(name);
  if (address === 0) return -Errno.ENAMETOOLONG;
  const outcomeOf = outcome(statxCall(directory, address, AT_SYMLINK_NOFOLLOW, MASK, result.address));
  return outcomeOf < 0 ? outcomeOf : parse();
}

const UTIME_OMIT = 0x3ffffffe;
const times = scratch(32);

export interface Timespec {
  readonly seconds: bigint;
  readonly nanoseconds: bigint;
}

function putTime(offset: number, time: Timespec | undefined): void {
  times.buffer.writeBigInt64LE(time?.seconds ?? 0n, offset);
  times.buffer.writeBigInt64LE(time?.nanoseconds ?? BigInt(UTIME_OMIT), offset + 8);
}

/** Sets the times given on an open file, also through an O_PATH descriptor (Linux 5.8 and later). */
export function setTimes(fd: number, access: Timespec | undefined, write: Timespec | undefined): number {
  putTime(0, access);
  putTime(16, write);
  const direct = outcome(utimensat(fd, empty.address, times.address, AT_EMPTY_PATH));
  if (direct !== -Errno.EINVAL) return direct;
  return outcome(utimensat(-100, argument.set(`/proc/self/fd/${fd}`), times.address, 0));
}

export interface FileSystemStat {
  /** f_type of statfs(2). */
  readonly type: number;
  /** Bytes in a block, the unit of the counts below. */
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly nameMaximum: number;
  readonly readOnly: boolean;
}

const ST_RDONLY = 1;

export function statFileSystem(fd: number): FileSystemStat | number {
  const first = outcome(fstatfs(fd, result.address));
  if (first < 0) return first;
  const type = words.getUint32(0, true);
  const second = outcome(fstatvfs(fd, result.address));
  if (second < 0) return second;
  return {
    type,
    blockSize: number64(8),
    blocks: number64(16),
    freeBlocks: number64(24),
    availableBlocks: number64(32),
    readOnly: (number64(72) & ST_RDONLY) !== 0,
    nameMaximum: number64(80),
  };
}
