// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../nt/status.ts";
import type { Operation, RpcInterface } from "../interface.ts";
import { lsarLookupNames, lsarLookupNames2, lsarLookupNames3 } from "./lookup-names.ts";
import { lsarLookupSids, lsarLookupSids2 } from "./lookup-sids.ts";
import { lsarClose, lsarGetUserName, lsarOpenPolicy, lsarOpenPolicy2, lsarQueryInformationPolicy } from "./policy.ts";
import {
  lsarEnumerateAccounts,
  lsarEnumeratePrivileges,
  lsarLookupPrivilegeName,
  lsarLookupPrivilegeValue,
} from "./privileges.ts";
import { writeFailedTranslation } from "./translation.ts";

/** LsarLookupSids3 and LsarLookupNames4 are valid on domain controllers only (MS-LSAT 3.1.4.9, 3.1.4.5). */
const domainControllersOnly: Operation = (_call, _input, output) =>
  writeFailedTranslation(output, NtStatus.INVALID_SERVER_STATE);

/** The Local Security Authority protocols, read-only (MS-LSAD 3.1.4, MS-LSAT 3.1.4). */
export const lsarpc: RpcInterface = {
  syntax: { uuid: "12345778-1234-abcd-ef00-0123456789ab", major: 0, minor: 0 },
  operations: new Map([
    [0, lsarClose],
    [2, lsarEnumeratePrivileges],
    [6, lsarOpenPolicy],
    [7, lsarQueryInformationPolicy],
    [11, lsarEnumerateAccounts],
    [14, lsarLookupNames],
    [15, lsarLookupSids],
    [31, lsarLookupPrivilegeValue],
    [32, lsarLookupPrivilegeName],
    [44, lsarOpenPolicy2],
    [45, lsarGetUserName],
    [46, lsarQueryInformationPolicy],
    [57, lsarLookupSids2],
    [58, lsarLookupNames2],
    [68, lsarLookupNames3],
    [76, domainControllersOnly],
    [77, domainControllersOnly],
  ]),
};
