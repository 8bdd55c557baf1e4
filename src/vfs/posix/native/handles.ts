// SPDX-License-Identifier: Apache-2.0

/** name_to_handle_at(2): a file's identity in its file system, which no other file gets after it. */

import { bind, outcome, scratch } from "../../../native/ffi.ts";
import { Errno } from "../errno.ts";
import { close, OpenFlag, openOwn } from "./files.ts";

/** MAX_HANDLE_SZ */
const HANDLE_SIZE = 128;
/** handle_bytes and handle_type of struct file_handle. */
const HEAD_SIZE = 8;
const AT_EMPTY_PATH = 0x1000;

const nameToHandleAt = bind<[number, number, number, number, number]>("name_to_handle_at", "int", [
  "int",
  "address",
  "address",
  "address",
  "int",
]);
const openByHandleAt = bind<[number, number, number]>("open_by_handle_at", "int", ["int", "address", "int"]);

const handle = scratch(HEAD_SIZE + HANDLE_SIZE);
const mountId = scratch(4);
const empty = scratch(1);
empty.buffer[0] = 0;

/** struct file_handle of an open file, O_PATH is enough; a negated error number where the file system has none. */
export function handleOf(fd: number): Buffer | number {
  handle.buffer.writeUInt32LE(HANDLE_SIZE, 0);
  const result = outcome(nameToHandleAt(fd, empty.address, handle.address, mountId.address, AT_EMPTY_PATH));
  if (result < 0) return result;
  return Buffer.from(handle.buffer.subarray(0, HEAD_SIZE + handle.buffer.readUInt32LE(0)));
}

/**
 * Whether the file of a handle still exists, under whatever name. `undefined`: the process may not ask (CAP_DAC_READ_SEARCH), or
 * the file system cannot tell.
 * @param root an open directory of the file system
 */
export function isHandleAlive(root: number, wanted: Buffer): boolean | undefined {
  if (wanted.length > HEAD_SIZE + HANDLE_SIZE) return undefined;
  // The call takes no O_PATH descriptor for the file system.
  const anchor = openOwn(root, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (anchor < 0) return undefined;
  wanted.copy(handle.buffer);
  const fd = outcome(openByHandleAt(anchor, handle.address, OpenFlag.PATH | OpenFlag.CLOEXEC));
  close(anchor);
  if (fd >= 0) close(fd);
  return fd >= 0 ? true : fd === -Errno.ESTALE ? false : undefined;
}
