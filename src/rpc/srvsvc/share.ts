// SPDX-License-Identifier: Apache-2.0

import { type EnumLevel, enumeration } from "../enumeration.ts";
import { isAdministrator, isAuthenticated, type Operation, type RpcCall } from "../interface.ts";
import type { NdrWriter } from "../ndr.ts";
import type { ShareListing } from "../pipe.ts";
import { Win32Error } from "../win32.ts";

/** STYPE_CLUSTER_FS, _SOFS, _DFS: never sent to a client (MS-SRVS 3.1.4.8). */
const STYPE_CLUSTER_MASK = 0x0e000000;
/** SHI_USES_UNLIMITED (MS-SRVS 2.2.2.3). */
const SHI_USES_UNLIMITED = 0xffffffff;

function writeName(output: NdrWriter, share: ShareListing): void {
  output.uniqueString(share.name);
}

function writeNameTypeRemark(output: NdrWriter, share: ShareListing): void {
  writeName(output, share);
  output.u32(share.type & ~STYPE_CLUSTER_MASK);
  output.uniqueString(share.comment);
}

/** SHARE_INFO_2, with which the levels 502 and 503 begin. There are no share-level passwords. */
function writeLevel2(output: NdrWriter, share: ShareListing): void {
  writeNameTypeRemark(output, share);
  output.u32(0);
  output.u32(SHI_USES_UNLIMITED);
  output.u32(share.currentUsers);
  output.uniqueString(share.path);
  output.uniqueString(undefined);
}

function writeDescriptor(output: NdrWriter, descriptor: Buffer | undefined): void {
  output.u32(descriptor?.length ?? 0);
  output.pointer(
    descriptor === undefined
      ? undefined
      : () => {
          output.u32(descriptor.length);
          output.bytes(descriptor);
        },
  );
}

const nameOnly = (share: ShareListing) => [share.name];
const nameAndRemark = (share: ShareListing) => [share.name, share.comment];
const nameRemarkAndPath = (share: ShareListing) => [share.name, share.comment, share.path];

/** MS-SRVS 2.2.4.22 to 2.2.4.27. Levels that show the path and the descriptor are for administrators (MS-SRVS 3.1.4.10). */
const levels: ReadonlyMap<number, EnumLevel<ShareListing>> = new Map<number, EnumLevel<ShareListing>>([
  [0, { administrators: false, size: 4, strings: nameOnly, write: writeName }],
  [1, { administrators: false, size: 12, strings: nameAndRemark, write: writeNameTypeRemark }],
  [2, { administrators: true, size: 32, strings: nameRemarkAndPath, write: writeLevel2 }],
  [
    501,
    {
      administrators: false,
      size: 16,
      strings: nameAndRemark,
      write: (output, share) => {
        writeNameTypeRemark(output, share);
        output.u32(share.flags ?? 0);
      },
    },
  ],
  [
    502,
    {
      administrators: true,
      size: 40,
      strings: nameRemarkAndPath,
      write: (output, share) => {
        writeLevel2(output, share);
        writeDescriptor(output, share.securityDescriptor);
      },
    },
  ],
  [
    503,
    {
      administrators: true,
      size: 44,
      strings: nameRemarkAndPath,
      write: (output, share) => {
        writeLevel2(output, share);
        // A share that is not scoped to a server name belongs to "*".
        output.uniqueString("*");
        writeDescriptor(output, share.securityDescriptor);
      },
    },
  ],
]);

/** NetrShareEnum and NetrShareEnumSticky (MS-SRVS 3.1.4.8, 3.1.4.9): every share comes from the configuration. */
function shareEnum(accepted: readonly number[]): Operation {
  return enumeration({
    filters: 0,
    levels,
    accepted,
    list: ({ caller, environment }) =>
      isAuthenticated(caller) ? environment.shares(caller) : Win32Error.ACCESS_DENIED,
  });
}

export const netrShareEnum: Operation = shareEnum([0, 1, 2, 501, 502, 503]);
export const netrShareEnumSticky: Operation = shareEnum([0, 1, 2, 502, 503]);

function findShare(call: RpcCall, name: string): ShareListing | undefined {
  const wanted = name.toLowerCase();
  return call.environment.shares(call.caller).find((share) => share.name.toLowerCase() === wanted);
}

/** NetrShareGetInfo (MS-SRVS 3.1.4.10). */
export const netrShareGetInfo: Operation = (call, input, output) => {
  input.uniqueString();
  const name = input.string();
  const number = input.u32();

  const fail = (error: number): void => {
    output.u32(number);
    output.u32(0);
    output.u32(error);
  };
  const level = levels.get(number);
  if (level === undefined && number !== 1005) return fail(Win32Error.INVALID_LEVEL);
  if (name === "") return fail(Win32Error.INVALID_PARAMETER);
  if (!isAuthenticated(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  if (level?.administrators && !isAdministrator(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  const share = findShare(call, name);
  if (share === undefined) return fail(Win32Error.NERR_NET_NAME_NOT_FOUND);

  output.u32(number);
  output.pointer(() =>
    output.construct(() => {
      if (level === undefined) output.u32(share.flags ?? 0);
      else level.write(output, share);
    }),
  );
  output.u32(Win32Error.SUCCESS);
};
