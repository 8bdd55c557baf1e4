// SPDX-License-Identifier: Apache-2.0

import { emptyEnum } from "../empty-enum.ts";
import { isAdministrator, isAuthenticated, type Operation, type RpcInterface } from "../interface.ts";
import { PLATFORM_ID_NT, VERSION_MAJOR, VERSION_MINOR, Win32Error } from "../win32.ts";

/** WKSTA_INFO_100 to 102 (MS-WKST 2.2.5.1 to 2.2.5.3). */
const LEVELS: readonly number[] = [100, 101, 102];

/** NetrWkstaGetInfo (MS-WKST 3.2.4.1). Level 102 is for administrators. */
export const netrWkstaGetInfo: Operation = (call, input, output) => {
  input.uniqueString();
  const level = input.u32();
  const fail = (error: number): void => {
    output.u32(level);
    output.u32(0);
    output.u32(error);
  };
  if (!LEVELS.includes(level)) return fail(Win32Error.INVALID_LEVEL);
  if (!isAuthenticated(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  if (level === 102 && !isAdministrator(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  output.u32(level);
  output.pointer(() =>
    output.construct(() => {
      output.u32(PLATFORM_ID_NT);
      output.uniqueString(call.environment.serverName);
      output.uniqueString(call.environment.domainName);
      output.u32(VERSION_MAJOR);
      output.u32(VERSION_MINOR);
      if (level >= 101) output.uniqueString("");
      // Nobody works at the console of a gateway.
      if (level >= 102) output.u32(0);
    }),
  );
  output.u32(Win32Error.SUCCESS);
};

/** The Workstation Service Remote Protocol, as far as a file server has answers (MS-WKST 3.2.4). */
export const wkssvc: RpcInterface = {
  syntax: { uuid: "6bffd098-a112-3610-9833-46c3f87e345a", major: 1, minor: 0 },
  operations: new Map([
    [0, netrWkstaGetInfo],
    // NetrWkstaUserEnum (MS-WKST 3.2.4.3).
    [2, emptyEnum(0, [0, 1])],
  ]),
};
