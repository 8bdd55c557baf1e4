// SPDX-License-Identifier: Apache-2.0

import { isAdministrator, isAuthenticated, type Operation } from "../interface.ts";
import type { NdrWriter } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { PLATFORM_ID_NT, VERSION_MAJOR, VERSION_MINOR, Win32Error } from "../win32.ts";

/** SV_TYPE_WORKSTATION, _SERVER, _NT, _SERVER_NT (MS-SRVS 2.2.2.7). */
const SERVER_TYPE = 0x00009003;
/** SV_NODISC: idle sessions are not ended (MS-SRVS 2.2.4.43). */
const SV_NODISC = 0xffffffff;

function writeLevel100(output: NdrWriter, environment: RpcEnvironment): void {
  output.u32(PLATFORM_ID_NT);
  output.uniqueString(environment.serverName);
}

function writeLevel101(output: NdrWriter, environment: RpcEnvironment): void {
  writeLevel100(output, environment);
  output.u32(VERSION_MAJOR);
  output.u32(VERSION_MINOR);
  output.u32(SERVER_TYPE);
  output.uniqueString(environment.comment);
}

function writeLevel102(output: NdrWriter, environment: RpcEnvironment): void {
  writeLevel101(output, environment);
  output.u32(0xffffffff);
  output.u32(SV_NODISC);
  output.u32(0);
  output.u32(240);
  output.u32(3000);
  output.u32(0);
  output.uniqueString("c:\\");
}

/** SERVER_INFO_100 to 102 (MS-SRVS 2.2.4.40 to 2.2.4.42). */
const levels: ReadonlyMap<number, (output: NdrWriter, environment: RpcEnvironment) => void> = new Map([
  [100, writeLevel100],
  [101, writeLevel101],
  [102, writeLevel102],
]);

/** NetrServerGetInfo (MS-SRVS 3.1.4.17). Level 102 is for administrators. */
export const netrServerGetInfo: Operation = (call, input, output) => {
  input.uniqueString();
  const number = input.u32();
  const fail = (error: number): void => {
    output.u32(number);
    output.u32(0);
    output.u32(error);
  };
  const write = levels.get(number);
  if (write === undefined) return fail(Win32Error.INVALID_LEVEL);
  if (!isAuthenticated(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  if (number === 102 && !isAdministrator(call.caller)) return fail(Win32Error.ACCESS_DENIED);
  output.u32(number);
  output.pointer(() => output.construct(() => write(output, call.environment)));
  output.u32(Win32Error.SUCCESS);
};

/** NetrRemoteTOD (MS-SRVS 3.1.4.21): TIME_OF_DAY_INFO in UTC, so that its time zone is 0 minutes from Greenwich. */
export const netrRemoteTod: Operation = (call, input, output) => {
  input.uniqueString();
  if (!isAuthenticated(call.caller)) {
    output.u32(0);
    output.u32(Win32Error.ACCESS_DENIED);
    return;
  }
  const milliseconds = Math.floor(call.now());
  const date = new Date(milliseconds);
  output.pointer(() => {
    output.u32(Math.floor(milliseconds / 1000));
    // Counted from a starting point of the server's choice, here 1970.
    output.u32(milliseconds % 0x100000000);
    output.u32(date.getUTCHours());
    output.u32(date.getUTCMinutes());
    output.u32(date.getUTCSeconds());
    output.u32(Math.floor(date.getUTCMilliseconds() / 10));
    output.u32(0);
    // 100 ticks of 0.0001 s: the 10 ms that tod_hunds resolves.
    output.u32(100);
    output.u32(date.getUTCDate());
    output.u32(date.getUTCMonth() + 1);
    output.u32(date.getUTCFullYear());
    output.u32(date.getUTCDay());
  });
  output.u32(Win32Error.SUCCESS);
};
