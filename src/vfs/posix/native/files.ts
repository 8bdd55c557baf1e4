// SPDX-License-Identifier: Apache-2.0

/** Opening, creating, renaming and removing names. */

import { bind, outcome, scratch } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { decodeStored, PATH_MAX, PathArgument } from "./path.ts";
import { systemCallNumber } from "./system-calls.ts";

/** Flags of open(2); the ones that differ between architectures are those of the running one. */
const arm = process.arch === "arm64";
export const OpenFlag = {
  RDONLY: 0,
  WRONLY: 0o1,
  RDWR: 0o2,
  CREAT: 0o100,
  EXCL: 0o200,
  NONBLOCK: 0o4000,
  DIRECTORY: arm ? 0o40000 : 0o200000,
  NOFOLLOW: arm ? 0o100000 : 0o400000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  /** __O_TMPFILE together with O_DIRECTORY. */
  TMPFILE: 0o20000000 | (arm ? 0o40000 : 0o200000),
} as const;

const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_BENEATH = 0x08n;

export const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;
const AT_REMOVEDIR = 0x200;
const RENAME_NOREPLACE = 1;

const openat2 = bind<[number, number, number, number, number]>("syscall", "int64", [
  "int64",
  "int",
  "address",
  "address",
  "int64",
]);
const openat = bind<[number, number, number, number]>("openat", "int", ["int", "address", "int", "uint32"]);
const closeFd = bind<[number]>("close", "int", ["int"]);
const mkdirat = bind<[number, number, number]>("mkdirat", "int", ["int", "address", "uint32"]);
const unlinkat = bind<[number, number, number]>("unlinkat", "int", ["int", "address", "int"]);
const linkat = bind<[number, number, number, number, number]>("linkat", "int", [
  "int",
  "address",
  "int",
  "address",
  "int",
]);
const renameat2 = bind<[number, number, number, number, number]>("renameat2", "int", [
  "int",
  "address",
  "int",
  "address",
  "uint32",
]);
const symlinkat = bind<[number, number, number]>("symlinkat", "int", ["address", "int", "address"]);
const readlinkat = bind<[number, number, number, number]>("readlinkat", "int64", [
  "int",
  "address",
  "address",
  "int64",
]);

const OPENAT2 = systemCallNumber("openat2");
/** struct open_how: flags, mode, resolve, each 64 bits wide. */
const how = scratch(24);
const first = new PathArgument();
const second = new PathArgument();
const linkTarget = scratch(PATH_MAX);

/**
 * openat2(2) beneath `directory`: neither "..", nor an absolute symbolic link, nor one of /proc leads out of it.
 * @returns a file descriptor; -EXDEV for a way out
 */
export function openBeneath(directory: number, path: string, flags: number, mode = 0): number {
  const address = first.set(path);
  if (address === 0) return -Errno.ENAMETOOLONG;
  how.buffer.writeUInt32LE((flags | OpenFlag.CLOEXEC) >>> 0, 0);
  how.buffer.writeUInt32LE(0, 4);
  how.buffer.writeUInt32LE(mode, 8);
  how.buffer.writeUInt32LE(0, 12);
  how.buffer.writeBigUInt64LE(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS, 16);
  let result: number;
  // EAGAIN: a rename elsewhere raced with "..": the kernel asks to try again.
  let tries = 0;
  do {
    result = outcome(openat2(OPENAT2, directory, address, how.address, how.buffer.length));
  } while ((result === -Errno.EAGAIN && ++tries < 64) || result === -Errno.EINTR);
  return result;
}

/** openat(2) of a path that is ours: never of anything a client named. */
export function openOwn(directory: number, path: string, flags: number, mode = 0): number {
  const address = first.set(path);
  if (address === 0) return -Errno.ENAMETOOLONG;
  return outcome(openat(directory, address, flags | OpenFlag.CLOEXEC, mode));
}

/** Opens the file behind an O_PATH descriptor for reading or writing. */
export function reopen(fd: number, flags: number): number {
  return openOwn(AT_FDCWD, `/proc/self/fd/${fd}`, flags);
}

export function close(fd: number): void {
  closeFd(fd);
}

export function makeDirectory(directory: number, name: string, mode: number): number {
  const address = first.set(name);
  if (address === 0) return -Errno.ENAMETOOLONG;
  return outcome(mkdirat(directory, address, mode));
}

export function removeName(directory: number, name: string, isDirectory: boolean): number {
  const address = first.set(name);
  if (address === 0) return -Errno.ENAMETOOLONG;
  return outcome(unlinkat(directory, address, isDirectory ? AT_REMOVEDIR : 0));
}

/** Gives the file behind `fd` a further name. */
export function linkOpen(fd: number, directory: number, name: string): number {
  const from = first.set(`/proc/self/fd/${fd}`);
  const to = second.set(name);
  if (from === 0 || to === 0) return -Errno.ENAMETOOLONG;
  return outcome(linkat(AT_FDCWD, from, directory, to, AT_SYMLINK_FOLLOW));
}

/** renameat2(2); with `replace` false it fails with -EEXIST when the new name is taken. */
export function rename(fromDirectory: number, from: string, toDirectory: number, to: string, replace: boolean): number {
  const old = first.set(from);
  const next = second.set(to);
  if (old === 0 || next === 0) return -Errno.ENAMETOOLONG;
  return outcome(renameat2(fromDirectory, old, toDirectory, next, replace ? 0 : RENAME_NOREPLACE));
}

export function makeSymbolicLink(target: string, directory: number, name: string): number {
  const to = first.set(target);
  const at = second.set(name);
  if (to === 0 || at === 0) return -Errno.ENAMETOOLONG;
  return outcome(symlinkat(to, directory, at));
}

/** The target of a symbolic link, or a negated error number. */
export function readLink(directory: number, name: string): string | number {
  const at = first.set(name);
  if (at === 0) return -Errno.ENAMETOOLONG;
  const length = outcome(readlinkat(directory, at, linkTarget.address, PATH_MAX));
  return length < 0 ? length : decodeStored(linkTarget.buffer, 0, length);
}

/** The path by which the kernel now knows an open file, " (deleted)" at its end when it has no name any more. */
export function pathOf(fd: number): string | number {
  return readLink(AT_FDCWD, `/proc/self/fd/${fd}`);
}
