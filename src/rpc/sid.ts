// SPDX-License-Identifier: Apache-2.0

import { MAXIMUM_SUB_AUTHORITIES, sidFromBuffer, sidLength, sidToBuffer } from "../nt/sid.ts";
import { NdrError, type NdrReader, type NdrWriter } from "./ndr.ts";

/** RPC_SID (MS-DTYP 2.4.2.3): a SID behind the count of its sub-authorities. @throws NdrError */
export function readSid(input: NdrReader): string {
  const count = input.count(MAXIMUM_SUB_AUTHORITIES, 4);
  const sid = input.bytes(8 + 4 * count);
  if (sidLength(sid) !== sid.length) throw new NdrError(`SID that has not ${count} sub-authorities`);
  return sidFromBuffer(sid);
}

/** @throws SmbError INVALID_SID for text that is no SID */
export function writeSid(output: NdrWriter, text: string): void {
  const sid = sidToBuffer(text);
  output.u32((sid.length - 8) / 4);
  output.bytes(sid);
}

/** The SID without its last sub-authority: the domain of an account. A SID without sub-authorities is its own. */
export function parentSid(sid: string): string {
  const end = sid.lastIndexOf("-");
  return end > "S-1-".length - 1 ? sid.slice(0, end) : sid;
}

/** The last sub-authority: the RID of an account. 0 for a SID without sub-authorities. */
export function relativeId(sid: string): number {
  const parent = parentSid(sid);
  return parent === sid ? 0 : Number(sid.slice(parent.length + 1));
}
