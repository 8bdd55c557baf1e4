// SPDX-License-Identifier: Apache-2.0

import { Access } from "../nt/access-mask.ts";
import type { FileListing, SessionListing } from "../rpc/pipe.ts";
import type { Smb2Server } from "../smb2/server.ts";
import type { FileOpen, Open } from "../smb2/state/open.ts";
import type { Session } from "../smb2/state/session.ts";
import { sharePath } from "./share-name.ts";

/** fi3_permissions, with the rights that each stands for (MS-SRVS 2.2.4.7). */
const PERMISSIONS: readonly (readonly [permission: number, rights: number])[] = [
  [0x01, Access.READ_DATA],
  [0x02, Access.WRITE_DATA],
  [0x04, Access.APPEND_DATA],
  [0x08, Access.EXECUTE],
  [0x10, Access.DELETE],
  [0x20, Access.WRITE_ATTRIBUTES],
  [0x40, Access.WRITE_DAC],
];

/** The sessions on which somebody has logged on (MS-SMB2 3.3.4.18). @param now milliseconds since 1970 */
export function listSessions(smb: Smb2Server, now: number): SessionListing[] {
  const listings: SessionListing[] = [];
  for (const session of smb.sessions.values()) {
    if (session.identity === undefined || session.state === "closing") continue;
    const [connection] = session.channels.keys();
    listings.push({
      client: connection?.remoteAddress ?? "",
      userName: userOf(session),
      guest: session.identity.kind === "guest",
      opens: session.opens.size,
      connectedFor: now - session.created,
      idleFor: now - session.lastUsed,
    });
  }
  return listings;
}

/** All handles, also those that wait for their client to come back (GlobalOpenTable, MS-SMB2 3.3.4.20). */
export function listOpenFiles(smb: Smb2Server): FileListing[] {
  const listings: FileListing[] = [];
  for (const session of smb.sessions.values()) {
    for (const open of session.opens.values()) listings.push(describe(open, userOf(session)));
  }
  for (const open of smb.durableOpens.disconnected) listings.push(describe(open, ""));
  return listings;
}

function userOf({ identity }: Session): string {
  return identity === undefined || identity.kind === "anonymous" ? "" : identity.userName;
}

function describe(open: Open, userName: string): FileListing {
  let permissions = 0;
  for (const [permission, rights] of PERMISSIONS) if ((open.grantedAccess & rights) !== 0) permissions |= permission;
  return {
    id: Number(BigInt.asUintN(32, open.persistentId)),
    permissions,
    locks: open.kind === "file" ? open.stream.locks.count(open) : 0,
    path: open.kind === "file" ? pathOf(open) : `\\PIPE\\${open.fileName}`,
    userName,
  };
}

function pathOf({ tree, link, stream }: FileOpen): string {
  const path = [sharePath(tree.shareName), ...link.path].join("\\");
  return stream.name === "" ? path : `${path}:${stream.name}`;
}
