// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import { decodePipeWait, encodePipePeek } from "../../wire/fscc/pipe.ts";
import { PipeState } from "../../wire/fscc/pipe-info.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { nextAnswer, writePipe } from "../pipe-io.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/** FSCTL_PIPE_TRANSCEIVE (MS-SMB2 3.3.5.15.3): a write and a read in one. */
export function pipeTransceive(request: Request, ioctl: IoctlRequest): Awaitable<Buffer> {
  const open = request.pipeOpen;
  writePipe(open, ioctl.input);
  return nextAnswer(request, open, ioctl.maxOutputResponse);
}

/** FSCTL_PIPE_PEEK (MS-SMB2 3.3.5.15.4): what is to be read, and as much of the first message as there is room for. */
export function pipePeek(request: Request, ioctl: IoctlRequest): Buffer {
  const { first, available, messages } = request.pipeOpen.pipe.peek();
  const writer = new Writer();
  encodePipePeek(writer, {
    namedPipeState: PipeState.CONNECTED,
    readDataAvailable: available,
    numberOfMessages: messages,
    messageLength: first.length,
    data: first,
  });
  const output = writer.view();
  if (output.length <= ioctl.maxOutputResponse) return output;
  request.status = NtStatus.BUFFER_OVERFLOW;
  return output.subarray(0, ioctl.maxOutputResponse);
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
