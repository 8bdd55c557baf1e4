// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { PipeOpen } from "../state/open.ts";
import { CreateAction, ImpersonationLevel, OplockLevel } from "../wire/constants.ts";
import { type CreateRequest, encodeCreateResponse } from "../wire/create.ts";
import { checkHandleLimit } from "./register-open.ts";

/** Opens a named pipe on IPC$ (MS-FSA 2.1.5.2, MS-SMB2 3.3.5.9). */
export function createPipe(request: Request, message: CreateRequest): void {
  const { session, server, tree } = request;
  const { identity } = session;
  if (identity === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (message.impersonationLevel === ImpersonationLevel.DELEGATE) throw new SmbError(NtStatus.BAD_IMPERSONATION_LEVEL);
  checkHandleLimit(request);
  const pipe = server.context.pipes.open(message.name.replace(/^\\/, "").toLowerCase(), identity);
  if (pipe === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  const id = server.allocateFileId();
  const open: PipeOpen = {
    kind: "pipe",
    persistentId: id,
    volatileId: id,
    session,
    tree,
    grantedAccess: Access.FILE_ALL,
    closing: false,
    fileName: message.name,
    pipe,
    waitingReads: [],
  };
  session.opens.set(id, open);
  server.context.metrics.opens(1);
  const fileId = { persistent: id, volatile: id };
  request.publishFileId(fileId);
  encodeCreateResponse(request.writer, {
    oplockLevel: OplockLevel.NONE,
    flags: 0,
    createAction: CreateAction.OPENED,
    creationTime: 0n,
    lastAccessTime: 0n,
    lastWriteTime: 0n,
    changeTime: 0n,
    allocationSize: 4096n,
    endOfFile: 0n,
    fileAttributes: FileAttribute.NORMAL,
    fileId,
    contexts: [],
  });
}
