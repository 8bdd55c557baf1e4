// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { FileAttribute } from "../../../nt/attributes.ts";
import { foldName } from "../../../nt/names.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { copyRange } from "../../../offload/copier.ts";
import type { ExtendedAttribute } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { closeOpen } from "../../state/close-open.ts";
import { everythingFrom } from "../../state/data-changes.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";
import { noteWritten, reportModified } from "../../state/report-change.ts";
import { flushWriteThrough } from "../../state/write-through.ts";
import { showWriteTime } from "../../state/write-time.ts";
import { CompletionFilter, CreateDisposition, CreateOption, ShareAccess } from "../../wire/constants.ts";
import { openFile } from "../open-file.ts";
import { mustGoOn } from "./must-go-on.ts";

/** Bytes copied between two looks at whether anybody still wants them. */
const PIECE = 16 * 1024 * 1024;

const SOURCE_RIGHTS = Access.READ_DATA | Access.READ_ATTRIBUTES | Access.READ_EA;
const TARGET_RIGHTS = Access.WRITE_DATA | Access.WRITE_ATTRIBUTES | Access.WRITE_EA;
const SHARE_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE;

/** What has been copied, also where the copy then fails. */
export interface Progress {
  /** Bytes of data, those of the streams included. */
  bytes: number;
}

/**
 * Makes a file the copy of another: data, named streams, extended attributes, DOS attributes, times of creation and last
 * writing. What the target had is replaced. Its security descriptor stays, which comes from its folder: the client has no
 * right to give it another one.
 *
 * This is macOS' `copyfile` on the server (a copychunk request without chunks). Only the streams are opened here; they obey the
 * same checks of access, sharing and locks as if the client had opened them.
 * @throws SmbError NOT_SAME_DEVICE the handles belong to different tree connects, between which clients copy by themselves
 */
export async function copyFile(
  request: Request,
  source: FileOpen,
  target: FileOpen,
  progress: Progress,
): Promise<void> {
  requireAccess(source, SOURCE_RIGHTS);
  requireAccess(target, TARGET_RIGHTS);
  if (source.tree !== target.tree) throw new SmbError(NtStatus.NOT_SAME_DEVICE);
  if (source.stream === target.stream) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { attributes } = await source.file.node.stat();
  if (target.stream.name === "" && (attributes & FileAttribute.SPARSE_FILE) !== 0) {
    await target.stream.data?.setSparse(true);
  }
  await copyStream(request, source, target, progress);
  await flushWriteThrough(target);
  // A handle of a named stream stands for its data alone.
  if (source.stream.name !== "" || target.stream.name !== "") return;
  await copyNamedStreams(request, source, target, progress);
  await copyExtendedAttributes(source, target);
  await copyBasicInformation(source, target);
}

// ---------------------------------------------------------------------------------------------------------------------

/** Replaces the data of the target's stream by those of the source's. */
async function copyStream(request: Request, source: FileOpen, target: FileOpen, progress: Progress): Promise<void> {
  const from = source.stream.data;
  const to = target.stream.data;
  if (from === undefined || to === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  mustGoOn(request, source, target);
  const { endOfFile } = await from.size();
  const old = (await to.size()).endOfFile;
  if (endOfFile > target.file.volume.info.maximumFileSize) throw new SmbError(NtStatus.DISK_FULL);
  if (source.stream.locks.blocksIo(source, 0, endOfFile, false)) throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  if (target.stream.locks.blocksIo(target, 0, Math.max(endOfFile, old), true)) {
    throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  }
  await breakForChange(request, target);
  noteWritten(target);
  const { changes } = target.stream;
  if (old > endOfFile) await changes.run(everythingFrom(endOfFile), () => to.setEndOfFile(endOfFile));
  if (endOfFile === 0) return;
  const { clone } = target.file.volume;
  const whole = { offset: 0, length: endOfFile };
  if (clone !== undefined && (await changes.run(whole, () => clone.clone(from, 0, to, 0, endOfFile)))) {
    request.server.context.metrics.copied("copychunk", "reflink", endOfFile);
    progress.bytes += endOfFile;
    return;
  }
  for (let done = 0; done < endOfFile; ) {
    mustGoOn(request, source, target);
    const length = Math.min(PIECE, endOfFile - done);
    const { bytes, ways } = await changes.run({ offset: done, length }, () => copyRange(from, done, to, done, length));
    for (const [way, moved] of ways) request.server.context.metrics.copied("copychunk", way, moved);
    progress.bytes += bytes;
    done += bytes;
    // Somebody has made the source shorter: this is its end now.
    if (bytes < length) return;
  }
}

/** Copies every named stream, and removes those that the source does not have. */
async function copyNamedStreams(
  request: Request,
  source: FileOpen,
  target: FileOpen,
  progress: Progress,
): Promise<void> {
  const wanted = await namedStreams(source);
  const names = new Set(wanted.map(foldName));
  for (const name of await namedStreams(target)) {
    if (!names.has(foldName(name))) {
      await withStream(request, target, name, Access.DELETE, CreateDisposition.OPEN, (stream) => {
        stream.deleteOnClose = true;
      });
    }
  }
  for (const name of wanted) {
    await withStream(request, source, name, Access.READ_DATA, CreateDisposition.OPEN, (from) =>
      withStream(request, target, name, Access.WRITE_DATA, CreateDisposition.OPEN_IF, (to) =>
        copyStream(request, from, to, progress),
      ),
    );
  }
}

async function namedStreams({ file }: FileOpen): Promise<string[]> {
  return (await file.node.streams()).map(({ name }) => name).filter((name) => name !== "");
}

/** Opens a stream of the file that a handle is of, as its client would. */
async function withStream(
  request: Request,
  open: FileOpen,
  stream: string,
  desiredAccess: number,
  disposition: number,
  use: (stream: FileOpen) => Promise<void> | void,
): Promise<void> {
  const { open: opened } = await openFile(request, {
    path: { components: open.link.path, stream, type: "$DATA", trailingSeparator: false },
    fileName: `${open.fileName}:${stream}`,
    desiredAccess,
    shareAccess: SHARE_ALL,
    disposition,
    options: CreateOption.NON_DIRECTORY_FILE,
    attributes: 0,
    security: undefined,
    extendedAttributes: undefined,
    allocationSize: undefined,
    lease: undefined,
  });
  try {
    // The name may have come to mean another file.
    if (opened.file !== open.file) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
    await use(opened);
  } finally {
    await closeOpen(request.server, opened);
  }
}

async function copyExtendedAttributes(source: FileOpen, target: FileOpen): Promise<void> {
  const wanted = await source.file.node.extendedAttributes();
  const names = new Set(wanted.map(({ name }) => name.toUpperCase()));
  const changes: ExtendedAttribute[] = [...wanted];
  for (const { name } of await target.file.node.extendedAttributes()) {
    if (!names.has(name.toUpperCase())) changes.push({ name, flags: 0, value: Buffer.alloc(0) });
  }
  if (changes.length === 0) return;
  await target.file.node.setExtendedAttributes(changes);
  reportModified(target, CompletionFilter.EA);
}

async function copyBasicInformation(source: FileOpen, target: FileOpen): Promise<void> {
  const { attributes, creationTime, lastWriteTime } = await source.file.node.stat();
  showWriteTime(target.file);
  await target.file.node.setBasic({ attributes, creationTime, lastWriteTime });
  reportModified(target, CompletionFilter.ATTRIBUTES | CompletionFilter.CREATION | CompletionFilter.LAST_WRITE);
}
