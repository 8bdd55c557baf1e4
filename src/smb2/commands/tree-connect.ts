// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { Share } from "../server-context.ts";
import { TreeConnect } from "../state/tree-connect.ts";
import { Dialect, ShareCapability, ShareFlag, ShareType } from "../wire/constants.ts";
import { decodeTreeConnectRequest, encodeTreeConnectResponse, type TreeConnectRequest } from "../wire/tree-connect.ts";
import { command } from "./command.ts";

/** Rights on a named pipe. */
const PIPE_ACCESS = Access.FILE_ALL;

/** SMB2 TREE_CONNECT (MS-SMB2 3.3.5.7). */
export const treeConnect = command({
  decode: (reader, connection) => decodeTreeConnectRequest(reader, connection.dialect === Dialect.SMB_3_1_1),
  handle,
  session: true,
  tree: false,
});

function handle(request: Request, message: TreeConnectRequest): void {
  const { session, server, connection } = request;
  const unprotected = !request.isEncrypted && !request.isSigned;
  if (connection.dialect === Dialect.SMB_3_1_1 && session.canSign && unprotected) {
    // Without signature a man in the middle could have removed the whole negotiation (MS-SMB2 3.3.5.7).
    connection.disconnect();
    return;
  }
  if (session.trees.size >= server.context.options.maxTreesPerSession) {
    throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
  }
  const name = shareName(message.path);
  if (name.toUpperCase() === "IPC$") {
    connectPipe(request);
    return;
  }
  const share = server.context.findShare(name);
  if (share === undefined) throw new SmbError(NtStatus.BAD_NETWORK_NAME);
  connectDisk(request, share);
}

/** The share of `\\server\share`. @throws SmbError INVALID_PARAMETER for another form, or too long a name (MS-SMB2 2.2.9) */
function shareName(path: string): string {
  const match = /^\\\\[^\\]{1,255}\\([^\\]{1,80})$/.exec(path);
  if (match?.[1] === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  return match[1];
}

function connectPipe(request: Request): void {
  const { session } = request;
  const tree = new TreeConnect({
    treeId: session.allocateTreeId(),
    session,
    share: undefined,
    files: undefined,
    maximalAccess: PIPE_ACCESS,
    encryptData: false,
  });
  respond(request, tree, ShareType.PIPE, ShareFlag.NO_CACHING);
}

function connectDisk(request: Request, share: Share): void {
  const { session, server, connection } = request;
  if (session.identity === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  const maximalAccess = share.maximalAccess(session.identity);
  if (maximalAccess === 0) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (share.encryption === "required" && session.cipher === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  const tree = new TreeConnect({
    treeId: session.allocateTreeId(),
    session,
    share,
    files: server.fileTable(share.volume),
    maximalAccess,
    encryptData: share.encryption === "required",
  });
  let flags: number = ShareFlag.MANUAL_CACHING;
  if (share.encryption !== "off" && session.cipher !== undefined && connection.dialect >= Dialect.SMB_3_0) {
    if (share.encryption === "required") flags |= ShareFlag.ENCRYPT_DATA;
  }
  if (share.accessBasedEnumeration) flags |= ShareFlag.ACCESS_BASED_DIRECTORY_ENUM;
  const available = share.continuousAvailability && connection.dialect >= Dialect.SMB_3_0 && server.persistentOpens;
  respond(request, tree, ShareType.DISK, flags, available ? ShareCapability.CONTINUOUS_AVAILABILITY : 0);
}

function respond(request: Request, tree: TreeConnect, shareType: number, shareFlags: number, capabilities = 0): void {
  request.session.trees.set(tree.treeId, tree);
  request.header.treeId = tree.treeId;
  request.tree = tree;
  request.chain.tree = tree;
  request.chain.treeId = tree.treeId;
  encodeTreeConnectResponse(request.writer, {
    shareType,
    shareFlags,
    capabilities,
    maximalAccess: tree.maximalAccess,
  });
}
