// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ExtendedAttribute } from "../volume.ts";
import { check, Errno } from "./errno.ts";
import { readXattr, removeXattr, setXattr, xattrNames } from "./native/xattr.ts";
import { eaNameOf, eaXattr } from "./samba-names.ts";

/** EAs of an open file: extended attributes in the `user` namespace that are not the server's own. */
export function readExtendedAttributes(fd: number): ExtendedAttribute[] {
  const list: ExtendedAttribute[] = [];
  for (const xattr of names(fd)) {
    const name = eaNameOf(xattr);
    if (name === undefined) continue;
    const value = readXattr(fd, xattr);
    // Removed meanwhile.
    if (value === undefined) continue;
    if (typeof value === "number") check(value, `getxattr ${xattr}`);
    else list.push({ name, flags: 0, value });
  }
  return list;
}

/** Sets and removes EAs; what is there in another case is replaced under its present name. All or none. */
export function writeExtendedAttributes(fd: number, attributes: readonly ExtendedAttribute[]): void {
  const present = new Map<string, string>();
  for (const xattr of names(fd)) {
    const name = eaNameOf(xattr);
    if (name !== undefined) present.set(name.toLowerCase(), xattr);
  }
  const steps = attributes.map(({ name, value }) => {
    const folded = name.toLowerCase();
    const xattr = present.get(folded) ?? eaXattr(name);
    if (xattr === undefined) throw new SmbError(NtStatus.ACCESS_DENIED, "the name belongs to the server");
    present.set(folded, xattr);
    return { xattr, value };
  });
  const undo: { xattr: string; value: Buffer | undefined }[] = [];
  try {
    for (const { xattr, value } of steps) {
      const old = readXattr(fd, xattr);
      if (typeof old === "number") check(old, `getxattr ${xattr}`);
      else undo.push({ xattr, value: old });
      store(fd, xattr, value.length === 0 ? undefined : value);
    }
  } catch (error) {
    for (const { xattr, value } of undo.reverse()) {
      if (value === undefined) removeXattr(fd, xattr);
      else setXattr(fd, xattr, value);
    }
    throw error;
  }
}

function store(fd: number, xattr: string, value: Buffer | undefined): void {
  if (value === undefined) {
    const result = removeXattr(fd, xattr);
    if (result !== -Errno.ENODATA) check(result, `removexattr ${xattr}`);
    return;
  }
  const result = setXattr(fd, xattr, value);
  // The place for attributes is small on some file systems; that is no lack of disk space.
  if (result === -Errno.ERANGE || result === -Errno.E2BIG) throw new SmbError(NtStatus.EA_TOO_LARGE);
  check(result, `setxattr ${xattr}`);
}

function names(fd: number): string[] {
  const list = xattrNames(fd);
  if (typeof list !== "number") return list;
  if (list === -Errno.EOPNOTSUPP) return [];
  check(list, "listxattr");
  return [];
}
