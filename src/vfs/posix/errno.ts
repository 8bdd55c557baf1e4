// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";

/** Linux error numbers; the same on x64 and arm64. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  ENODATA: 61,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ETIMEDOUT: 110,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

const statusOf = new Map<number, NtStatus>([
  [Errno.EPERM, NtStatus.ACCESS_DENIED],
  [Errno.ENOENT, NtStatus.OBJECT_NAME_NOT_FOUND],
  [Errno.EIO, NtStatus.IO_DEVICE_ERROR],
  [Errno.ENXIO, NtStatus.IO_DEVICE_ERROR],
  [Errno.E2BIG, NtStatus.EA_TOO_LARGE],
  [Errno.EBADF, NtStatus.INVALID_HANDLE],
  [Errno.EAGAIN, NtStatus.INSUFFICIENT_RESOURCES],
  [Errno.ENOMEM, NtStatus.INSUFFICIENT_RESOURCES],
  [Errno.EACCES, NtStatus.ACCESS_DENIED],
  [Errno.EBUSY, NtStatus.SHARING_VIOLATION],
  [Errno.EEXIST, NtStatus.OBJECT_NAME_COLLISION],
  [Errno.EXDEV, NtStatus.NOT_SAME_DEVICE],
  [Errno.ENODEV, NtStatus.IO_DEVICE_ERROR],
  [Errno.ENOTDIR, NtStatus.OBJECT_PATH_NOT_FOUND],
  [Errno.EISDIR, NtStatus.FILE_IS_A_DIRECTORY],
  [Errno.EINVAL, NtStatus.INVALID_PARAMETER],
  [Errno.ENFILE, NtStatus.TOO_MANY_OPENED_FILES],
  [Errno.EMFILE, NtStatus.TOO_MANY_OPENED_FILES],
  [Errno.ETXTBSY, NtStatus.SHARING_VIOLATION],
  [Errno.EFBIG, NtStatus.INVALID_PARAMETER],
  [Errno.ENOSPC, NtStatus.DISK_FULL],
  [Errno.EROFS, NtStatus.MEDIA_WRITE_PROTECTED],
  [Errno.EMLINK, NtStatus.TOO_MANY_LINKS],
  [Errno.ERANGE, NtStatus.EA_TOO_LARGE],
  [Errno.ENAMETOOLONG, NtStatus.OBJECT_NAME_INVALID],
  [Errno.ENOSYS, NtStatus.NOT_SUPPORTED],
  [Errno.ENOTEMPTY, NtStatus.DIRECTORY_NOT_EMPTY],
  [Errno.ELOOP, NtStatus.ACCESS_DENIED],
  [Errno.EILSEQ, NtStatus.OBJECT_NAME_INVALID],
  [Errno.EOPNOTSUPP, NtStatus.NOT_SUPPORTED],
  [Errno.ETIMEDOUT, NtStatus.IO_TIMEOUT],
  [Errno.ESTALE, NtStatus.FILE_CLOSED],
  [Errno.EDQUOT, NtStatus.DISK_FULL],
]);

/**
 * The answer for a failed system call. EDQUOT becomes DISK_FULL, which is what NTFS answers when a quota is exhausted and
 * what clients handle as "no space"; EXDEV is NOT_SAME_DEVICE (resolution beneath the root maps its own EXDEV itself).
 *
 * @param errno positive error number
 * @param call what was tried, for the log
 */
export function errnoError(errno: number, call: string): SmbError {
  return new SmbError(statusOf.get(errno) ?? NtStatus.UNEXPECTED_IO_ERROR, `${call} failed with errno ${errno}`);
}

/** Passes a result of a native call on, or throws for a negative one. */
export function check(result: number, call: string): number {
  if (result < 0) throw errnoError(-result, call);
  return result;
}

/** The positive error number in an exception of `node:fs`, or `undefined` when it is something else. */
export function errnoOf(error: unknown): number | undefined {
  if (error instanceof Error && "errno" in error && typeof error.errno === "number") return Math.abs(error.errno);
  return undefined;
}
