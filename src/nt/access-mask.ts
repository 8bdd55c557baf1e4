// SPDX-License-Identifier: Apache-2.0

/** Access rights of files and directories (MS-SMB2 2.2.13.1, MS-DTYP 2.4.3). All values are unsigned. */
export const Access = {
  READ_DATA: 0x00000001,
  LIST_DIRECTORY: 0x00000001,
  WRITE_DATA: 0x00000002,
  ADD_FILE: 0x00000002,
  APPEND_DATA: 0x00000004,
  ADD_SUBDIRECTORY: 0x00000004,
  READ_EA: 0x00000008,
  WRITE_EA: 0x00000010,
  EXECUTE: 0x00000020,
  TRAVERSE: 0x00000020,
  DELETE_CHILD: 0x00000040,
  READ_ATTRIBUTES: 0x00000080,
  WRITE_ATTRIBUTES: 0x00000100,
  DELETE: 0x00010000,
  READ_CONTROL: 0x00020000,
  WRITE_DAC: 0x00040000,
  WRITE_OWNER: 0x00080000,
  SYNCHRONIZE: 0x00100000,
  ACCESS_SYSTEM_SECURITY: 0x01000000,
  MAXIMUM_ALLOWED: 0x02000000,
  GENERIC_ALL: 0x10000000,
  GENERIC_EXECUTE: 0x20000000,
  GENERIC_WRITE: 0x40000000,
  GENERIC_READ: 0x80000000,
  /** Every specific and standard right of a file: what GENERIC_ALL maps to. */
  FILE_ALL: 0x001f01ff,
  FILE_GENERIC_READ: 0x00120089,
  FILE_GENERIC_WRITE: 0x00120116,
  FILE_GENERIC_EXECUTE: 0x001200a0,
} as const;

const GENERIC_BITS = 0xf0000000;

/** Replaces generic rights by the specific ones of a file or directory (MS-DTYP 2.4.3, GENERIC_MAPPING of files). */
export function mapGenericRights(mask: number): number {
  let mapped = mask & ~GENERIC_BITS;
  if (mask & Access.GENERIC_READ) mapped |= Access.FILE_GENERIC_READ;
  if (mask & Access.GENERIC_WRITE) mapped |= Access.FILE_GENERIC_WRITE;
  if (mask & Access.GENERIC_EXECUTE) mapped |= Access.FILE_GENERIC_EXECUTE;
  if (mask & Access.GENERIC_ALL) mapped |= Access.FILE_ALL;
  return mapped >>> 0;
}
