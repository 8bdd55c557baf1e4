// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Reader } from "../../wire/cursor.ts";
import { decodePipeWait } from "../../wire/fscc/pipe.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/** FSCTL_PIPE_TRANSCEIVE (MS-SMB2 3.3.5.15.3): a write and a read in one. */
export function pipeTransceive(request: Request, ioctl: IoctlRequest): Buffer {
  const { pipe } = request.pipeOpen;
  pipe.write(ioctl.input);
  const answer = pipe.read(ioctl.maxOutputResponse);
  if (answer === undefined) return NO_OUTPUT;
  if (answer.more) request.status = NtStatus.BUFFER_OVERFLOW;
  return answer.data;
}

/** FSCTL_PIPE_PEEK (MS-SMB2 3.3.5.15.4) is answered by no pipe here: their answers are complete when they can be read. */
export function pipePeek(): Buffer {
  throw new SmbError(NtStatus.NOT_SUPPORTED);
}

/** FSCTL_PIPE_WAIT (MS-SMB2 3.3.5.15.10): pipes are always free. */
export function pipeWait(request: Request, ioctl: IoctlRequest): Buffer {
  if (request.tree.share !== undefined) throw new SmbError(NtStatus.NOT_SUPPORTED);
  const { identity } = request.session;
  const { name } = decodePipeWait(new Reader(ioctl.input));
  const pipe = identity && request.server.context.pipes.open(name.toLowerCase(), identity);
  if (pipe === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  pipe.close();
  return NO_OUTPUT;
}
