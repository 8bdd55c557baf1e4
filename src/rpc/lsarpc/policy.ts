// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../nt/status.ts";
import { CONTEXT_HANDLE_SIZE, NULL_CONTEXT_HANDLE } from "../handles.ts";
import { isAdministrator, isAuthenticated, type Operation, type RpcCall } from "../interface.ts";
import type { NdrReader, NdrWriter } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { writeSid } from "../sid.ts";

/** Rights on the policy object (MS-LSAD 2.2.1.1.2). */
export const PolicyAccess = {
  VIEW_LOCAL_INFORMATION: 0x00000001,
  VIEW_AUDIT_INFORMATION: 0x00000002,
  GET_PRIVATE_INFORMATION: 0x00000004,
  LOOKUP_NAMES: 0x00000800,
} as const;

const READ_CONTROL = 0x00020000;
const MAXIMUM_ALLOWED = 0x02000000;
/** Generic rights and what they stand for on a policy object (MS-LSAD 2.2.1.1.2). */
const GENERIC_RIGHTS: readonly (readonly [generic: number, specific: number])[] = [
  [0x80000000, 0x00020006],
  [0x40000000, 0x000207f8],
  [0x20000000, 0x00020801],
  [0x10000000, 0x000f0fff],
];
const USER_RIGHTS = READ_CONTROL | PolicyAccess.VIEW_LOCAL_INFORMATION | PolicyAccess.LOOKUP_NAMES;
const ADMINISTRATOR_RIGHTS = 0x000f0fff;

/** An open handle to the policy object. */
export class PolicyHandle {
  readonly granted: number;

  constructor(granted: number) {
    this.granted = granted;
  }

  allows(right: number): boolean {
    return (this.granted & right) === right;
  }
}

/** Reads a policy handle. @throws RpcFault nca_s_fault_context_mismatch */
export function readPolicyHandle(call: RpcCall, input: NdrReader): PolicyHandle {
  input.align(4);
  return call.handles.get(input.bytes(CONTEXT_HANDLE_SIZE), PolicyHandle);
}

/** The rights that the caller gets for `desired`, `undefined` when it asks for more than it may have. */
function grant(call: RpcCall, desired: number): number | undefined {
  if (!isAuthenticated(call.caller)) return undefined;
  const available = isAdministrator(call.caller) ? ADMINISTRATOR_RIGHTS : USER_RIGHTS;
  if (desired & MAXIMUM_ALLOWED) return available;
  let specific = desired & 0x0fffffff;
  for (const [generic, rights] of GENERIC_RIGHTS) {
    if (desired & generic) specific |= rights;
  }
  return (specific & ~available) === 0 ? specific : undefined;
}

/** LSAPR_OBJECT_ATTRIBUTES (MS-LSAD 2.2.2.4): whether it is one that may be used, with its root directory unset. */
function readObjectAttributes(input: NdrReader): boolean {
  input.u32();
  const rootDirectory = input.u32();
  const objectName = input.u32();
  input.u32();
  const securityDescriptor = input.u32();
  const qualityOfService = input.u32();
  if (rootDirectory !== 0 || objectName !== 0 || securityDescriptor !== 0) return false;
  if (qualityOfService !== 0) {
    input.u32();
    input.u16();
    input.u8();
    input.u8();
  }
  return true;
}

function openPolicy(readSystemName: (input: NdrReader) => void): Operation {
  return (call, input, output) => {
    readSystemName(input);
    const answer = (handle: Buffer, status: number): void => {
      output.bytes(handle);
      output.u32(status);
    };
    if (!readObjectAttributes(input)) return answer(NULL_CONTEXT_HANDLE, NtStatus.INVALID_PARAMETER);
    const granted = grant(call, input.u32());
    if (granted === undefined) return answer(NULL_CONTEXT_HANDLE, NtStatus.ACCESS_DENIED);
    const handle = call.handles.open(new PolicyHandle(granted));
    if (handle === undefined) return answer(NULL_CONTEXT_HANDLE, NtStatus.INSUFFICIENT_RESOURCES);
    answer(handle, NtStatus.SUCCESS);
  };
}

/** LsarOpenPolicy (MS-LSAD 3.1.4.4.2): its system name is a single character, not a string. */
export const lsarOpenPolicy: Operation = openPolicy((input) => input.pointer(() => input.u16()));
/** LsarOpenPolicy2 (MS-LSAD 3.1.4.4.1). */
export const lsarOpenPolicy2: Operation = openPolicy((input) => input.uniqueString());

