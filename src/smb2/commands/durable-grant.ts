// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import type { Request } from "../request.ts";
import { holdsHandleCaching } from "../state/durability.ts";
import type { FileOpen } from "../state/open.ts";
import type { DurableRequest } from "./durable-contexts.ts";

/** Rights of which a handle needs one to be found again by its CreateGuid (MS-SMB2 3.3.5.9.10). */
const REPLAYABLE_ACCESS = Access.READ_DATA | Access.EXECUTE | Access.WRITE_DATA | Access.APPEND_DATA | Access.DELETE;

/**
 * Makes a handle that has just got its oplock or lease durable, where it can be: the client may cache the handle, and is a
 * user who can be told from others when he comes back (MS-SMB2 3.3.5.9.6, 3.3.5.9.10).
 */
export function grantDurability(request: Request, open: FileOpen, asked: DurableRequest): void {
  const { server, session } = request;
  const { options } = server.context;
  if (open.file.node.directory && open.stream.name === "") return;
  if (asked.createGuid !== undefined) {
    open.createGuid = asked.createGuid;
    open.isReplayEligible = (open.grantedAccess & REPLAYABLE_ACCESS) !== 0;
    server.createReplays.add(open);
  }
  if (session.identity?.kind !== "user" || !holdsHandleCaching(open)) return;
  const timeout = asked.timeout === 0 ? options.durableTimeout : Math.min(asked.timeout, options.maxDurableTimeout);
  open.durability = { kind: "durable", owner: session.identity.sid, timeout };
  server.durableOpens.add(open);
}
