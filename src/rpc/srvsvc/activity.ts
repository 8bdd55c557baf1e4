// SPDX-License-Identifier: Apache-2.0

import { type EnumLevel, enumeration } from "../enumeration.ts";
import type { Operation } from "../interface.ts";
import type { NdrWriter } from "../ndr.ts";
import type { FileListing, SessionListing } from "../pipe.ts";
import { Win32Error } from "../win32.ts";

/** UTF-16 units of a filter with its terminator (MS-SRVS 3.1.4.2, 3.1.4.5). */
const MAX_FILTER_UNITS = 1024;
/** SESS_GUEST (MS-SRVS 2.2.4.12). */
const SESS_GUEST = 0x00000001;

/** The computer as clients know it: with the backslashes that its name begins with in a path. */
const computerOf = (session: SessionListing) => `\\\\${session.client}`;
const seconds = (milliseconds: number) => Math.max(0, Math.floor(milliseconds / 1000));

function writeTimes(output: NdrWriter, session: SessionListing): void {
  output.u32(seconds(session.connectedFor));
  output.u32(seconds(session.idleFor));
}

function writeSession1(output: NdrWriter, session: SessionListing): void {
  output.uniqueString(computerOf(session));
  output.uniqueString(session.userName);
  output.u32(session.opens);
  writeTimes(output, session);
  output.u32(session.guest ? SESS_GUEST : 0);
}

/** The client type is empty (MS-SMB2 3.3.4.18). */
function writeSession2(output: NdrWriter, session: SessionListing): void {
  writeSession1(output, session);
  output.uniqueString("");
}

const computerAndUser = (session: SessionListing) => [computerOf(session), session.userName];
const withClientType = (session: SessionListing) => [...computerAndUser(session), ""];

/** SESSION_INFO_0, 1, 2, 10 and 502 (MS-SRVS 2.2.4.11 to 2.2.4.15). */
const sessionLevels: ReadonlyMap<number, EnumLevel<SessionListing>> = new Map<number, EnumLevel<SessionListing>>([
  [
    0,
    {
      administrators: true,
      size: 4,
      strings: (session) => [computerOf(session)],
      write: (output, session) => output.uniqueString(computerOf(session)),
    },
  ],
  [1, { administrators: true, size: 24, strings: computerAndUser, write: writeSession1 }],
  [2, { administrators: true, size: 28, strings: withClientType, write: writeSession2 }],
  [
    10,
    {
      administrators: true,
      size: 16,
      strings: computerAndUser,
      write(output, session) {
        output.uniqueString(computerOf(session));
        output.uniqueString(session.userName);
        writeTimes(output, session);
      },
    },
  ],
  [
    502,
    {
      administrators: true,
      size: 32,
      strings: (session) => [...withClientType(session), ""],
      // The transport has no name.
      write(output, session) {
        writeSession2(output, session);
        output.uniqueString("");
      },
    },
  ],
]);

const sameText = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();
const isTooLong = (filter: string | undefined) => filter !== undefined && filter.length >= MAX_FILTER_UNITS;

/** NetrSessionEnum (MS-SRVS 3.1.4.5). */
export const netrSessionEnum: Operation = enumeration({
  filters: 2,
  levels: sessionLevels,
  list({ environment }, [client, user]) {
    if (isTooLong(client) || isTooLong(user)) return Win32Error.INVALID_PARAMETER;
    if (client && !client.startsWith("\\\\")) return Win32Error.NERR_INVALID_COMPUTER;
    const onClient = environment.sessions().filter((session) => !client || sameText(computerOf(session), client));
    if (client && onClient.length === 0) return Win32Error.NERR_CLIENT_NAME_NOT_FOUND;
    const found = onClient.filter(({ userName }) => !user || sameText(userName, user));
    return user && found.length === 0 ? Win32Error.NERR_USER_NOT_FOUND : found;
  },
});

/** FILE_INFO_2 and 3 (MS-SRVS 2.2.4.6, 2.2.4.7). */
const fileLevels: ReadonlyMap<number, EnumLevel<FileListing>> = new Map<number, EnumLevel<FileListing>>([
  [2, { administrators: true, size: 4, strings: () => [], write: (output, file) => output.u32(file.id) }],
  [
    3,
    {
      administrators: true,
      size: 20,
      strings: (file) => [file.path, file.userName],
      write(output, file) {
        output.u32(file.id);
        output.u32(file.permissions);
        output.u32(file.locks);
        output.uniqueString(file.path);
        output.uniqueString(file.userName);
      },
    },
  ],
]);

/** NetrFileEnum (MS-SRVS 3.1.4.2). */
export const netrFileEnum: Operation = enumeration({
  filters: 2,
  levels: fileLevels,
  list({ environment }, [basePath, user]) {
    if (isTooLong(basePath) || isTooLong(user)) return Win32Error.INVALID_PARAMETER;
    return environment
      .openFiles()
      .filter(({ path, userName }) => (!basePath || isUnder(path, basePath)) && (!user || sameText(userName, user)));
  },
});

/** A prefix ends where a component does. */
function isUnder(path: string, base: string): boolean {
  const prefix = base.replace(/\\$/, "");
  return (
    sameText(path.slice(0, prefix.length), prefix) && (path.length === prefix.length || path[prefix.length] === "\\")
  );
}
