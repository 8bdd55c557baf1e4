// SPDX-License-Identifier: Apache-2.0

import type { Operation } from "../interface.ts";
import { NdrError, type NdrReader } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { parentSid, readSid, relativeId } from "../sid.ts";
import { NO_DOMAIN, type ReferencedDomains, SidNameUse } from "./domains.ts";
import { translation } from "./translation.ts";

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

function lookupSids(extended: boolean): Operation {
  return translation({
    extended,
    read: readSids,
    translate: (environment, domains, sid) => (sid === undefined ? undefined : translate(environment, domains, sid)),
    isMapped: ({ use }) => use !== SidNameUse.UNKNOWN,
    write(output, entry) {
      output.align(4);
      output.u16(entry.use);
      output.unicodeString(entry.name);
      output.u32(entry.domainIndex);
      if (extended) output.u32(0);
    },
  });
}

/** LsarLookupSids (MS-LSAT 3.1.4.11). */
export const lsarLookupSids: Operation = lookupSids(false);
/** LsarLookupSids2 (MS-LSAT 3.1.4.10). */
export const lsarLookupSids2: Operation = lookupSids(true);
