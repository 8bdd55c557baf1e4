// SPDX-License-Identifier: Apache-2.0
/** What Node lacks for sparse files: punching holes and finding them, by way of libc. */
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const fallocate = libc.func("int fallocate(int fd, int mode, int64_t offset, int64_t length)");
const lseek = libc.func("int64_t lseek(int fd, int64_t offset, int whence)");

const keepSizeAndPunchHole = 0x01 | 0x02;
const seekData = 3;
const seekHole = 4;

/** Makes the bytes read as zeros and gives their space back; false where the file system cannot. */
export function punchHole(fd: number, offset: number, length: number): boolean {
  return fallocate(fd, keepSizeAndPunchHole, offset, length) === 0;
}

/**
 * The run of data or of hole that begins at `offset` of a file of `size` bytes. A file system that does not know holes
 * has data throughout.
 */
export function extentAt(fd: number, offset: number, size: number): { readonly data: boolean; readonly end: number } {
  const nextData = Number(lseek(fd, offset, seekData));
  // ENXIO: nothing but hole up to the end.
  if (nextData < 0) return { data: false, end: size };
  if (nextData > offset) return { data: false, end: Math.min(nextData, size) };
  const nextHole = Number(lseek(fd, offset, seekHole));
  return { data: true, end: nextHole < 0 ? size : Math.min(nextHole, size) };
}
