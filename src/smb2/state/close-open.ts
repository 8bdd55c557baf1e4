// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { FileStat } from "../../vfs/volume.ts";
import type { Smb2Server } from "../server.ts";
import { FileAction } from "../wire/fscc/notify-info.ts";
import { WHOLE } from "./data-changes.ts";
import type { FileOpen, Open, PipeOpen } from "./open.ts";
import { reportDirectoryDeleted, reportName, reportPending, reportStreamName } from "./report-change.ts";
import type { SharedFile } from "./shared-file.ts";
import { showWriteTime } from "./write-time.ts";

/**
 * Closes a handle (MS-SMB2 3.3.4.17, MS-FSA 2.1.5.5). What the client sees happens at once; what the storage does may
 * still be under way when this returns a promise.
 */
export function closeOpen(server: Smb2Server, open: Open): Awaitable<void> {
  if (open.closing) return;
  open.closing = true;
  open.session.opens.delete(open.volatileId);
  server.context.metrics.opens(-1);
  return open.kind === "pipe" ? closePipe(open) : closeFile(server, open);
}

function closePipe(open: PipeOpen): void {
  for (const wake of open.waitingReads.splice(0)) wake();
  open.pipe.close();
}

function closeFile(server: Smb2Server, open: FileOpen): Awaitable<void> {
  const { file, stream, link } = open;
  const files = open.tree.files;
  for (const action of open.onClose) action();
  open.onClose.clear();
  if (open.durability !== undefined) server.durableOpens.remove(open);
  if (open.createGuid !== undefined) server.createReplays.remove(open);
  if (open.appInstance !== undefined) server.appInstances.remove(open);
  open.enumeration?.cursor.close();
  open.enumeration = undefined;
  stream.locks.releaseAll(open);
  if (open.resumeKey !== undefined) server.resumeKeys.delete(open.resumeKey.toString("hex"));
  file.opens.delete(open);
  if (open.hasWritten) showWriteTime(file);
  stream.opens.delete(open);
  leaveLease(server, open);
  stream.oplock.closed(open);
  if (open.lease !== undefined) files?.directoryLeases.closed(link, stream.oplock);
  link.opens.delete(open);
  // The store keeps what the end of the server closes, to be opened again.
  const suspended = server.isStopping && open.durability?.kind === "persistent";
  if (suspended) server.persistentOpens?.release(open);
  file.holds++;
  const finish = () => chain(suspended ? undefined : forgetPersistent(server, open), () => files?.release(file));
  const failed = (error: unknown) => chain(finish(), () => Promise.reject(error));
  let done: Awaitable<void>;
  try {
    const marked = open.deleteOnClose && !suspended ? deleteOnClose(server, open) : undefined;
    done = chain(marked, () => {
      reportPending(open);
      return suspended ? forgetLink(file, open) : chain(removeStream(open), () => removeOrForgetLink(server, open));
    });
  } catch (error) {
    return failed(error);
  }
  return done instanceof Promise ? done.then(finish, failed) : finish();
}

/** MS-FSA 2.1.5.5, phase 1: what the handle was opened for is to go, but for a directory with something in it. */
function deleteOnClose(server: Smb2Server, open: FileOpen): Awaitable<void> {
  const { file, link, stream } = open;
  if (stream.name === "" && file.node.directory && link.opens.size > 0) {
    return chain(isEmpty(server, open), (empty) => (empty ? markDeleted(open) : undefined));
  }
  // The removal itself finds out whether a directory is empty.
  markDeleted(open);
}

/** Whoever uses a directory of which this cannot be told is not disturbed. */
async function isEmpty(server: Smb2Server, { file, link }: FileOpen): Promise<boolean> {
  try {
    return await file.node.isEmpty();
  } catch (error) {
    if (!(error instanceof SmbError)) throw error;
    server.context.log.warn({ path: link.path.join("\\"), reason: error.message }, "a directory could not be deleted");
    return false;
  }
}

function markDeleted(open: FileOpen): void {
  const { file, link, stream } = open;
  if (stream.name !== "") stream.deletePending = true;
  else {
    link.deletePending = true;
    reportDirectoryDeleted(open);
  }
  // Who only caches handles closes them now, and lets the file go.
  for (const { oplock } of file.streams.values()) void oplock.breakHandles(open);
}

function forgetPersistent(server: Smb2Server, open: FileOpen): Awaitable<void> {
  if (open.durability?.kind === "persistent") return server.persistentOpens?.forget(open);
}

function leaveLease(server: Smb2Server, open: FileOpen): void {
  const { lease } = open;
  if (lease === undefined) return;
  lease.opens.delete(open);
  if (lease.opens.size === 0) server.leases.remove(lease);
}

/** The last handle of a named stream to be deleted is gone. */
function removeStream({ file, stream, link, tree }: FileOpen): Awaitable<void> {
  if (stream.name === "" || !stream.deletePending || stream.opens.size > 0 || link.deletePending) return;
  file.streams.delete(foldName(stream.name));
  const remove = () => chain(stream.data?.close(), () => file.node.removeStream(stream.name));
  return chain(stream.changes.run(WHOLE, remove), () =>
    reportStreamName(tree.files, FileAction.REMOVED_STREAM, link.path, stream.name),
  );
}

/** MS-FSA 2.1.5.5, phase 3. */
function removeOrForgetLink(server: Smb2Server, open: FileOpen): Awaitable<void> {
  const { link } = open;
  if (link.opens.size > 0 && !link.posixSemantics) return;
  if (link.deletePending && link.removal === "none") return removeLink(server, open.file, open);
  forgetLink(open.file, open);
}

function forgetLink(file: SharedFile, open: FileOpen): void {
  // A handle may have been opened on the link while a removal was under way.
  if (open.link.opens.size > 0 || open.link.removal === "running") return;
  const index = file.links.indexOf(open.link);
  if (index >= 0) file.links.splice(index, 1);
}

/** A name goes. The link stays known, and refused, until it has. */
function removeLink(server: Smb2Server, file: SharedFile, open: FileOpen): Awaitable<void> {
  const { link } = open;
  const { files } = open.tree;
  const { node, volume } = file;
  const remove = ({ creationTime }: FileStat) => {
    const { path } = link;
    return chain(volume.unlink(node, path), () => {
      link.removal = "done";
      forgetLink(file, open);
      if (node.directory) files?.tunnel.forget(path);
      else files?.tunnel.add(path, open.fileName, creationTime);
      reportName(files, FileAction.REMOVED, path, node.directory, open.lease?.parentId);
    });
  };
  const failed = (error: unknown) => {
    link.deletePending = false;
    link.posixSemantics = false;
    link.removal = "none";
    forgetLink(file, open);
    if (!(error instanceof SmbError)) throw error;
    // A directory that was filled meanwhile stays, as with Windows; a name that another process removed is gone as asked.
    if (error.status !== NtStatus.DIRECTORY_NOT_EMPTY && error.status !== NtStatus.OBJECT_NAME_NOT_FOUND) {
      server.context.log.warn({ path: link.path.join("\\"), reason: error.message }, "a file could not be deleted");
    }
  };
  link.removal = "running";
  try {
    const result = chain(node.stat(), remove);
    if (result instanceof Promise) return result.catch(failed);
  } catch (error) {
    failed(error);
  }
}
