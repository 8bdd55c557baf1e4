// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import { writeZeros, ZERO_PIECE } from "../../../offload/copier.ts";
import type { TokenHolder } from "../../../offload/engine.ts";
import { PieceSize } from "../../../offload/piece-size.ts";
import { invalidToken, type RefusalReason } from "../../../offload/refusal.ts";
import type { TokenOrigin, TokenUse } from "../../../offload/token-registry.ts";
import { isZeroToken } from "../../../offload/token-seal.ts";
import { PinnedSource, type TokenSource } from "../../../offload/token-source.ts";
import { type CopyTarget, copyFromSource } from "../../../offload/token-writer.ts";
import type { ByteRange, VolumeStream } from "../../../vfs/volume.ts";
import { withPending } from "../../pending.ts";
import type { Request } from "../../request.ts";
import { LiveSource } from "../../state/live-source.ts";
import type { FileOpen } from "../../state/open.ts";
import { flushWriteThrough } from "../../state/write-through.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  decodeOffloadReadInput,
  decodeOffloadWriteInput,
  encodeOffloadReadOutput,
  encodeOffloadWriteOutput,
  OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE,
  OFFLOAD_READ_INPUT_LENGTH,
  OFFLOAD_READ_OUTPUT_LENGTH,
  OFFLOAD_WRITE_INPUT_LENGTH,
  OFFLOAD_WRITE_OUTPUT_LENGTH,
  type OffloadWriteInput,
} from "../../wire/fscc/offload.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { beginChange, copyByStorage, copyForeign, storageToken } from "./offload-storage.ts";

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;
const INT64_MAX = 0x7fff_ffff_ffff_ffffn;

/** What happens to tokens that nobody has tampered with. */
const innocent: ReadonlySet<RefusalReason> = new Set(["unknown", "expired", "data changed", "preserve limit"]);

const roundUp = (value: number, unit: number) => Math.ceil(value / unit) * unit;

function checkBuffers(ioctl: IoctlRequest, input: number, output: number): void {
  if (ioctl.input.length < input) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
  if (ioctl.maxOutputResponse < output) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
}

function checkDeleted({ stream, link }: FileOpen): void {
  if (stream.deletePending || link.deletePending) throw new SmbError(NtStatus.FILE_DELETED);
}

function holderOf({ session }: Request): TokenHolder {
  return { session, user: session.identity?.sid ?? "" };
}

/** The file of a request, in words for logs and lists. */
function originOf({ session, tree, connection }: Request, open: FileOpen): TokenOrigin {
  return {
    userName: session.identity?.userName ?? "",
    client: connection.remoteAddress,
    share: tree.shareName,
    file: open.fileName,
  };
}

// ---------------------------------------------------------------------------------------------------------------------

/**
 * FSCTL_OFFLOAD_READ (MS-FSA 2.1.5.10.20). Sparse files are served: a client that copies one has to learn of its holes. Valid
 * data always reach to the end of a file.
 */
export function offloadRead(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  return withPending(request, read(request, ioctl));
}

