// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../nt/status.ts";
import type { Operation } from "../interface.ts";
import { NdrError, type NdrReader, type NdrWriter } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { parentSid, readSid, relativeId } from "../sid.ts";
import { LSAP_LOOKUP_WKSTA, NO_DOMAIN, ReferencedDomains, SidNameUse } from "./domains.ts";
import { PolicyAccess, readPolicyHandle } from "./policy.ts";

/** Entries of LSAPR_SID_ENUM_BUFFER (MS-LSAT 2.2.18). */
const MAX_SIDS = 20_480;

interface TranslatedName {
  readonly use: number;
  readonly name: string;
  readonly domainIndex: number;
}

/** LSAPR_SID_ENUM_BUFFER; a null SID is left as `undefined`. */
function readSids(input: NdrReader): readonly (string | undefined)[] {
  const entries = input.u32();
  const sids = input.pointer(() =>
    input.conformantArray(MAX_SIDS, 4, () => input.embeddedPointer(() => readSid(input))),
  );
  if ((sids?.length ?? 0) !== entries) throw new NdrError(`${entries} SIDs are not in the array`);
  return sids ?? [];
}

/** Names of the answer are [in, out], and empty in a request. */
export function readEmptyTranslation(input: NdrReader): void {
  input.u32();
  if (input.u32() !== 0) throw new NdrError("translated entries in a request");
}

/** MS-LSAT 3.1.4.9, steps 1 to 3, at LsapLookupWksta. */
function translate(environment: RpcEnvironment, domains: ReferencedDomains, sid: string): TranslatedName {
  const account = environment.lookupSid(sid);
  if (account !== undefined) {
    const domainIndex = domains.indexOfAccount({ ...account, sid });
    return { use: account.type, name: account.name, domainIndex };
  }
  if (sid === environment.domainSid) {
    return { use: SidNameUse.DOMAIN, name: "", domainIndex: domains.indexOf(environment.serverName, sid) };
  }
  if (parentSid(sid) === environment.domainSid) {
    return {
      use: SidNameUse.UNKNOWN,
      name: relativeId(sid).toString(16).toUpperCase().padStart(8, "0"),
      domainIndex: domains.indexOf(environment.serverName, environment.domainSid),
    };
  }
  return { use: SidNameUse.UNKNOWN, name: sid, domainIndex: NO_DOMAIN };
}

/** The status of a translation of `total` items, `mapped` of them known (MS-LSAT 3.1.4.9). */
export function translationStatus(mapped: number, total: number): number {
  if (mapped === total) return NtStatus.SUCCESS;
  return mapped === 0 ? NtStatus.NONE_MAPPED : NtStatus.SOME_NOT_MAPPED;
}

/** No domains, no entries, none mapped, and the status. */
export function writeFailedTranslation(output: NdrWriter, status: number): void {
  output.u32(0);
  output.u32(0);
  output.u32(0);
  output.u32(0);
  output.u32(status);
}

function lookupSids(extended: boolean): Operation {
  return (call, input, output) => {
    const policy = readPolicyHandle(call, input);
    const sids = readSids(input);
    readEmptyTranslation(input);
    const level = input.u16();
    input.u32();
    if (extended) {
      input.u32();
      input.u32();
    }
    if (!policy.allows(PolicyAccess.LOOKUP_NAMES)) return writeFailedTranslation(output, NtStatus.ACCESS_DENIED);
    if (level !== LSAP_LOOKUP_WKSTA) return writeFailedTranslation(output, NtStatus.INVALID_PARAMETER);
    const domains = new ReferencedDomains();
    const names: TranslatedName[] = [];
    for (const sid of sids) {
      if (sid === undefined) return writeFailedTranslation(output, NtStatus.INVALID_PARAMETER);
      names.push(translate(call.environment, domains, sid));
    }
    const mapped = names.filter(({ use }) => use !== SidNameUse.UNKNOWN).length;

    domains.write(output);
    output.construct(() => {
      output.u32(names.length);
      output.pointer(() =>
        output.conformantArray(names, (entry) => {
          output.align(4);
          output.u16(entry.use);
          output.unicodeString(entry.name);
          output.u32(entry.domainIndex);
          if (extended) output.u32(0);
        }),
      );
    });
    output.u32(mapped);
    output.u32(translationStatus(mapped, names.length));
  };
}

/** LsarLookupSids (MS-LSAT 3.1.4.11). */
export const lsarLookupSids: Operation = lookupSids(false);
/** LsarLookupSids2 (MS-LSAT 3.1.4.10). */
export const lsarLookupSids2: Operation = lookupSids(true);
