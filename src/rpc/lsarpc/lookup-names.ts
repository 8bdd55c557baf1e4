// SPDX-License-Identifier: Apache-2.0

import type { Operation } from "../interface.ts";
import { NdrError, type NdrReader, type NdrWriter } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { relativeId, writeSid } from "../sid.ts";
import { NO_DOMAIN, type ReferencedDomains, SidNameUse } from "./domains.ts";
import { translation } from "./translation.ts";

/** Names of one request (MS-LSAT 3.1.4.5). */
const MAX_NAMES = 1000;

interface TranslatedSid {
  readonly use: number;
  /** `undefined` for a name that is not known. */
  readonly sid: string | undefined;
  readonly domainIndex: number;
}

/** Count, then the array of RPC_UNICODE_STRING. */
function readNames(input: NdrReader): readonly string[] {
  const count = input.count(MAX_NAMES, 0);
  const names = input.conformantArray(MAX_NAMES, 8, () => input.unicodeString());
  if (names.length !== count) throw new NdrError(`${count} names are not in the array`);
  return names;
}

function translate(environment: RpcEnvironment, domains: ReferencedDomains, name: string): TranslatedSid {
  const account = environment.lookupName(name);
  if (account !== undefined) {
    return { use: account.type, sid: account.sid, domainIndex: domains.indexOfAccount(account) };
  }
  const own = environment.serverName.toLowerCase();
  const domain = () => domains.indexOf(environment.serverName, environment.domainSid);
  if (name.toLowerCase() === own) {
    return { use: SidNameUse.DOMAIN, sid: environment.domainSid, domainIndex: domain() };
  }
  // An unknown account of a known domain still tells the domain.
  if (name.toLowerCase().startsWith(`${own}\\`)) {
    return { use: SidNameUse.UNKNOWN, sid: undefined, domainIndex: domain() };
  }
  return { use: SidNameUse.UNKNOWN, sid: undefined, domainIndex: NO_DOMAIN };
}

/** RelativeId of LSA_TRANSLATED_SID: a domain and an unknown name have none (MS-LSAT 2.2.14). */
function translatedRelativeId({ use, sid }: TranslatedSid): number {
  if (sid === undefined) return 0;
  return use === SidNameUse.DOMAIN ? 0xffffffff : relativeId(sid);
}

/** LSA_TRANSLATED_SID (MS-LSAT 2.2.14). */
function writeTranslatedSid(output: NdrWriter, entry: TranslatedSid): void {
  output.align(4);
  output.u16(entry.use);
  output.u32(translatedRelativeId(entry));
  output.u32(entry.domainIndex);
}

/** LSAPR_TRANSLATED_SID_EX (MS-LSAT 2.2.23). */
function writeTranslatedSidEx(output: NdrWriter, entry: TranslatedSid): void {
  writeTranslatedSid(output, entry);
  output.u32(0);
}

/** LSAPR_TRANSLATED_SID_EX2 (MS-LSAT 2.2.25). */
function writeTranslatedSidEx2(output: NdrWriter, entry: TranslatedSid): void {
  const { sid } = entry;
  output.align(4);
  output.u16(entry.use);
  output.pointer(sid === undefined ? undefined : () => writeSid(output, sid));
  output.u32(entry.domainIndex);
  output.u32(0);
}

function lookupNames(extended: boolean, write: (output: NdrWriter, entry: TranslatedSid) => void): Operation {
  return translation({ extended, read: readNames, translate, isMapped: ({ sid }) => sid !== undefined, write });
}

/** LsarLookupNames (MS-LSAT 3.1.4.8). */
export const lsarLookupNames: Operation = lookupNames(false, writeTranslatedSid);
/** LsarLookupNames2 (MS-LSAT 3.1.4.7). */
export const lsarLookupNames2: Operation = lookupNames(true, writeTranslatedSidEx);
/** LsarLookupNames3 (MS-LSAT 3.1.4.6). */
export const lsarLookupNames3: Operation = lookupNames(true, writeTranslatedSidEx2);
