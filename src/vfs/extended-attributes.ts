// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { ExtendedAttribute } from "./volume.ts";

/** Bytes of all extended attributes of a file as a FILE_FULL_EA_INFORMATION list (MS-FSCC 2.4.16). */
const MAXIMUM_SIZE = 0xffff;
const MAXIMUM_NAME = 254;

/** Size of a FILE_FULL_EA_INFORMATION list: each entry but the last is padded to a multiple of four (MS-FSCC 2.4.16). */
export function listSize(attributes: Iterable<ExtendedAttribute>): number {
  let size = 0;
  for (const { name, value } of attributes) size = ((size + 3) & ~3) + 8 + name.length + 1 + value.length;
  return size;
}

/** What is there after the attributes named have been set, replaced or removed. @throws SmbError INVALID_EA_NAME, EA_TOO_LARGE */
export function withChanges(
  current: readonly ExtendedAttribute[],
  changes: readonly ExtendedAttribute[],
): readonly ExtendedAttribute[] {
  const merged = new Map<string, ExtendedAttribute>();
  for (const one of current) merged.set(one.name.toUpperCase(), one);
  for (const { name, flags, value } of changes) {
    if (name.length === 0 || name.length > MAXIMUM_NAME || !/^[\x20-\x7e]+$/.test(name)) {
      throw new SmbError(NtStatus.INVALID_EA_NAME);
    }
    if (value.length === 0) merged.delete(name.toUpperCase());
    else merged.set(name.toUpperCase(), { name, flags, value: Buffer.from(value) });
  }
  const attributes = [...merged.values()];
  if (listSize(attributes) > MAXIMUM_SIZE) throw new SmbError(NtStatus.EA_TOO_LARGE);
  return attributes;
}
