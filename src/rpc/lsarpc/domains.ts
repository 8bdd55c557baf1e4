// SPDX-License-Identifier: Apache-2.0

import type { NdrWriter } from "../ndr.ts";
import { parentSid, writeSid } from "../sid.ts";

/** SID_NAME_USE (MS-LSAT 2.2.13). */
export const SidNameUse = { DOMAIN: 3, UNKNOWN: 8 } as const;

/** LookupLevel LsapLookupWksta, the only one that a server which is no domain controller serves (MS-LSAT 2.2.16). */
export const LSAP_LOOKUP_WKSTA = 1;

/** DomainIndex of what belongs to no known domain. */
export const NO_DOMAIN = 0xffffffff;

/** An account as the environment knows it. */
export interface Account {
  readonly sid: string;
  readonly name: string;
  readonly domain: string;
  readonly type: number;
}

/** LSAPR_REFERENCED_DOMAIN_LIST (MS-LSAT 2.2.12), each domain once. */
export class ReferencedDomains {
  readonly #indexes = new Map<string, number>();
  readonly #entries: { readonly name: string; readonly sid: string }[] = [];

  /** The index of a domain, which is added where it is new. */
  indexOf(name: string, sid: string): number {
    const key = `${sid} ${name}`;
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    const index = this.#entries.length;
    this.#entries.push({ name, sid });
    this.#indexes.set(key, index);
    return index;
  }

  /** The index of an account's domain; a domain is its own. */
  indexOfAccount(account: Account): number {
    return this.indexOf(account.domain, account.type === SidNameUse.DOMAIN ? account.sid : parentSid(account.sid));
  }

  write(output: NdrWriter): void {
    output.pointer(() =>
      output.construct(() => {
        output.u32(this.#entries.length);
        output.pointer(() =>
          output.conformantArray(this.#entries, (entry) => {
            output.unicodeString(entry.name);
            output.pointer(() => writeSid(output, entry.sid));
          }),
        );
        output.u32(this.#entries.length);
      }),
    );
  }
}
