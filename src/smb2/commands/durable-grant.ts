// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { holdsHandleCaching } from "../state/durability.ts";
import type { FileOpen } from "../state/open.ts";
import type { CacheRights } from "../state/persistent-opens.ts";
import { GlobalCapability } from "../wire/constants.ts";
import type { DurableRequest } from "./durable-contexts.ts";

/** Rights of which a handle needs one to be found again by its CreateGuid (MS-SMB2 3.3.5.9.10). */
const REPLAYABLE_ACCESS = Access.READ_DATA | Access.EXECUTE | Access.WRITE_DATA | Access.APPEND_DATA | Access.DELETE;

/** Whether handles of this tree connect may be persistent (TreeConnect.Share.IsCA, MS-SMB2 3.3.5.9.10). */
export function allowsPersistence({ server, connection, tree }: Request): boolean {
  const capable = (connection.serverCapabilities & GlobalCapability.PERSISTENT_HANDLES) !== 0;
  return capable && tree.share?.continuousAvailability === true && server.persistentOpens !== undefined;
}

/**
 * Makes a handle that has just been opened persistent where that is asked for and possible. It is in the store, with the
 * cache rights that it may get, before anything is said to the client.
 */
export async function grantPersistence(
  request: Request,
  open: FileOpen,
  asked: DurableRequest,
  expected: CacheRights,
): Promise<void> {
  const { server, session } = request;
  const { persistentOpens } = server;
  if (!asked.persistent || asked.createGuid === undefined || persistentOpens === undefined) return;
  if (!allowsPersistence(request) || isDirectory(open) || session.identity?.kind !== "user") return;
  open.createGuid = asked.createGuid;
  open.durability = { kind: "persistent", owner: session.identity.sid, timeout: timeoutFor(request, asked) };
  server.durableOpens.add(open);
  persistentOpens.add(open);
  try {
    await persistentOpens.save(open, expected);
  } catch (error) {
    if (!(error instanceof SmbError)) throw error;
    if (open.isDisconnected) {
      await server.close(open);
      return;
    }
    // It is an ordinary handle then; the client is told so.
    server.durableOpens.remove(open);
    await persistentOpens.forget(open);
    open.durability = undefined;
  }
}

/**
 * Makes a handle that has just got its oplock or lease durable, where it can be: the client may cache the handle, and is a
 * user who can be told from others when he comes back (MS-SMB2 3.3.5.9.6, 3.3.5.9.10).
 */
export function grantDurability(request: Request, open: FileOpen, asked: DurableRequest): void {
  const { server, session } = request;
  if (isDirectory(open)) return;
  if (asked.createGuid !== undefined) {
    open.createGuid = asked.createGuid;
    open.isReplayEligible = (open.grantedAccess & REPLAYABLE_ACCESS) !== 0 || open.durability?.kind === "persistent";
    server.createReplays.add(open);
  }
  if (open.durability !== undefined || session.identity?.kind !== "user" || !holdsHandleCaching(open)) return;
  open.durability = { kind: "durable", owner: session.identity.sid, timeout: timeoutFor(request, asked) };
  server.durableOpens.add(open);
}

function isDirectory(open: FileOpen): boolean {
  return open.file.node.directory && open.stream.name === "";
}

function timeoutFor(request: Request, asked: DurableRequest): number {
  const { durableTimeout, maxDurableTimeout } = request.server.context.options;
  return asked.timeout === 0 ? durableTimeout : Math.min(asked.timeout, maxDurableTimeout);
}
