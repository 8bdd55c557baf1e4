// SPDX-License-Identifier: Apache-2.0

import { WellKnownSid } from "../nt/sid.ts";
import { type Account, DomainRid } from "./accounts.ts";
import type { Identity } from "./auth.ts";

/** Everybody may walk through directories without being checked at each of them. */
const EVERYBODYS_PRIVILEGES = ["SeChangeNotifyPrivilege"];

/** What members of BUILTIN\Administrators hold here. */
const ADMINISTRATORS_PRIVILEGES = [
  "SeBackupPrivilege",
  "SeRestorePrivilege",
  "SeSecurityPrivilege",
  "SeTakeOwnershipPrivilege",
];

export interface Surroundings {
  readonly domainName: string;
  readonly machineSid: string;
  readonly workstation: string;
}

const optionalWorkstation = (name: string): { readonly workstation?: string } =>
  name === "" ? {} : { workstation: name };

export function userIdentity(account: Account, { domainName, machineSid, workstation }: Surroundings): Identity {
  const groups = [
    `${machineSid}-${DomainRid.USERS}`,
    WellKnownSid.EVERYONE,
    WellKnownSid.NETWORK,
    WellKnownSid.AUTHENTICATED_USERS,
    WellKnownSid.BUILTIN_USERS,
    ...(account.admin ? [WellKnownSid.BUILTIN_ADMINISTRATORS] : []),
    ...account.groups,
  ];
  const privileges = [
    ...EVERYBODYS_PRIVILEGES,
    ...(account.admin ? ADMINISTRATORS_PRIVILEGES : []),
    ...account.privileges,
  ];
  return {
    kind: "user",
    userName: account.name,
    domainName,
    sid: `${machineSid}-${account.rid}`,
    groups: [...new Set(groups)],
    privileges: [...new Set(privileges)],
    ...optionalWorkstation(workstation),
  };
}

/** A guest is no authenticated user. @param account the account that stands for guests, where there is one */
export function guestIdentity(
  userName: string,
  account: Account | undefined,
  { domainName, machineSid, workstation }: Surroundings,
): Identity {
  return {
    kind: "guest",
    userName: account?.name ?? userName,
    domainName,
    sid: `${machineSid}-${account?.rid ?? DomainRid.GUEST}`,
    groups: [
      `${machineSid}-${DomainRid.GUESTS}`,
      WellKnownSid.EVERYONE,
      WellKnownSid.NETWORK,
      WellKnownSid.BUILTIN_GUESTS,
    ],
    privileges: EVERYBODYS_PRIVILEGES,
    ...optionalWorkstation(workstation),
  };
}

/** Anonymous sessions exist only where the configuration allows them, and then count as part of Everyone. */
export function anonymousIdentity(workstation: string): Identity {
  return {
    kind: "anonymous",
    userName: "ANONYMOUS LOGON",
    domainName: "NT AUTHORITY",
    sid: WellKnownSid.ANONYMOUS,
    groups: [WellKnownSid.EVERYONE, WellKnownSid.NETWORK],
    privileges: EVERYBODYS_PRIVILEGES,
    ...optionalWorkstation(workstation),
  };
}
