// SPDX-License-Identifier: Apache-2.0

import { WellKnownSid } from "../../nt/sid.ts";
import { NtStatus } from "../../nt/status.ts";
import type { Operation } from "../interface.ts";
import type { NdrWriter } from "../ndr.ts";
import { writeSid } from "../sid.ts";
import { PolicyAccess, readPolicyHandle } from "./policy.ts";

/** Privileges that mean something on a file server, with the low part of their LUID (MS-LSAD 3.1.1.2.1). */
const privileges: readonly (readonly [name: string, luid: number])[] = [
  ["SeSecurityPrivilege", 8],
  ["SeTakeOwnershipPrivilege", 9],
  ["SeBackupPrivilege", 17],
  ["SeRestorePrivilege", 18],
  ["SeChangeNotifyPrivilege", 23],
  ["SeManageVolumePrivilege", 28],
  ["SeCreateSymbolicLinkPrivilege", 35],
];

/** The account objects: groups that hold privileges by themselves. */
const privilegedAccounts: readonly string[] = [WellKnownSid.BUILTIN_ADMINISTRATORS];

/** Enumerates a list from where the caller's context stands, in one answer. */
function enumeration<T>(list: readonly T[], writeEntry: (output: NdrWriter, entry: T) => void): Operation {
  return (call, input, output) => {
    const policy = readPolicyHandle(call, input);
    const context = input.u32();
    input.u32();
    const allowed = policy.allows(PolicyAccess.VIEW_LOCAL_INFORMATION);
    const entries = allowed ? list.slice(context) : [];
    output.u32(context + entries.length);
    output.construct(() => {
      output.u32(entries.length);
      output.pointer(
        entries.length === 0 ? undefined : () => output.conformantArray(entries, (entry) => writeEntry(output, entry)),
      );
    });
    if (!allowed) output.u32(NtStatus.ACCESS_DENIED);
    else output.u32(entries.length === 0 ? NtStatus.NO_MORE_ENTRIES : NtStatus.SUCCESS);
  };
}

/** LsarEnumeratePrivileges (MS-LSAD 3.1.4.8.1). */
export const lsarEnumeratePrivileges: Operation = enumeration(privileges, (output, [name, luid]) => {
  output.unicodeString(name);
  output.u32(luid);
  output.u32(0);
});

/** LsarEnumerateAccounts (MS-LSAD 3.1.4.5.2). */
export const lsarEnumerateAccounts: Operation = enumeration(privilegedAccounts, (output, sid) =>
  output.pointer(() => writeSid(output, sid)),
);

/** LsarLookupPrivilegeValue (MS-LSAD 3.1.4.8.2). */
export const lsarLookupPrivilegeValue: Operation = (call, input, output) => {
  const policy = readPolicyHandle(call, input);
  const name = input.unicodeString()().toLowerCase();
  const found = privileges.find(([known]) => known.toLowerCase() === name);
  const allowed = policy.allows(PolicyAccess.LOOKUP_NAMES);
  output.u32(allowed ? (found?.[1] ?? 0) : 0);
  output.u32(0);
  if (!allowed) output.u32(NtStatus.ACCESS_DENIED);
  else output.u32(found === undefined ? NtStatus.NO_SUCH_PRIVILEGE : NtStatus.SUCCESS);
};

/** LsarLookupPrivilegeName (MS-LSAD 3.1.4.8.3). */
export const lsarLookupPrivilegeName: Operation = (call, input, output) => {
  const policy = readPolicyHandle(call, input);
  const low = input.u32();
  const high = input.u32();
  const allowed = policy.allows(PolicyAccess.LOOKUP_NAMES);
  const found = allowed && high === 0 ? privileges.find(([, luid]) => luid === low) : undefined;
  output.pointer(found === undefined ? undefined : () => output.construct(() => output.unicodeString(found[0])));
  if (!allowed) output.u32(NtStatus.ACCESS_DENIED);
  else output.u32(found === undefined ? NtStatus.NO_SUCH_PRIVILEGE : NtStatus.SUCCESS);
};
