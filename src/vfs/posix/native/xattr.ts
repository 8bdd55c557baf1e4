// SPDX-License-Identifier: Apache-2.0

/**
 * Extended attributes of an open file (`child` empty) or of a name in an open directory. The calls for descriptors refuse
 * O_PATH ones, which costs next to nothing to find out; the file then goes by its name in /proc, which costs several times the call
 * itself. For names in directories Linux 6.13 has calls of its own, that of a descriptor in /proc/self/fd among them; older
 * kernels go by whole paths.
 */

import { bind, outcome, scratch } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { AT_FDCWD, OpenFlag, openOwn } from "./files.ts";
import { decodeStored, PathArgument } from "./path.ts";
import { systemCallNumber } from "./system-calls.ts";

const AT_SYMLINK_NOFOLLOW = 0x100;
/** XATTR_SIZE_MAX of Linux: no value is larger. */
export const XATTR_SIZE_MAX = 65536;

const fgetxattr = bind<[number, number, number, number]>("fgetxattr", "int64", ["int", "address", "address", "int64"]);
const fsetxattr = bind<[number, number, number, number, number]>("fsetxattr", "int", [
  "int",
  "address",
  "address",
  "int64",
  "int",
]);
const fremovexattr = bind<[number, number]>("fremovexattr", "int", ["int", "address"]);
const flistxattr = bind<[number, number, number]>("flistxattr", "int64", ["int", "address", "int64"]);
const getxattr = bind<[number, number, number, number]>("getxattr", "int64", [
  "address",
  "address",
  "address",
  "int64",
]);
const lgetxattr = bind<[number, number, number, number]>("lgetxattr", "int64", [
  "address",
  "address",
  "address",
  "int64",
]);
const setxattr = bind<[number, number, number, number, number]>("setxattr", "int", [
  "address",
  "address",
  "address",
  "int64",
  "int",
]);
const removexattr = bind<[number, number]>("removexattr", "int", ["address", "address"]);
const listxattr = bind<[number, number, number]>("listxattr", "int64", ["address", "address", "int64"]);
const llistxattr = bind<[number, number, number]>("llistxattr", "int64", ["address", "address", "int64"]);
const getxattrat = bind<[number, number, number, number, number, number, number]>("syscall", "int64", [
  "int64",
  "int",
  "address",
  "int",
  "address",
  "address",
  "int64",
]);
const listxattrat = bind<[number, number, number, number, number, number]>("syscall", "int64", [
  "int64",
  "int",
  "address",
  "int",
  "address",
  "int64",
]);

const GETXATTRAT = systemCallNumber("getxattrat");
const LISTXATTRAT = systemCallNumber("listxattrat");

const path = new PathArgument();
const attribute = new PathArgument();
const value = scratch(XATTR_SIZE_MAX);
/** struct xattr_args: address of the value, its size, flags. */
const args = scratch(16);
args.buffer.writeBigUInt64LE(BigInt(value.address), 0);
args.buffer.writeUInt32LE(0, 12);

/** Whether the kernel has the calls for names in directories; asked with a descriptor that is none. */
const hasNameCalls = ((): boolean => {
  const name = attribute.set("user.x");
  const result = outcome(getxattrat(GETXATTRAT, -1, path.set("x"), AT_SYMLINK_NOFOLLOW, name, args.address, 16));
  return result === -Errno.EBADF;
})();

let useNameCalls = hasNameCalls;

/** The process's descriptors by their numbers. */
const descriptors = hasNameCalls ? openOwn(AT_FDCWD, "/proc/self/fd", OpenFlag.PATH | OpenFlag.DIRECTORY) : -1;

/** Switches the calls of Linux 6.13 off (or on again, where the kernel has them), so that tests cover older kernels. */
export function allowNameCalls(allowed: boolean): void {
  useNameCalls = allowed && hasNameCalls;
}

/** How often an attribute name is used is what decides the cost of encoding it: the few fixed ones are kept. */
const fixedNames = new Map<string, PathArgument>();

function nameAddress(name: string): number {
  const known = fixedNames.get(name);
  if (known !== undefined) return known.address;
  return attribute.set(name);
}

/** Keeps an attribute name encoded for ever. */
export function keepName(name: string): string {
  const kept = new PathArgument(name.length * 3 + 1);
  kept.set(name);
  fixedNames.set(name, kept);
  return name;
}

function procPath(fd: number, child: string): number {
  return path.set(child === "" ? `/proc/self/fd/${fd}` : `/proc/self/fd/${fd}/${child}`);
}

