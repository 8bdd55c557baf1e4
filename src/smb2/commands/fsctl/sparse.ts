// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../../nt/attributes.ts";
import { toSafeLength } from "../../../nt/length.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { ByteRange, VolumeStream } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import { noteWritten, reportModified } from "../../state/report-change.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  ALLOCATED_RANGE_LENGTH,
  decodeFileLevelTrim,
  decodeQueryAllocatedRangesInput,
  decodeSetSparse,
  decodeSetZeroData,
  encodeFileLevelTrimOutput,
  encodeQueryAllocatedRangesOutput,
} from "../../wire/fscc/sparse.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/** The data of a handle. @throws SmbError INVALID_PARAMETER for a directory */
function dataOf(open: FileOpen): VolumeStream {
  if (open.stream.data === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  return open.stream.data;
}

function refuseReadOnly(open: FileOpen): void {
  if (open.file.volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
}

/** FSCTL_SET_SPARSE (MS-FSA 2.1.5.10.37). */
export async function setSparse(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const data = dataOf(open);
  refuseReadOnly(open);
  await data.setSparse(decodeSetSparse(new Reader(ioctl.input)));
  reportModified(open, CompletionFilter.ATTRIBUTES);
  return NO_OUTPUT;
}

/** FSCTL_SET_ZERO_DATA (MS-FSA 2.1.5.10.38). */
export async function setZeroData(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const data = dataOf(open);
  refuseReadOnly(open);
  if (ioctl.input.length < 16) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { fileOffset, beyondFinalZero } = decodeSetZeroData(new Reader(ioctl.input));
  if (fileOffset < 0n || beyondFinalZero < 0n || fileOffset > beyondFinalZero) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  const { endOfFile } = await data.size();
  const range = clip(fileOffset, beyondFinalZero - fileOffset, endOfFile);
  if (range === undefined) return NO_OUTPUT;
  if (open.stream.locks.blocksIo(open, range.offset, range.length, true)) {
    throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  }
  await breakForChange(request, open);
  noteWritten(open);
  await open.stream.changes.run(range, () => data.zero(range));
  return NO_OUTPUT;
}

/** The part of a range that lies before the end of file. */
function clip(offset: bigint, length: bigint, endOfFile: number): ByteRange | undefined {
  if (offset >= BigInt(endOfFile)) return undefined;
  const start = Number(offset);
  const end = offset + length >= BigInt(endOfFile) ? endOfFile : Number(offset + length);
  return end > start ? { offset: start, length: end - start } : undefined;
}

/** FSCTL_QUERY_ALLOCATED_RANGES (MS-FSA 2.1.5.10.22). */
export async function queryAllocatedRanges(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const data = dataOf(open);
  if (ioctl.input.length < ALLOCATED_RANGE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const asked = decodeQueryAllocatedRangesInput(new Reader(ioctl.input));
  if (asked.offset < 0n || asked.length < 0n || asked.offset + asked.length > 0x7fff_ffff_ffff_ffffn) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (asked.length === 0n) return NO_OUTPUT;
  const { endOfFile } = await data.size();
  const range = clip(asked.offset, asked.length, endOfFile);
  if (range === undefined) return NO_OUTPUT;
  const room = Math.floor(ioctl.maxOutputResponse / ALLOCATED_RANGE_LENGTH);
  if (room === 0) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
  // A file that is not sparse counts as allocated from end to end.
  const { attributes } = await open.file.node.stat();
  const sparse = (attributes & FileAttribute.SPARSE_FILE) !== 0 || open.stream.name !== "";
  const ranges = sparse ? await data.allocatedRanges(range, room + 1) : [range];
  const writer = new Writer(Math.min(ranges.length, room) * ALLOCATED_RANGE_LENGTH);
  if (!encodeQueryAllocatedRangesOutput(writer, ranges, ioctl.maxOutputResponse)) {
    request.status = NtStatus.BUFFER_OVERFLOW;
  }
  return writer.view();
}

/** Ranges that one FSCTL_FILE_LEVEL_TRIM may hold. */
const MAX_TRIM_RANGES = 4096;

/**
 * FSCTL_FILE_LEVEL_TRIM (MS-FSA 2.1.5.10.6): what is trimmed reads as zeros; only whole allocation units are, so that the
 * storage can give them back.
 */
export async function fileLevelTrim(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const data = dataOf(open);
  refuseReadOnly(open);
  const { ranges } = decodeFileLevelTrim(new Reader(ioctl.input));
  if (ranges.length === 0 || ranges.length > MAX_TRIM_RANGES) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const unit = open.file.volume.info.allocationUnit;
  const { endOfFile } = await data.size();
  let processed = 0;
  await breakForChange(request, open);
  noteWritten(open);
  for (const { offset, length } of ranges) {
    const start = toSafeLength(offset);
    const end = Math.min(toSafeLength(offset + length), endOfFile);
    if (open.stream.locks.blocksIo(open, start, Math.max(end - start, 0), true)) {
      throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
    }
    const first = Math.ceil(start / unit) * unit;
    const last = Math.floor(end / unit) * unit;
    const range = { offset: first, length: last - first };
    if (last > first) await open.stream.changes.run(range, () => data.zero(range));
    processed++;
  }
  if (ioctl.maxOutputResponse < 4) return NO_OUTPUT;
  const writer = new Writer(4);
  encodeFileLevelTrimOutput(writer, processed);
  return writer.view();
}
