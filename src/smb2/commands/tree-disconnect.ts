// SPDX-License-Identifier: Apache-2.0

import type { Request } from "../request.ts";
import { decodeTreeDisconnectRequest, encodeTreeDisconnectResponse } from "../wire/tree-disconnect.ts";
import { command } from "./command.ts";

/** SMB2 TREE_DISCONNECT (MS-SMB2 3.3.5.8). */
export const treeDisconnect = command({
  decode: decodeTreeDisconnectRequest,
  handle,
  session: true,
  tree: true,
});

async function handle(request: Request): Promise<void> {
  await request.server.closeTree(request.tree);
  encodeTreeDisconnectResponse(request.writer);
}
