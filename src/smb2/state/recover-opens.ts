// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { SmbError } from "../../nt/status.ts";
import type { OpenedFile, Volume } from "../../vfs/volume.ts";
import type { Smb2Server } from "../server.ts";
import type { Share } from "../server-context.ts";
import { Dialect } from "../wire/constants.ts";
import { ChannelSequence } from "./channel-sequence.ts";
import { Lease, leaseId } from "./lease.ts";
import { LockSequences } from "./lock-sequences.ts";
import type { FileOpen } from "./open.ts";
import type { KeptLease, PersistentOpen } from "./persistent-open.ts";
import { Session } from "./session.ts";
import { type FileTable, SharedStream, samePath } from "./shared-file.ts";
import { TreeConnect } from "./tree-connect.ts";

/**
 * Opens again what clients held with persistent handles when the server ended, before any client can come in between: share
 * modes, locks and cache rights hold from the first moment, and wait for their clients as after a cut. A file that somebody has
 * renamed meanwhile is found where the volume can; a handle whose file is gone is given up.
 */
export async function recoverOpens(server: Smb2Server): Promise<void> {
  const { persistentOpens, context } = server;
  if (persistentOpens === undefined) return;
  let recovered = 0;
  let lost = 0;
  for (const record of persistentOpens.load()) {
    const reason = await recover(server, record);
    if (reason === undefined) {
      recovered++;
      continue;
    }
    lost++;
    context.log.warn({ share: record.share, path: record.path.join("\\"), reason }, "a persistent handle is lost");
    await persistentOpens.drop(record);
  }
  if (recovered + lost > 0) context.log.info({ recovered, lost }, "persistent handles taken up again");
}

/** Why it cannot be. */
async function recover(server: Smb2Server, record: PersistentOpen): Promise<string | undefined> {
  const share = server.context.findShare(record.share);
  if (share === undefined || !share.continuousAvailability) return "the share is gone, or not continuously available";
  const files = server.fileTable(share.volume);
  try {
    const opened = await findFile(share.volume, record);
    if (opened === undefined) return "the file is gone";
    if (!samePath(opened.path, record.path)) {
      const fields = { share: record.share, path: record.path.join("\\"), now: opened.path.join("\\") };
      server.context.log.info(fields, "the file of a persistent handle was renamed meanwhile");
    }
    const file = files.hold(opened.file);
    try {
      const key = foldName(record.stream);
      const data = file.streams.get(key)?.data ?? (await file.node.openStream(record.stream));
      if (data === undefined) return "the stream is gone";
      const stream = file.streams.get(key) ?? new SharedStream(file, data.name, data);
      file.streams.set(key, stream);
      const { allocationSize } = await data.size();
      const tree = formerTree(share, files, record);
      const open = restore(record, tree, stream, file.linkFor(opened.path));
      file.opens.add(open);
      stream.opens.add(open);
      open.link.opens.add(open);
      for (const { offset, length, exclusive } of record.locks) stream.locks.tryLock(open, offset, length, exclusive);
      if (record.lease === undefined) stream.oplock.requestOplock(open, record.oplockLevel, allocationSize);
      else restoreLease(server, open, record.lease, allocationSize);
      server.durableOpens.restore(open);
      server.persistentOpens?.add(open);
      server.appInstances.add(open);
      server.context.metrics.opens(1);
      return undefined;
    } finally {
      await files.release(file);
    }
  } catch (error) {
    if (!(error instanceof SmbError)) throw error;
    return error.message;
  }
}

/** Opens the file itself, under whatever name it has by now. What is a file of its name only is another one. */
async function findFile(volume: Volume, { path, fileId, reference }: PersistentOpen): Promise<OpenedFile | undefined> {
  const found = await volume.openById?.(fileId, reference);
  if (found !== undefined || reference !== undefined) return found;
  const named = await volume.open(path);
  if (named === undefined || named.file.fileId === fileId) return named;
  await named.file.close();
  return undefined;
}

/** Gives a handle back the lease that it had, or as much of it as nobody else has. */
function restoreLease(server: Smb2Server, open: FileOpen, kept: KeptLease, allocated: number): void {
  const { clientGuid, stream, link } = open;
  const known = server.leases.find(leaseId(clientGuid, kept.leaseKey));
  const lease = known?.stream === stream ? known : new Lease({ ...kept, clientGuid, stream, link });
  server.leases.add(lease);
  open.lease = lease;
  lease.opens.add(open);
  stream.oplock.requestLease(lease, kept.state, allocated);
}

/** A tree connect that ended with the server before. */
function formerTree(share: Share, files: FileTable, record: PersistentOpen): TreeConnect {
  const session = new Session(0n, Dialect.SMB_3_1_1, 0);
  session.state = "closing";
  const tree = new TreeConnect({
    treeId: 0,
    session,
    share,
    files,
    maximalAccess: record.shareMaximalAccess,
    encryptData: share.encryption === "required",
  });
  tree.closing = true;
  return tree;
}

function restore(record: PersistentOpen, tree: TreeConnect, stream: SharedStream, link: FileOpen["link"]): FileOpen {
  const lockSequences = new LockSequences();
  if (record.lockSequences !== undefined) lockSequences.restore(record.lockSequences);
  if (record.stream === "") link.deletePending ||= record.deletePending;
  else stream.deletePending ||= record.deletePending;
  return {
    kind: "file",
    persistentId: record.persistentId,
    volatileId: record.persistentId,
    session: tree.session,
    tree,
    grantedAccess: record.grantedAccess,
    closing: false,
    fileName: record.fileName,
    file: stream.file,
    stream,
    link,
    shareAccess: record.shareAccess,
    createOptions: record.createOptions,
    lease: undefined,
    oplock: undefined,
    deleteOnClose: record.deleteOnClose,
    maximalAccess: record.maximalAccess,
    position: record.position,
    mode: record.mode,
    enumeration: undefined,
    enumerating: undefined,
    frozenTimes: { creation: false, access: false, write: false, change: false },
    hasWritten: false,
    onClose: new Set(),
    resumeKey: undefined,
    eaIndex: 1,
    connection: undefined,
    clientGuid: record.clientGuid,
    createAction: record.createAction,
    desiredAccess: record.desiredAccess,
    channelSequence: new ChannelSequence(0),
    lockSequences,
    durability: { kind: "persistent", owner: record.owner, timeout: record.timeout },
    isDisconnected: false,
    createGuid: record.createGuid,
    isReplayEligible: false,
    appInstance: record.appInstance,
  };
}
