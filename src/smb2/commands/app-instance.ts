// SPDX-License-Identifier: Apache-2.0

import { grantedMaximum } from "../../nt/access-check.ts";
import { Access } from "../../nt/access-mask.ts";
import { foldName, type SharePath } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { type AppInstance, outranks } from "../state/app-instance.ts";
import type { FileOpen } from "../state/open.ts";
import { samePath } from "../state/shared-file.ts";
import { Dialect } from "../wire/constants.ts";
import { decodeAppInstanceId, decodeAppInstanceVersion } from "../wire/create-context-data.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../wire/create-contexts.ts";

/** The application that opens, where it says so (MS-SMB2 3.3.5.9, "Successful Open Initialization"). */
export function appInstanceOf(request: Request, contexts: readonly CreateContext[]): AppInstance | undefined {
  const { dialect } = request.connection;
  if (contexts.length === 0 || dialect < Dialect.SMB_3_0) return undefined;
  const id = findCreateContext(contexts, CreateContextName.APP_INSTANCE_ID);
  if (id === undefined) return undefined;
  const version =
    dialect === Dialect.SMB_3_1_1 ? findCreateContext(contexts, CreateContextName.APP_INSTANCE_VERSION) : undefined;
  return {
    id: Buffer.from(decodeAppInstanceId(id)),
    version: version === undefined ? undefined : decodeAppInstanceVersion(version),
  };
}

/**
 * Closes what the same application holds of a file on another client, from before it moved (MS-SMB2 3.3.5.9.13). Whoever
 * may not read the file closes nothing.
 * @throws SmbError FILE_FORCED_CLOSED a later start of the application holds the file
 */
export async function closeFormerInstance(request: Request, instance: AppInstance, path: SharePath): Promise<void> {
  const { server, session, connection } = request;
  for (const open of server.appInstances.find(instance.id)) {
    if (open.clientGuid.equals(connection.clientGuid) || !isTarget(request, open, path)) continue;
    const held = open.appInstance?.version;
    if (held !== undefined && (instance.version === undefined || outranks(held, instance.version))) {
      throw new SmbError(NtStatus.FILE_FORCED_CLOSED);
    }
    const security = await open.file.node.security();
    if (session.identity === undefined || open.closing) continue;
    const rights = grantedMaximum(security, session.identity) & request.tree.maximalAccess;
    if ((rights & Access.FILE_GENERIC_READ) === (Access.FILE_GENERIC_READ & request.tree.maximalAccess)) {
      await server.close(open);
    }
  }
}

function isTarget({ tree }: Request, open: FileOpen, path: SharePath): boolean {
  return (
    open.tree.shareName === tree.shareName &&
    open.tree.files === tree.files &&
    samePath(open.link.path, path.components) &&
    foldName(open.stream.name) === foldName(path.stream)
  );
}