async function read(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const sector = BigInt(open.file.volume.info.logicalSectorSize);
  checkBuffers(ioctl, OFFLOAD_READ_INPUT_LENGTH, OFFLOAD_READ_OUTPUT_LENGTH);
  const input = decodeOffloadReadInput(new Reader(ioctl.input));
  const { fileOffset, copyLength } = input;
  if (fileOffset % sector !== 0n || copyLength % sector !== 0n) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (input.size !== OFFLOAD_READ_INPUT_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (fileOffset + copyLength > UINT64_MAX) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { offload } = request.server;
  if (copyLength === 0n) return readOutput(offload.zeroToken(), 0, false);
  const { data } = open.stream;
  if (data === undefined) throw new SmbError(NtStatus.OFFLOAD_READ_FILE_NOT_SUPPORTED);
  checkDeleted(open);
  if (fileOffset > INT64_MAX) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { endOfFile } = await data.size();
  // Where a lock lies behind the end of the file, there is nothing to conflict with.
  const asked = fileOffset + copyLength;
  const lockLength = Number(asked < INT64_MAX ? copyLength : INT64_MAX - fileOffset);
  if (open.stream.locks.blocksIo(open, Number(fileOffset), lockLength, false)) {
    throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  }
  if (fileOffset >= BigInt(endOfFile)) throw new SmbError(NtStatus.END_OF_FILE);
  const offset = Number(fileOffset);
  const wanted = asked > BigInt(endOfFile) ? endOfFile - offset : Number(copyLength);

  const holder = holderOf(request);
  offload.reserve(holder, wanted);
  const { tokenTimeToLive: timeToLive } = input;
  const zeroFrom = async (end: number) =>
    (asked > BigInt(endOfFile) && end >= endOfFile) || isZeroFrom(data, end, endOfFile);
  const ask = { holder, timeToLive, origin: originOf(request, open) };
  const made = await storageToken(request, open, data, { offset, length: wanted }, endOfFile, ask);
  if (made !== undefined) {
    const zeroBeyond = await zeroFrom(offset + made.length);
    return readOutput(made.token, roundUp(made.length, Number(sector)), zeroBeyond);
  }
  const source = await sourceFor(request, open, data, { offset, length: wanted });
  try {
    // The source may have changed its size since it was asked: what counts is what the token now holds.
    const end = source.endOfFile;
    if (end <= offset) throw new SmbError(NtStatus.END_OF_FILE);
    const length = Math.min(wanted, end - offset);
    const transferLength = roundUp(length, Number(sector));
    const zeroBeyond = length === wanted && (await zeroFrom(offset + wanted));
    if ((await source.stream.isKnownZero?.({ offset, length })) === true) {
      await source.release();
      return readOutput(offload.zeroToken(), transferLength, zeroBeyond);
    }
    const token = await offload.issue({ source, offset, length, ...ask });
    return readOutput(token, transferLength, zeroBeyond);
  } catch (error) {
    await source.release();
    throw error;
  }
}

async function isZeroFrom(data: VolumeStream, offset: number, endOfFile: number): Promise<boolean> {
  if (offset >= endOfFile) return false;
  return (await data.isKnownZero?.({ offset, length: endOfFile - offset })) === true;
}

/** @throws SmbError OFFLOAD_READ_FILE_NOT_SUPPORTED nobody could vouch for the data */
async function sourceFor(request: Request, open: FileOpen, data: VolumeStream, range: ByteRange): Promise<TokenSource> {
  const { volume } = open.file;
  const pinned = await volume.pins?.pin(data, range);
  if (pinned !== undefined) return new PinnedSource(volume, pinned, (await pinned.size()).endOfFile);
  const live = await LiveSource.of(open, range, request.server.offload.preserveBudget);
  if (live === undefined) throw new SmbError(NtStatus.OFFLOAD_READ_FILE_NOT_SUPPORTED);
  return live;
}

function readOutput(token: Buffer, transferLength: number, zeroBeyond: boolean): Buffer {
  const writer = new Writer(OFFLOAD_READ_OUTPUT_LENGTH);
  const flags = zeroBeyond ? OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE : 0;
  encodeOffloadReadOutput(writer, { flags, transferLength, token });
  return writer.view();
}

// ---------------------------------------------------------------------------------------------------------------------

/**
 * FSCTL_OFFLOAD_WRITE (MS-FSA 2.1.5.10.21). A write that begins before the end of the file does not extend it; one that begins
 * there or behind extends it by what the token holds, where Windows refuses: clients write tokens into empty files.
 */
export function offloadWrite(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  return withPending(request, write(request, ioctl));
}

async function write(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const { info } = open.file.volume;
  const sector = BigInt(info.logicalSectorSize);
  if (info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  checkBuffers(ioctl, OFFLOAD_WRITE_INPUT_LENGTH, OFFLOAD_WRITE_OUTPUT_LENGTH);
  const input = decodeOffloadWriteInput(new Reader(ioctl.input));
  const { fileOffset, copyLength, transferOffset } = input;
  if (fileOffset % sector !== 0n || copyLength % sector !== 0n || transferOffset % sector !== 0n) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (input.size !== OFFLOAD_WRITE_INPUT_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (fileOffset + copyLength > UINT64_MAX) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (copyLength === 0n) return writeOutput(0);
  const { data } = open.stream;
  if (data === undefined) throw new SmbError(NtStatus.OFFLOAD_WRITE_FILE_NOT_SUPPORTED);
  checkDeleted(open);
  if (fileOffset + copyLength > BigInt(info.maximumFileSize)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const offset = Number(fileOffset);
  if (open.stream.locks.blocksIo(open, offset, Number(copyLength), true)) {
    throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  }
  const written = isZeroToken(input.token)
    ? await writeZeroToken(request, open, data, offset, Number(copyLength))
    : await writeToken(request, open, data, offset, input);
  await flushWriteThrough(open);
  return writeOutput(written);
}

function writeOutput(lengthWritten: number): Buffer {
  const writer = new Writer(OFFLOAD_WRITE_OUTPUT_LENGTH);
  encodeOffloadWriteOutput(writer, lengthWritten);
  return writer.view();
}

/** @returns LengthWritten */
async function writeZeroToken(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  offset: number,
  length: number,
): Promise<number> {
  const { endOfFile } = await data.size();
  const room = offset < endOfFile ? Math.min(length, endOfFile - offset) : length;
  await beginChange(request, open);
  const goes = goesOn(request, open);
  const { clock } = request.server.offload;
  const size = new PieceSize(ZERO_PIECE);
  let done = 0;
  while (done < room && (done === 0 || goes())) {
    const began = clock.now();
    const piece = { offset: offset + done, length: Math.min(room - done, size.next(room - done)) };
    await open.stream.changes.run(piece, () => writeZeros(data, piece.offset, piece.length));
    size.took(piece.length, clock.now() - began);
    done += piece.length;
  }
  request.server.context.metrics.copied("odx", "zero", done);
  return done < room ? done : Math.min(length, roundUp(done, open.file.volume.info.logicalSectorSize));
}

/** @returns LengthWritten */
async function writeToken(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  offset: number,
  input: OffloadWriteInput,
): Promise<number> {
  const use = await request.server.offload.redeem(input.token, holderOf(request));
  if (typeof use === "string") {
    const done = await copyForeign(request, open, data, offset, input, use, goesOn(request, open));
    if (done === undefined) throw refuse(request, open, use);
    return done;
  }
  let spent = false;
  try {
    const sector = open.file.volume.info.logicalSectorSize;
    const transferLength = roundUp(use.record.length, sector);
    if (input.transferOffset >= BigInt(transferLength)) throw new SmbError(NtStatus.INVALID_PARAMETER);
    const transferOffset = Number(input.transferOffset);
    const wanted = Math.min(Number(input.copyLength), transferLength - transferOffset);
    const { endOfFile } = await data.size();
    const room = offset < endOfFile ? Math.min(wanted, endOfFile - offset) : wanted;
    // The last sector of a token is filled up with zeros, which do not make a file longer.
    const length = Math.min(room, use.record.length - transferOffset);
    const piece = { offset, token: input.token, transferOffset, length };
    const done =
      (await copyByStorage(request, open, data, use, piece, goesOn(request, open))) ??
      (await copy(request, open, data, offset, use, transferOffset, length));
    if (done < length) return done - (done % sector);
    if (offset < endOfFile && length < room) {
      const rest = { offset: offset + length, length: room - length };
      await open.stream.changes.run(rest, () => data.zero(rest));
    }
    const written = Math.min(wanted, roundUp(room, sector));
    spent = transferOffset + written >= transferLength;
    return written;
  } finally {
    use.end(spent);
  }
}

/** @returns bytes copied: all, or a multiple of the sector */
async function copy(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  offset: number,
  use: TokenUse,
  transferOffset: number,
  length: number,
): Promise<number> {
  const { source } = use.record;
  const isOwnSource = source.fileId === open.file.node.fileId && source.volume === open.file.volume;
  if (isOwnSource) throw refuse(request, open, "data changed");
  const { options, clock } = request.server.offload;
  const budget = { bytes: options.maxBytesPerWrite, goesOn: goesOn(request, open), now: () => clock.now() };
  const { changes } = open.stream;
  const target: CopyTarget = {
    volume: open.file.volume,
    stream: data,
    change: (range, work) => {
      if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
      return changes.run(range, work);
    },
  };
  await beginChange(request, open);
  try {
    const from = use.record.offset + transferOffset;
    const progress = await copyFromSource(source, from, target, offset, length, budget);
    for (const [way, bytes] of progress.ways) request.server.context.metrics.copied("odx", way, bytes);
    return progress.done;
  } catch (error) {
    // What was read while somebody changed the source is not what the token stands for.
    if (source.lost === undefined) throw error;
    // The storage may still bring what the server no longer has.
    if (use.record.storage?.pointInTime !== true) use.revoke(source.lost);
    throw refuse(request, open, source.lost);
  }
}

/** Whether a copy that begins now may begin another piece: the client waits for it, and not too long. */
function goesOn(request: Request, open: FileOpen): () => boolean {
  const { clock, options } = request.server.offload;
  const deadline = clock.now() + options.maxTimePerWrite;
  return () => !request.isCancelled && !open.closing && !request.connection.isClosed && clock.now() < deadline;
}

/** Whatever is wrong with a token, the client learns the same; the administrator learns more. */
function refuse(request: Request, open: FileOpen, reason: RefusalReason): SmbError {
  const { refusedTokens } = request.server;
  const { userName, ...origin } = originOf(request, open);
  const details = { user: userName, ...origin, reason };
  refusedTokens.write(innocent.has(reason) ? "info" : "warn", details);
  return invalidToken(reason);
}
