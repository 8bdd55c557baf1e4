// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import type { Awaitable } from "../nt/awaitable.ts";
import { foldName } from "../nt/names.ts";

/** First RID that is given to an account (MS-DTYP 2.4.2.4: lower ones are reserved). */
export const FIRST_ACCOUNT_RID = 1000;

/** RIDs that every account domain has (MS-DTYP 2.4.2.4). */
export const DomainRid = { GUEST: 501, USERS: 513, GUESTS: 514 } as const;

export interface Account {
  /** As it was created; matched without regard to case. */
  readonly name: string;
  /** NTOWFv1 of the password, 16 bytes. */
  readonly ntHash: Buffer;
  /** Relative identifier within the machine's SID, from {@link FIRST_ACCOUNT_RID} on, never given out twice. */
  readonly rid: number;
  /** Member of BUILTIN\Administrators, with its privileges. */
  readonly admin: boolean;
  readonly disabled: boolean;
  /** SIDs of further groups, as text. */
  readonly groups: readonly string[];
  /** Names of further privileges, such as `SeBackupPrivilege` (MS-LSAD 3.1.1.2.1). */
  readonly privileges: readonly string[];
}

/** The accounts of this machine. */
export interface AccountStore {
  /** SID of the account domain, `S-1-5-21-a-b-c`; a user's SID is this with the RID behind it. */
  readonly machineSid: string;
  /** By name, without regard to case. */
  lookup(name: string): Awaitable<Account | undefined>;
  lookupRid(rid: number): Awaitable<Account | undefined>;
  list(): Awaitable<readonly Account[]>;
}

/** What an account needs at least; the RID comes from its place where it is left out. */
export type AccountInput = Pick<Account, "name" | "ntHash"> & Partial<Account>;

/** A machine SID from three random, or randomly looking, 32-bit numbers: 12 bytes. */
export function machineSidFromBytes(bytes: Buffer): string {
  return `S-1-5-21-${bytes.readUInt32LE(0)}-${bytes.readUInt32LE(4)}-${bytes.readUInt32LE(8)}`;
}

/** A machine SID that stays the same as long as the seed does: for stores that keep nothing. */
export function machineSidFromSeed(seed: string): string {
  return machineSidFromBytes(createHash("sha256").update("tessera machine SID\0").update(seed).digest());
}

/**
 * What is wrong with a name for an account, or `undefined` (MS-SAMR 3.1.1.6: no `"/\[]:|<>+=;?,*`, no control
 * characters, at most 64 characters, not only dots and blanks). `@` is refused too: it would read as `user@domain`.
 */
export function accountNameProblem(name: string): string | undefined {
  if (name.length === 0) return "is empty";
  if (name.length > 64) return "has more than 64 characters";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/["/\\[\]:|<>+=;?,*@\u0000-\u001f\u007f]/.test(name)) return 'has one of the characters "/\\[]:|<>+=;?,*@';
  if (/^[. ]*$/.test(name) || name !== name.trim()) return "begins or ends with a blank, or has only dots";
  return undefined;
}

/** Accounts in memory, indexed by name and RID. The base of the file store, and a store for embedders and tests. */
export class MemoryAccountStore implements AccountStore {
  readonly machineSid: string;
  readonly #byName = new Map<string, Account>();
  readonly #byRid = new Map<number, Account>();

  /** @throws RangeError: a name or a RID twice, a name that Windows would not take, a hash that is not 16 bytes */
  constructor(machineSid: string, accounts: readonly AccountInput[]) {
    this.machineSid = machineSid;
    for (const [index, input] of accounts.entries()) {
      const account: Account = {
        rid: FIRST_ACCOUNT_RID + index,
        admin: false,
        disabled: false,
        groups: [],
        privileges: [],
        ...input,
      };
      const problem = accountNameProblem(account.name);
      if (problem !== undefined) throw new RangeError(`account name ${JSON.stringify(account.name)} ${problem}`);
      if (account.ntHash.length !== 16) throw new RangeError(`NT hash of ${account.name} does not have 16 bytes`);
      const key = foldName(account.name);
      if (this.#byName.has(key)) throw new RangeError(`account ${account.name} exists twice`);
      if (this.#byRid.has(account.rid)) throw new RangeError(`RID ${account.rid} of ${account.name} exists twice`);
      this.#byName.set(key, account);
      this.#byRid.set(account.rid, account);
    }
  }

  lookup(name: string): Account | undefined {
    return this.#byName.get(foldName(name));
  }

  lookupRid(rid: number): Account | undefined {
    return this.#byRid.get(rid);
  }

  list(): readonly Account[] {
    return [...this.#byName.values()];
  }
}