/** LsarClose (MS-LSAD 3.1.4.9.4). */
export const lsarClose: Operation = (call, input, output) => {
  call.handles.close(input.bytes(CONTEXT_HANDLE_SIZE));
  output.bytes(NULL_CONTEXT_HANDLE);
  output.u32(NtStatus.SUCCESS);
};

/** One POLICY_INFORMATION_CLASS: the right it takes, and the arm of LSAPR_POLICY_INFORMATION. */
interface InformationClass {
  readonly access: number;
  readonly write: (output: NdrWriter, environment: RpcEnvironment) => void;
}

/** The accounts of this server are a domain under the server's own name. */
const accountDomain: InformationClass = {
  access: PolicyAccess.VIEW_LOCAL_INFORMATION,
  write: (output, environment) => {
    output.unicodeString(environment.serverName);
    output.pointer(() => writeSid(output, environment.domainSid));
  },
};

/** The domain of a server that has joined none: a name and no SID. */
const dnsDomain: InformationClass = {
  access: PolicyAccess.VIEW_LOCAL_INFORMATION,
  write: (output, environment) => {
    output.unicodeString(environment.domainName);
    output.unicodeString(undefined);
    output.unicodeString(undefined);
    output.bytes(Buffer.alloc(16));
    output.pointer(undefined);
  },
};

/** PolicyServerRolePrimary (MS-LSAD 2.2.4.9). */
const POLICY_SERVER_ROLE_PRIMARY = 3;

/** MS-LSAD 2.2.4.1, 3.1.4.4.3. */
const informationClasses: ReadonlyMap<number, InformationClass> = new Map<number, InformationClass>([
  [
    // PolicyAuditEventsInformation: auditing is off.
    2,
    {
      access: PolicyAccess.VIEW_AUDIT_INFORMATION,
      write: (output) => {
        output.u32(0);
        output.u32(0);
        output.u32(0);
      },
    },
  ],
  [
    // PolicyPrimaryDomainInformation
    3,
    {
      access: PolicyAccess.VIEW_LOCAL_INFORMATION,
      write: (output, environment) => {
        output.unicodeString(environment.domainName);
        output.pointer(undefined);
      },
    },
  ],
  [
    // PolicyPdAccountInformation
    4,
    { access: PolicyAccess.GET_PRIVATE_INFORMATION, write: (output) => output.unicodeString(undefined) },
  ],
  // PolicyAccountDomainInformation
  [5, accountDomain],
  [
    // PolicyLsaServerRoleInformation
    6,
    { access: PolicyAccess.VIEW_LOCAL_INFORMATION, write: (output) => output.u16(POLICY_SERVER_ROLE_PRIMARY) },
  ],
  // PolicyDnsDomainInformation, PolicyDnsDomainInformationInt, PolicyLocalAccountDomainInformation
  [12, dnsDomain],
  [13, dnsDomain],
  [14, accountDomain],
]);

/** LsarQueryInformationPolicy and LsarQueryInformationPolicy2 (MS-LSAD 3.1.4.4.4, 3.1.4.4.3). */
export const lsarQueryInformationPolicy: Operation = (call, input, output) => {
  const policy = readPolicyHandle(call, input);
  const number = input.u16();
  const found = informationClasses.get(number);
  const fail = (status: number): void => {
    output.u32(0);
    output.u32(status);
  };
  if (found === undefined) return fail(NtStatus.INVALID_PARAMETER);
  if (!policy.allows(found.access)) return fail(NtStatus.ACCESS_DENIED);
  output.pointer(() =>
    output.construct(() => {
      output.u16(number);
      found.write(output, call.environment);
    }),
  );
  output.u32(NtStatus.SUCCESS);
};

/** LsarGetUserName (MS-LSAT 3.1.4.4). */
export const lsarGetUserName: Operation = (call, input, output) => {
  input.uniqueString();
  const readName = () =>
    input.pointer(() => {
      const finish = input.unicodeString();
      return finish();
    });
  readName();
  const wantsDomain = input.pointer(() => {
    readName();
    return true;
  });
  const { userName, domainName, kind } = call.caller;
  const anonymous = kind === "anonymous";
  output.pointer(() => output.construct(() => output.unicodeString(anonymous ? "ANONYMOUS LOGON" : userName)));
  output.pointer(
    wantsDomain === undefined
      ? undefined
      : () =>
          output.pointer(() => output.construct(() => output.unicodeString(anonymous ? "NT AUTHORITY" : domainName))),
  );
  output.u32(NtStatus.SUCCESS);
};
