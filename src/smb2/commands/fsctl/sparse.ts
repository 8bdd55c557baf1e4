// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../../nt/attributes.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { ByteRange, VolumeStream } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import { noteWritten, reportModified } from "../../state/report-change.ts";
import { flushWriteThrough } from "../../state/write-through.ts";
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
import { mustGoOn } from "./must-go-on.ts";

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

/** Bytes; storage that has to write zeros takes time for them, and who no longer wants them is heard in between. */
const ZERO_STEP = 1024 ** 3;

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
  const end = range.offset + range.length;
  for (let { offset } = range; offset < end; offset += ZERO_STEP) {
    mustGoOn(request, open);
    const step = { offset, length: Math.min(ZERO_STEP, end - offset) };
    await open.stream.changes.run(step, () => data.zero(step));
  }
  await flushWriteThrough(open);
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
  // Where there is nothing to tell, Windows needs no room for it, whatever the order in MS-FSA.
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
/** FILE_LEVEL_TRIM_OUTPUT. */
const TRIM_OUTPUT_LENGTH = 4;
const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * FSCTL_FILE_LEVEL_TRIM (MS-SMB2 3.3.5.15.14, MS-FSA 2.1.5.10.6): what is trimmed reads as zeros; only whole allocation units
 * are, so that the storage can give them back.
 */
export async function fileLevelTrim(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const data = dataOf(open);
  refuseReadOnly(open);
  const { key, ranges } = decodeFileLevelTrim(new Reader(ioctl.input));
  const wantsOutput = ioctl.maxOutputResponse > 0;
  if (key !== 0 || ranges.length === 0 || ranges.length > MAX_TRIM_RANGES)
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (wantsOutput && ioctl.maxOutputResponse < TRIM_OUTPUT_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const unit = open.file.volume.info.allocationUnit;
  let processed = 0;
  await breakForChange(request, open);
  noteWritten(open);
  for (const { offset, length } of ranges) {
    mustGoOn(request, open);
    if (offset + length > UINT64_MAX) throw new SmbError(NtStatus.INTEGER_OVERFLOW);
    const range = wholeUnits(clip(offset, length, (await data.size()).endOfFile), unit);
    if (range !== undefined) {
      if (open.stream.locks.blocksIo(open, range.offset, range.length, true)) {
        throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
      }
      await open.stream.changes.run(range, () => data.zero(range));
    }
    processed++;
  }
  if (!wantsOutput) return NO_OUTPUT;
  const writer = new Writer(TRIM_OUTPUT_LENGTH);
  encodeFileLevelTrimOutput(writer, processed);
  return writer.view();
}

/** The whole units of a range. */
function wholeUnits(range: ByteRange | undefined, unit: number): ByteRange | undefined {
  if (range === undefined) return undefined;
  const first = Math.ceil(range.offset / unit) * unit;
  const last = Math.floor((range.offset + range.length) / unit) * unit;
  return last > first ? { offset: first, length: last - first } : undefined;
}
