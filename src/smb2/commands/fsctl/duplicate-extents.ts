// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { FileAttribute } from "../../../nt/attributes.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { BlockClone } from "../../../vfs/offload.ts";
import type { VolumeStream } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import { noteWritten } from "../../state/report-change.ts";
import { flushWriteThrough } from "../../state/write-through.ts";
import { Reader } from "../../wire/cursor.ts";
import {
  DUPLICATE_EXTENTS_DATA_EX_STRUCTURE_SIZE,
  type DuplicateExtentsData,
  decodeDuplicateExtentsData,
  decodeDuplicateExtentsDataEx,
} from "../../wire/fscc/duplicate-extents.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/** FSCTL_DUPLICATE_EXTENTS_TO_FILE (MS-SMB2 3.3.5.15.17, MS-FSA 2.1.5.10.4). */
export async function duplicateExtents(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const data = decodeDuplicateExtentsData(new Reader(ioctl.input));
  return duplicate(request, findSource(request, data), data);
}

/**
 * FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX (MS-SMB2 3.3.5.15.18, MS-FSA 2.1.5.10.5). What is asked for is shared by one call to the
 * storage under the lock of the source, with the flag or without: nobody changes the source halfway.
 */
export async function duplicateExtentsEx(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const data = decodeDuplicateExtentsDataEx(new Reader(ioctl.input));
  const source = findSource(request, data);
  cloneOf(request.fileOpen);
  if (data.structureSize !== DUPLICATE_EXTENTS_DATA_EX_STRUCTURE_SIZE) throw new SmbError(NtStatus.NOT_SUPPORTED);
  return duplicate(request, source, data);
}

/** @throws SmbError INVALID_HANDLE no such handle in the session */
function findSource(request: Request, { sourceFileId }: DuplicateExtentsData): FileOpen {
  const source = request.session.opens.get(sourceFileId.volatile);
  if (source === undefined || source.closing || source.kind !== "file") throw new SmbError(NtStatus.INVALID_HANDLE);
  return source;
}

/** @throws SmbError INVALID_DEVICE_REQUEST the volume does not clone */
function cloneOf(target: FileOpen): BlockClone {
  const { clone } = target.file.volume;
  if (clone === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  return clone;
}

async function duplicate(request: Request, source: FileOpen, data: DuplicateExtentsData): Promise<Buffer> {
  const target = request.fileOpen;
  const clone = cloneOf(target);
  const { volume } = target.file;
  if (volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  const unit = BigInt(volume.info.allocationUnit);
  for (const value of [data.sourceFileOffset, data.targetFileOffset, data.byteCount]) {
    if (value < 0n || value % unit !== 0n) throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (data.byteCount === 0n) return NO_OUTPUT;
  if (target.stream.data === undefined) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (source.stream.data === undefined || (source.grantedAccess & Access.READ_DATA) === 0) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }

  // The source stays open below while blocks are shared, even when the client closes it.
  source.file.holds++;
  try {
    await share(request, clone, source, source.stream.data, target, target.stream.data, data);
  } finally {
    await source.tree.files?.release(source.file);
  }
  return NO_OUTPUT;
}

async function share(
  request: Request,
  clone: BlockClone,
  source: FileOpen,
  from: VolumeStream,
  target: FileOpen,
  to: VolumeStream,
  { sourceFileOffset, targetFileOffset, byteCount }: DuplicateExtentsData,
): Promise<void> {
  const unit = target.file.volume.info.allocationUnit;
  const sourceEnd = (await from.size()).endOfFile;
  // A client that asks for the tail has to round it up, so that it is the allocation that bounds the range (MS-FSCC 2.3.8).
  if (sourceFileOffset + byteCount > BigInt(Math.ceil(sourceEnd / unit) * unit)) {
    throw new SmbError(NtStatus.NOT_SUPPORTED);
  }
  if (source.file.volume !== target.file.volume) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((await isSparse(source)) && !(await isSparse(target))) throw new SmbError(NtStatus.NOT_SUPPORTED);
  const distance = targetFileOffset - sourceFileOffset;
  if (source.stream === target.stream && distance < byteCount && -distance < byteCount) {
    throw new SmbError(NtStatus.NOT_SUPPORTED);
  }
  const targetEnd = (await to.size()).endOfFile;
  if (source.closing || target.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  // What lies beyond the end of the target is left out, and its size stays (Windows Server 2016).
  if (targetFileOffset >= BigInt(targetEnd)) return;
  const sourceOffset = Number(sourceFileOffset);
  const offset = Number(targetFileOffset);
  // Byte-range locks are not looked at, as ReFS does not (MS-FSA 2.1.5.10.4, product behavior).
  const available = Math.min(Number(byteCount), sourceEnd - sourceOffset);
  const room = targetEnd - offset;
  // Blocks are shared as wholes: the last one may reach beyond the end of the target, which is then put back.
  const length = Math.min(available, Math.ceil(room / unit) * unit);
  await breakForChange(request, target);
  noteWritten(target);
  await target.stream.changes.run({ offset, length }, async () => {
    if (!(await clone.clone(from, sourceOffset, to, offset, length))) throw new SmbError(NtStatus.NOT_SUPPORTED);
    if (length > room && (await to.size()).endOfFile === offset + length) await to.setEndOfFile(targetEnd);
  });
  await flushWriteThrough(target);
  request.server.context.metrics.copied("clone", "reflink", Math.min(length, room));
}

/** Only the default stream of a file can be sparse. */
async function isSparse(open: FileOpen): Promise<boolean> {
  if (open.stream.name !== "") return false;
  return ((await open.file.node.stat()).attributes & FileAttribute.SPARSE_FILE) !== 0;
}
