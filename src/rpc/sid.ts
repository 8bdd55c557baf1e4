// SPDX-License-Identifier: Apache-2.0

import { NdrError, type NdrReader, type NdrWriter } from "./ndr.ts";

/** SID_MAX_SUB_AUTHORITIES (MS-DTYP 2.4.2.3). */
const MAX_SUB_AUTHORITIES = 15;

/** RPC_SID (MS-DTYP 2.4.2.3) as text, `S-1-5-32-544`; an authority of 2^32 or more is written in hexadecimal. */
export function readSid(input: NdrReader): string {
  const maximum = input.u32();
  const revision = input.u8();
  const count = input.u8();
  if (revision !== 1 || count > MAX_SUB_AUTHORITIES || maximum !== count) {
    throw new NdrError(`SID of revision ${revision} with ${count} of ${maximum} sub-authorities`);
  }
  const high = input.bytes(6).readUIntBE(0, 6);
  let text = `S-1-${high < 0x100000000 ? high : `0x${high.toString(16).padStart(12, "0")}`}`;
  for (let index = 0; index < count; index += 1) text += `-${input.u32()}`;
  return text;
}

const SID_TEXT = /^S-1-(?:0x([0-9a-f]{12})|(\d{1,10}))((?:-\d{1,10}){0,15})$/i;

/** Writes RPC_SID from text. @throws RangeError for text that is no SID */
export function writeSid(output: NdrWriter, sid: string): void {
  const match = SID_TEXT.exec(sid);
  if (match === null) throw new RangeError(`not a SID: ${sid}`);
  const [, hexadecimal, decimal, rest = ""] = match;
  const authority = hexadecimal === undefined ? Number(decimal) : Number.parseInt(hexadecimal, 16);
  const subAuthorities = rest === "" ? [] : rest.slice(1).split("-").map(Number);
  output.u32(subAuthorities.length);
  output.u8(1);
  output.u8(subAuthorities.length);
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(authority, 0, 6);
  output.bytes(bytes);
  for (const value of subAuthorities) output.u32(value);
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
