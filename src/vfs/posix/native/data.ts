// SPDX-License-Identifier: Apache-2.0

/** Data of open files: reads and writes that never wait, and the calls that may. */

import { addressOf, bind, onWorker, outcome, type Scratch, scratch } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { systemCallNumber } from "./system-calls.ts";

const RWF_NOWAIT = 8;

export const FallocateMode = { ALLOCATE: 0, KEEP_SIZE: 0x01, PUNCH_HOLE: 0x02, ZERO_RANGE: 0x10 } as const;
export const Seek = { DATA: 3, HOLE: 4 } as const;
/** _IOW(0x94, 13, struct file_clone_range). */
const FICLONERANGE = 0x4020940d;
/** _IOWR('f', 11, struct fiemap). */
const FS_IOC_FIEMAP = 0xc020660b;
/** _IOR('f', 1, long) and _IOW('f', 2, long); what they point to is an int all the same. */
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;

const preadv2 = bind<[number, number, number, number, number]>("preadv2", "int64", [
  "int",
  "address",
  "int",
  "int64",
  "int",
]);
const pwritev2 = bind<[number, number, number, number, number]>("pwritev2", "int64", [
  "int",
  "address",
  "int",
  "int64",
  "int",
]);
const ftruncate = bind<[number, number]>("ftruncate", "int", ["int", "int64"]);
const fallocateCall = bind<[number, number, number, number]>("fallocate", "int", ["int", "int", "int64", "int64"]);
const lseek = bind<[number, number, number]>("lseek", "int64", ["int", "int64", "int"]);
const copyFileRange = bind<[number, number, number, number, number, number]>("copy_file_range", "int64", [
  "int",
  "address",
  "int",
  "address",
  "int64",
  "uint32",
]);
const ioctl = bind<[number, number, number]>("ioctl", "int", ["int", "int64", "address"]);

/** struct iovec. */
const vector = scratch(16);
const vectorWords = new Uint32Array(vector.buffer.buffer, vector.buffer.byteOffset, 4);

function aim(data: Buffer): void {
  const address = addressOf(data);
  vectorWords[0] = address >>> 0;
  vectorWords[1] = Math.floor(address / 0x100000000);
  vectorWords[2] = data.length;
  vectorWords[3] = 0;
}

/** Reads what the page cache holds; -EAGAIN when that is nothing, -EOPNOTSUPP where the file system cannot tell. */
export function readCached(fd: number, offset: number, target: Buffer): number {
  aim(target);
  return outcome(preadv2(fd, vector.address, 1, offset, RWF_NOWAIT));
}

/** An ordinary read on the calling thread. */
export function readNow(fd: number, offset: number, target: Buffer): number {
  aim(target);
  return outcome(preadv2(fd, vector.address, 1, offset, 0));
}

/** An ordinary write on the calling thread. */
export function writeNow(fd: number, offset: number, data: Buffer): number {
  aim(data);
  return outcome(pwritev2(fd, vector.address, 1, offset, 0));
}

export function truncate(fd: number, size: number): number {
  return outcome(ftruncate(fd, size));
}

export function truncateOnWorker(fd: number, size: number): Promise<number> {
  return onWorker(ftruncate, [fd, size]);
}

