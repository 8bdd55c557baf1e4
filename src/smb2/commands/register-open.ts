// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import { foldName } from "../../nt/names.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { VolumeStream } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import { ChannelSequence } from "../state/channel-sequence.ts";
import { closeOpen } from "../state/close-open.ts";
import { everythingFrom } from "../state/data-changes.ts";
import { LockSequences } from "../state/lock-sequences.ts";
import type { FileOpen } from "../state/open.ts";
import { type Link, type SharedFile, SharedStream } from "../state/shared-file.ts";
import { CreateAction, CreateOption } from "../wire/constants.ts";
import type { OpenParameters } from "./open-parameters.ts";

/** CreateOptions that FileModeInformation shows (MS-FSA 2.1.5.1, Open.Mode). */
const MODE_OPTIONS =
  CreateOption.WRITE_THROUGH |
  CreateOption.SEQUENTIAL_ONLY |
  CreateOption.NO_INTERMEDIATE_BUFFERING |
  CreateOption.DELETE_ON_CLOSE;

/** The data of a stream; `undefined` where there is no such stream and none is to be created. */
export async function openStream(file: SharedFile, name: string, create: boolean): Promise<VolumeStream | undefined> {
  const known = file.streams.get(foldName(name));
  if (known !== undefined) return known.data;
  const existing = await file.node.openStream(name);
  if (existing !== undefined || !create) return existing;
  return file.node.createStream(name);
}

/** Gives up data that were opened for a handle that is not going to be: other handles may have the same. */
export function discardData(file: SharedFile, data: VolumeStream | undefined): Awaitable<void> {
  for (const stream of file.streams.values()) if (stream.data === data) return;
  return data?.close();
}

/** A session has a bound of handles. @throws SmbError TOO_MANY_OPENED_FILES */
export function checkHandleLimit({ session, server }: Request): void {
  if (session.opens.size < server.context.options.maxOpensPerSession) return;
  throw new SmbError(NtStatus.TOO_MANY_OPENED_FILES);
}

interface Registration {
  readonly file: SharedFile;
  readonly link: Link;
  readonly streamName: string;
  readonly data: VolumeStream | undefined;
  readonly granted: number;
  readonly maximal: number;
  readonly shareAccess: number;
}

/**
 * Makes the handle known. Synchronous, so that nothing happens between the last check and this.
 * @throws SmbError USER_SESSION_DELETED, TOO_MANY_OPENED_FILES: the data stay the caller's
 */
export function register(request: Request, parameters: OpenParameters, found: Registration): FileOpen {
  const { server, session, tree } = request;
  const gone = request.connection.isClosed && !request.outlivesChannel;
  if (session.state !== "valid" || tree.closing || gone) throw new SmbError(NtStatus.USER_SESSION_DELETED);
  checkHandleLimit(request);
  const { file, link } = found;
  const key = foldName(found.streamName);
  let stream = file.streams.get(key);
  if (stream === undefined) {
    stream = new SharedStream(file, found.data?.name ?? "", found.data);
    file.streams.set(key, stream);
  } else if (found.data !== undefined && stream.data !== found.data) {
    void found.data.close();
  }
  const deleteOnClose = (parameters.options & CreateOption.DELETE_ON_CLOSE) !== 0;
  const id = server.allocateFileId();
  const open: FileOpen = {
    kind: "file",
    persistentId: id,
    volatileId: id,
    session,
    tree,
    grantedAccess: found.granted >>> 0,
    closing: false,
    fileName: parameters.fileName,
    file,
    stream,
    link,
    shareAccess: found.shareAccess,
    createOptions: parameters.options,
    lease: undefined,
    oplock: undefined,
    deleteOnClose,
    maximalAccess: found.maximal,
    position: 0n,
    mode: parameters.options & MODE_OPTIONS,
    enumeration: undefined,
    enumerating: undefined,
    frozenTimes: { creation: false, access: false, write: false, change: false },
    hasWritten: false,
    onClose: new Set(),
    resumeKey: undefined,
    eaIndex: 1,
    connection: request.connection,
    clientGuid: request.connection.clientGuid,
    desiredAccess: parameters.desiredAccess,
    createAction: CreateAction.OPENED,
    channelSequence: new ChannelSequence(request.header.channelSequence),
    lockSequences: new LockSequences(),
    durability: undefined,
    isDisconnected: false,
    createGuid: undefined,
    isReplayEligible: false,
    appInstance: undefined,
  };
  session.opens.set(id, open);
  file.opens.add(open);
  stream.opens.add(open);
  link.opens.add(open);
  server.context.metrics.opens(1);
  return open;
}

/** SMB2_CREATE_ALLOCATION_SIZE (MS-SMB2 3.3.5.9.3): space reserved for a file created or emptied. */
export async function applyAllocation(open: FileOpen, size: number | undefined): Promise<void> {
  const { changes, data } = open.stream;
  if (size === undefined || size === 0 || data === undefined) return;
  await changes.run(everythingFrom(size), () => data.setAllocation(size));
}

/**
 * Ends a handle whose CREATE fails after all.
 * @param created the file, or the stream, was made for it, and goes with it; what was there before stays
 */
export function giveUp({ server }: Request, open: FileOpen, created: boolean): Awaitable<void> {
  open.deleteOnClose = created;
  return closeOpen(server, open);
}
