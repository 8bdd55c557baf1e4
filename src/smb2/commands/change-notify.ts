// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import type { Awaitable } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import type { ChangeNotifyEntry, ChangeNotifyList, NotifyOutcome, NotifyWaiter } from "../state/notify.ts";
import { type FileOpen, requireAccess } from "../state/open.ts";
import {
  type ChangeNotifyRequest,
  decodeChangeNotifyRequest,
  encodeChangeNotifyResponse,
} from "../wire/change-notify.ts";
import { ChangeNotifyFlag } from "../wire/constants.ts";
import { Writer } from "../wire/cursor.ts";
import { encodeFileNotifyInformation } from "../wire/fscc/notify-info.ts";
import { command } from "./command.ts";

/** SMB2 CHANGE_NOTIFY (MS-SMB2 3.3.5.19, MS-FSA 2.1.5.11): changes by clients of this server, and by others where the volume tells. */
export const changeNotify = command({
  decode: decodeChangeNotifyRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.outputBufferLength,
});

function handle(request: Request, message: ChangeNotifyRequest): Awaitable<void> {
  const open = request.fileOpen;
  const { options } = request.server.context;
  if (message.outputBufferLength > request.connection.maxTransactSize) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (!open.file.node.directory || open.stream.name !== "") throw new SmbError(NtStatus.INVALID_PARAMETER);
  requireAccess(open, Access.LIST_DIRECTORY);
  const watchers = open.tree.files?.watchers;
  if (watchers === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  // A directory on its way out has nothing to report any more.
  if (open.deleteOnClose || open.link.deletePending) throw new SmbError(NtStatus.DELETE_PENDING);
  const entry = watchers.find(open) ?? watch(watchers, open, message);
  const outcome = entry.waiting === 0 ? entry.take(message.outputBufferLength) : undefined;
  if (outcome !== undefined) {
    respond(request, outcome);
    return;
  }
  if (!request.chain.isLast) throw new SmbError(NtStatus.INTERNAL_ERROR);
  // Several channels of one session may wait on the same handle.
  if (entry.waiting >= options.maxAsyncPerConnection) throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
  return waitForChange(request, entry, message.outputBufferLength);
}

function watch(watchers: ChangeNotifyList, open: FileOpen, message: ChangeNotifyRequest): ChangeNotifyEntry {
  const watchTree = (message.flags & ChangeNotifyFlag.WATCH_TREE) !== 0;
  open.onClose.add(() => watchers.remove(open, NtStatus.NOTIFY_CLEANUP));
  open.tree.files?.outside?.watch(open, watchTree);
  return watchers.add(open, open.link, {
    completionFilter: message.completionFilter,
    watchTree,
    bufferSize: message.outputBufferLength,
  });
}

function waitForChange(request: Request, entry: ChangeNotifyEntry, outputBufferLength: number): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const waiter: NotifyWaiter = {
      outputBufferLength,
      complete(outcome) {
        try {
          respond(request, outcome);
          resolve();
        } catch (error) {
          reject(error);
        }
      },
    };
    entry.wait(waiter);
    try {
      request.goAsync(() => {
        entry.withdraw(waiter);
        waiter.complete({ status: statusOfCancel(request), changes: [] });
      });
    } catch (error) {
      entry.withdraw(waiter);
      reject(error);
    }
  });
}

/** The end of the tree connect or session closes the handle, which the client hears as such (MS-SMB2 3.3.4.17). */
function statusOfCancel(request: Request): NtStatus {
  const ends = request.tree.closing || request.session.state === "closing";
  return ends ? NtStatus.NOTIFY_CLEANUP : NtStatus.CANCELLED;
}

function respond(request: Request, { status, changes }: NotifyOutcome): void {
  // Failures, other than warnings and successes with nothing to tell, have a body of their own.
  if (status >= 0xc000_0000) throw new SmbError(status);
  const output = new Writer(64);
  encodeFileNotifyInformation(output, changes);
  request.status = status;
  encodeChangeNotifyResponse(request.writer, { output: output.view() });
}
