// SPDX-License-Identifier: Apache-2.0

import { type Account, type AccountStore, DomainRid } from "../auth/accounts.ts";
import { type Awaitable, isPromise } from "../nt/awaitable.ts";
import { foldName } from "../nt/names.ts";
import { WellKnownSid } from "../nt/sid.ts";

/** SID_NAME_USE (MS-LSAT 2.2.13), as far as accounts need it. */
const NameUse = { USER: 1, GROUP: 2, ALIAS: 4, WELL_KNOWN_GROUP: 5 } as const;

/** An account or group as LsarLookupSids and LsarLookupNames give it out. */
export interface DirectoryEntry {
  readonly sid: string;
  readonly name: string;
  readonly domain: string;
  readonly type: number;
}

const NT_AUTHORITY = "NT AUTHORITY";
const BUILTIN = "BUILTIN";

/** Names of the well-known SIDs (MS-DTYP 2.4.2.4), as Windows shows them. */
const WELL_KNOWN: readonly DirectoryEntry[] = (
  [
    [WellKnownSid.EVERYONE, "", "Everyone"],
    [WellKnownSid.LOCAL, "", "LOCAL"],
    [WellKnownSid.CREATOR_OWNER, "", "CREATOR OWNER"],
    [WellKnownSid.CREATOR_GROUP, "", "CREATOR GROUP"],
    [WellKnownSid.OWNER_RIGHTS, "", "OWNER RIGHTS"],
    [WellKnownSid.NETWORK, NT_AUTHORITY, "NETWORK"],
    [WellKnownSid.INTERACTIVE, NT_AUTHORITY, "INTERACTIVE"],
    [WellKnownSid.ANONYMOUS, NT_AUTHORITY, "ANONYMOUS LOGON"],
    [WellKnownSid.AUTHENTICATED_USERS, NT_AUTHORITY, "Authenticated Users"],
    [WellKnownSid.LOCAL_SYSTEM, NT_AUTHORITY, "SYSTEM"],
    [WellKnownSid.LOCAL_SERVICE, NT_AUTHORITY, "LOCAL SERVICE"],
    [WellKnownSid.NETWORK_SERVICE, NT_AUTHORITY, "NETWORK SERVICE"],
  ] as const
)
  .map(([sid, domain, name]): DirectoryEntry => ({ sid, domain, name, type: NameUse.WELL_KNOWN_GROUP }))
  .concat(
    (
      [
        [WellKnownSid.BUILTIN_ADMINISTRATORS, "Administrators"],
        [WellKnownSid.BUILTIN_USERS, "Users"],
        [WellKnownSid.BUILTIN_GUESTS, "Guests"],
        [WellKnownSid.BACKUP_OPERATORS, "Backup Operators"],
      ] as const
    ).map(([sid, name]) => ({ sid, domain: BUILTIN, name, type: NameUse.ALIAS })),
  );

/** SIDs that stand for Unix ids of files without a stored descriptor: `S-1-22-1-uid` and `S-1-22-2-gid`. */
const UNIX_ID = /^S-1-22-([12])-(\d+)$/;

/** An answer of the account store; one that is still on its way counts as unknown, since LSA cannot wait for it. */
function settled(answer: Awaitable<Account | undefined>): Account | undefined {
  return isPromise(answer) ? undefined : answer;
}

/** Turns SIDs into names and back: for the security tab of clients. */
export class AccountDirectory {
  readonly #accounts: AccountStore;
  readonly #serverName: string;
  readonly #bySid = new Map<string, DirectoryEntry>();
  readonly #byName = new Map<string, DirectoryEntry>();

  constructor(accounts: AccountStore, serverName: string) {
    this.#accounts = accounts;
    this.#serverName = serverName;
    const own = (rid: number, name: string, type: number): DirectoryEntry => ({
      sid: `${accounts.machineSid}-${rid}`,
      domain: serverName,
      name,
      type,
    });
    const groups = [
      own(DomainRid.GUEST, "Guest", NameUse.USER),
      // What Windows calls the group of all users on a machine outside of a domain.
      own(DomainRid.USERS, "None", NameUse.GROUP),
      own(DomainRid.GUESTS, "Domain Guests", NameUse.GROUP),
    ];
    for (const entry of [...WELL_KNOWN, ...groups]) {
      this.#bySid.set(entry.sid, entry);
      this.#byName.set(foldName(entry.name), entry);
      this.#byName.set(foldName(`${entry.domain}\\${entry.name}`), entry);
    }
  }

  #user(account: Account): DirectoryEntry {
    return {
      sid: `${this.#accounts.machineSid}-${account.rid}`,
      domain: this.#serverName,
      name: account.name,
      type: NameUse.USER,
    };
  }

  lookupSid(sid: string): DirectoryEntry | undefined {
    const known = this.#bySid.get(sid);
    if (known !== undefined) {
      return known;
    }
    const domain = `${this.#accounts.machineSid}-`;
    if (sid.startsWith(domain)) {
      const account = settled(this.#accounts.lookupRid(Number(sid.slice(domain.length))));
      return account === undefined ? undefined : this.#user(account);
    }
    const unix = UNIX_ID.exec(sid);
    if (unix?.[2] === undefined) {
      return undefined;
    }
    const isUser = unix[1] === "1";
    return {
      sid,
      domain: isUser ? "Unix User" : "Unix Group",
      name: unix[2],
      type: isUser ? NameUse.USER : NameUse.GROUP,
    };
  }

  /** @param name alone, or as `DOMAIN\name` */
  lookupName(name: string): DirectoryEntry | undefined {
    const separator = name.indexOf("\\");
    const domain = separator < 0 ? "" : foldName(name.slice(0, separator));
    if (domain === "" || domain === foldName(this.#serverName)) {
      const account = settled(this.#accounts.lookup(name.slice(separator + 1)));
      if (account !== undefined) {
        return this.#user(account);
      }
    }
    return this.#byName.get(foldName(name));
  }
}
