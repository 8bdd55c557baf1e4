// SPDX-License-Identifier: Apache-2.0

/** Which extended attributes of the file system are EAs and streams for clients, as Samba names them. */

import { foldName } from "../../nt/names.ts";

const USER = "user.";
const STREAM = "user.DosStream.";
const STREAM_TYPE = ":$DATA";

/** Names below `user.` that are no EAs, in lower case. */
const PRIVATE = new Set(["dosattrib", "ntacl", "samba_pai"]);
const PRIVATE_PREFIX = ["dosstream.", "tessera."];

/** The EA that an extended attribute is, `undefined` for one that is not for clients. */
export function eaNameOf(xattr: string): string | undefined {
  if (!xattr.startsWith(USER)) return undefined;
  const name = xattr.slice(USER.length);
  const lower = name.toLowerCase();
  if (name === "" || PRIVATE.has(lower) || PRIVATE_PREFIX.some((prefix) => lower.startsWith(prefix))) return undefined;
  return name;
}

/** The extended attribute for an EA name, `undefined` when a client must not touch it. */
export function eaXattr(name: string): string | undefined {
  const xattr = USER + name;
  return eaNameOf(xattr) === undefined ? undefined : xattr;
}

/** The stream that an extended attribute holds, `undefined` when it is none. */
export function streamNameOf(xattr: string): string | undefined {
  if (!xattr.startsWith(STREAM)) return undefined;
  const name = xattr.slice(STREAM.length);
  if (name.length <= STREAM_TYPE.length || foldName(name.slice(-STREAM_TYPE.length)) !== STREAM_TYPE) return undefined;
  return name.slice(0, -STREAM_TYPE.length);
}

export function streamXattr(name: string): string {
  return STREAM + name + STREAM_TYPE;
}