export function fallocate(fd: number, mode: number, offset: number, length: number): Promise<number> {
  return onWorker(fallocateCall, [fd, mode, offset, length]);
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE; -ENXIO when nothing lies at or behind `offset`. */
export function seek(fd: number, offset: number, whence: number): number {
  return outcome(lseek(fd, offset, whence));
}

/** From where to where between two open files. Offsets and length are bytes. */
export interface Transfer {
  readonly source: number;
  readonly sourceOffset: number;
  readonly target: number;
  readonly offset: number;
  readonly length: number;
}

/** copy_file_range(2) on a worker thread. */
export function copyRange({ source, sourceOffset, target, offset, length }: Transfer): Promise<number> {
  const positions = Buffer.allocUnsafeSlow(16);
  positions.writeBigInt64LE(BigInt(sourceOffset), 0);
  positions.writeBigInt64LE(BigInt(offset), 8);
  const address = addressOf(positions);
  return onWorker(copyFileRange, [source, address, target, address + 8, length, 0], positions);
}

/** struct file_clone_range. */
function putCloneRange(request: Buffer, { source, sourceOffset, offset, length }: Transfer): void {
  request.writeBigInt64LE(BigInt(source), 0);
  request.writeBigUInt64LE(BigInt(sourceOffset), 8);
  request.writeBigUInt64LE(BigInt(length), 16);
  request.writeBigUInt64LE(BigInt(offset), 24);
}

/** ioctl FICLONERANGE on a worker thread: shares blocks; `length` 0 means up to the end of the source. */
export function cloneRange(transfer: Transfer): Promise<number> {
  const request = Buffer.allocUnsafeSlow(32);
  putCloneRange(request, transfer);
  return onWorker(ioctl, [transfer.target, FICLONERANGE, addressOf(request)], request);
}

const cloneRequest = scratch(32);

/** The same on the calling thread. */
export function cloneRangeNow(transfer: Transfer): number {
  putCloneRange(cloneRequest.buffer, transfer);
  return outcome(ioctl(transfer.target, FICLONERANGE, cloneRequest.address));
}

const cachestat = bind<[number, number, number, number, number]>("syscall", "int64", [
  "int64",
  "int",
  "address",
  "address",
  "uint32",
]);
const CACHESTAT = systemCallNumber("cachestat");
/** struct cachestat_range and struct cachestat. */
const cacheRange = scratch(16);
const cacheCounts = scratch(40);

function putRange({ buffer }: Scratch, offset: number, length: number): void {
  buffer.writeBigUInt64LE(BigInt(offset), 0);
  buffer.writeBigUInt64LE(BigInt(length), 8);
}

/** Pages of a range that are still to be written to the disk, or on their way there (Linux 6.5); or a negated error number. */
export function unwrittenPages(fd: number, offset: number, length: number): number {
  putRange(cacheRange, offset, length);
  const result = outcome(cachestat(CACHESTAT, fd, cacheRange.address, cacheCounts.address, 0));
  const count = (at: number): number => Number(cacheCounts.buffer.readBigUInt64LE(at));
  return result < 0 ? result : count(8) + count(16);
}

/** struct fiemap, without room for extents: they are counted only. */
const extentMap = scratch(32);

/** How many extents hold the data of a range; or a negated error number. */
export function countExtents(fd: number, offset: number, length: number): number {
  extentMap.buffer.fill(0);
  putRange(extentMap, offset, length);
  const result = outcome(ioctl(fd, FS_IOC_FIEMAP, extentMap.address));
  return result < 0 ? result : extentMap.buffer.readUInt32LE(20);
}

const flags = scratch(8);
const flagsWord = new DataView(flags.buffer.buffer, flags.buffer.byteOffset, 8);

/** Inode flags: `clear` those, then `set` these. Needs a descriptor that is not O_PATH. Answers 0 or a negated error number. */
export function changeFlags(fd: number, clear: number, set: number): number {
  const found = outcome(ioctl(fd, FS_IOC_GETFLAGS, flags.address));
  if (found < 0) return found;
  flagsWord.setUint32(0, ((flagsWord.getUint32(0, true) & ~clear) | set) >>> 0, true);
  return outcome(ioctl(fd, FS_IOC_SETFLAGS, flags.address));
}

/** True for an error that says "this file system or pair of files cannot", not "this went wrong". */
export function isUnsupported(result: number): boolean {
  return (
    result === -Errno.EOPNOTSUPP ||
    result === -Errno.ENOSYS ||
    result === -Errno.EINVAL ||
    result === -Errno.EXDEV ||
    result === -Errno.ENOTTY
  );
}