/**
 * Bytes asked for at first: the kernel clears as much memory as it is offered, so a large buffer would cost more than the
 * call itself.
 */
const FIRST_SIZE = 512;

function offering(call: (size: number) => number): number {
  const result = call(FIRST_SIZE);
  return result === -Errno.ERANGE ? call(XATTR_SIZE_MAX) : result;
}

/**
 * Reads an attribute into memory that the next call overwrites.
 * @returns its length, with the value in {@link xattrValue}; or a negated error number
 */
export function getXattr(fd: number, child: string, name: string): number {
  const what = nameAddress(name);
  if (what === 0) return -Errno.ENODATA;
  if (child !== "") {
    if (useNameCalls) return getAt(fd, child, AT_SYMLINK_NOFOLLOW, what);
    const at = procPath(fd, child);
    if (at === 0) return -Errno.ENAMETOOLONG;
    return offering((size) => outcome(lgetxattr(at, what, value.address, size)));
  }
  const direct = offering((size) => outcome(fgetxattr(fd, what, value.address, size)));
  if (direct !== -Errno.EBADF) return direct;
  if (useNameCalls && descriptors >= 0) return getAt(descriptors, String(fd), 0, what);
  const at = procPath(fd, "");
  return offering((size) => outcome(getxattr(at, what, value.address, size)));
}

function getAt(directory: number, child: string, flags: number, what: number): number {
  const at = path.set(child);
  if (at === 0) return -Errno.ENAMETOOLONG;
  return offering((size) => {
    args.buffer.writeUInt32LE(size, 8);
    return outcome(getxattrat(GETXATTRAT, directory, at, flags, what, args.address, 16));
  });
}

/** Where {@link getXattr} leaves the value and {@link listXattr} the names. */
export const xattrValue: Buffer = value.buffer;

/** A copy of an attribute's value; `undefined` when there is none, a negated error number for other failures. */
export function readXattr(fd: number, name: string): Buffer | undefined | number {
  const length = getXattr(fd, "", name);
  if (length >= 0) return Buffer.from(value.buffer.subarray(0, length));
  return length === -Errno.ENODATA ? undefined : length;
}

export const XattrFlag = { ANY: 0, CREATE: 1, REPLACE: 2 } as const;

export function setXattr(fd: number, name: string, data: Buffer, flags: number = XattrFlag.ANY): number {
  const what = nameAddress(name);
  if (what === 0) return -Errno.ERANGE;
  if (data.length > XATTR_SIZE_MAX) return -Errno.E2BIG;
  data.copy(value.buffer);
  const direct = outcome(fsetxattr(fd, what, value.address, data.length, flags));
  if (direct !== -Errno.EBADF) return direct;
  return outcome(setxattr(procPath(fd, ""), what, value.address, data.length, flags));
}

export function removeXattr(fd: number, name: string): number {
  const what = nameAddress(name);
  if (what === 0) return -Errno.ENODATA;
  const direct = outcome(fremovexattr(fd, what));
  return direct === -Errno.EBADF ? outcome(removexattr(procPath(fd, ""), what)) : direct;
}

/** Length of the attribute names of a file, each ended by NUL, left in {@link xattrValue}; or a negated error number. */
export function listXattr(fd: number, child: string): number {
  if (child !== "") {
    if (useNameCalls) return listAt(fd, child, AT_SYMLINK_NOFOLLOW);
    const at = procPath(fd, child);
    if (at === 0) return -Errno.ENAMETOOLONG;
    return offering((size) => outcome(llistxattr(at, value.address, size)));
  }
  const direct = offering((size) => outcome(flistxattr(fd, value.address, size)));
  if (direct !== -Errno.EBADF) return direct;
  if (useNameCalls && descriptors >= 0) return listAt(descriptors, String(fd), 0);
  const at = procPath(fd, "");
  return offering((size) => outcome(listxattr(at, value.address, size)));
}

function listAt(directory: number, child: string, flags: number): number {
  const at = path.set(child);
  if (at === 0) return -Errno.ENAMETOOLONG;
  return offering((size) => outcome(listxattrat(LISTXATTRAT, directory, at, flags, value.address, size)));
}

/** The attribute names of an open file. */
export function xattrNames(fd: number): string[] | number {
  const length = listXattr(fd, "");
  if (length < 0) return length;
  const names: string[] = [];
  for (let start = 0; start < length; ) {
    const end = value.buffer.indexOf(0, start);
    if (end < 0 || end >= length) break;
    names.push(decodeStored(value.buffer, start, end));
    start = end + 1;
  }
  return names;
}
