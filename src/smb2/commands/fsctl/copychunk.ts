// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import type { Awaitable } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { type Copied, copyRange } from "../../../offload/copier.ts";
import { statusOf } from "../../failure.ts";
import { breakForChange } from "../../oplock-break.ts";
import { withPending } from "../../pending.ts";
import type { Request } from "../../request.ts";
import type { FileOpen, Open } from "../../state/open.ts";
import { noteWritten } from "../../state/report-change.ts";
import { flushWriteThrough } from "../../state/write-through.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  COPYCHUNK_LENGTH,
  COPYCHUNK_RESPONSE_LENGTH,
  decodeSrvCopychunkCopyHeader,
  decodeSrvCopychunks,
  encodeSrvCopychunkResponse,
  encodeSrvRequestResumeKey,
  RESUME_KEY_LENGTH,
  RESUME_KEY_RESPONSE_LENGTH,
  type SrvCopychunk,
  type SrvCopychunkResponse,
} from "../../wire/fscc/copychunk.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { copyFile } from "./copy-file.ts";
import { mustGoOn } from "./must-go-on.ts";

/** ServerSideCopyMaxNumberofChunks, MaxChunkSize and MaxDataSize (MS-SMB2 3.3.3): clients adopt them, so never 0. */
const MAX_CHUNKS = 256;
const MAX_CHUNK_SIZE = 1024 * 1024;
const MAX_TOTAL_SIZE = 16 * 1024 * 1024;

const LIMITS: SrvCopychunkResponse = {
  chunksWritten: MAX_CHUNKS,
  chunkBytesWritten: MAX_CHUNK_SIZE,
  totalBytesWritten: MAX_TOTAL_SIZE,
};

const NOTHING: SrvCopychunkResponse = { chunksWritten: 0, chunkBytesWritten: 0, totalBytesWritten: 0 };

const HEADER_LENGTH = 32;
const UINT32_MAX = 0xffff_ffff;
/** Offsets are signed 64-bit values to the file system. */
const OFFSET_LIMIT = 0x7fff_ffff_ffff_ffffn;
/** The one negative TargetOffset that is allowed (MS-SMB2 3.3.5.15.6): the end of the target (MS-FSA 2.1.5.4). */
const APPEND = 0xffff_ffff_ffff_ffffn;

/**
 * FSCTL_SRV_REQUEST_RESUME_KEY (MS-SMB2 3.3.5.15.5). Works for directories too: macOS asks on one to learn whether the
 * server copies. Answered at once, since it stands in the middle of a compound.
 */
export function srvRequestResumeKey(request: Request): Buffer {
  const open = request.fileOpen;
  if (open.resumeKey === undefined) {
    open.resumeKey = request.server.context.randomBytes(RESUME_KEY_LENGTH);
    request.server.resumeKeys.set(open.resumeKey.toString("hex"), open);
  }
  const writer = new Writer(RESUME_KEY_RESPONSE_LENGTH);
  encodeSrvRequestResumeKey(writer, open.resumeKey);
  return writer.view();
}

/**
 * FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE (MS-SMB2 3.3.5.15.6). Without chunks nothing is copied, unless the client
 * has been told that this means the whole file.
 * @param readsTarget COPYCHUNK wants FILE_READ_DATA on the target too
 */
export function srvCopychunk(request: Request, ioctl: IoctlRequest, readsTarget: boolean): Awaitable<Buffer> {
  const target = request.open;
  if (ioctl.input.length < RESUME_KEY_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const source = findSource(request, ioctl.input.subarray(0, RESUME_KEY_LENGTH));
  if (ioctl.maxOutputResponse < COPYCHUNK_RESPONSE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const chunks = decodeChunks(ioctl.input);
  if (chunks === undefined || target.kind === "pipe") return limits(request);
  checkAccess(source, target, readsTarget);
  if (chunks.length === 0 && !request.session.copiesWholeFiles) return encoded(NOTHING);
  return withPending(request, copy(request, source, target, chunks));
}

/** `undefined`: the server's limits are exceeded, or there are fewer chunks than announced. */
function decodeChunks(input: Buffer): SrvCopychunk[] | undefined {
  if (input.length < HEADER_LENGTH) return undefined;
  const reader = new Reader(input);
  const { chunkCount } = decodeSrvCopychunkCopyHeader(reader);
  if (chunkCount > MAX_CHUNKS || reader.remaining < chunkCount * COPYCHUNK_LENGTH) return undefined;
  const chunks = decodeSrvCopychunks(reader, chunkCount);
  return exceedsLimits(chunks) ? undefined : chunks;
}

async function copy(
  request: Request,
  source: FileOpen,
  target: FileOpen,
  chunks: readonly SrvCopychunk[],
): Promise<Buffer> {
  // The source stays open below while the copy runs, even when the client closes it.
  source.file.holds++;
  try {
    return await (chunks.length === 0
      ? copyWhole(request, source, target)
      : copyChunks(request, source, target, chunks));
  } finally {
    await source.tree.files?.release(source.file);
  }
}

async function copyWhole(request: Request, source: FileOpen, target: FileOpen): Promise<Buffer> {
  const progress = { bytes: 0 };
  try {
    await copyFile(request, source, target, progress);
  } catch (error) {
    request.status = statusOf(error, request);
  }
  return encoded({ ...NOTHING, totalBytesWritten: Math.min(progress.bytes, UINT32_MAX) });
}

/** @throws SmbError OBJECT_NAME_NOT_FOUND for a key of no open, or of another session's */
function findSource(request: Request, key: Buffer): FileOpen {
  const source: Open | undefined = request.server.resumeKeys.get(key.toString("hex"));
  if (source === undefined || source.closing || source.kind !== "file" || source.session !== request.session) {
    throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  }
  return source;
}

function exceedsLimits(chunks: readonly SrvCopychunk[]): boolean {
  let total = 0;
  for (const { length, targetOffset } of chunks) {
    if (length === 0 || length > MAX_CHUNK_SIZE) return true;
    if (targetOffset > OFFSET_LIMIT && targetOffset !== APPEND) return true;
    total += length;
  }
  return total > MAX_TOTAL_SIZE;
}

/** The answer that tells a client the limits (MS-SMB2 3.3.5.15.6.2): a whole response with INVALID_PARAMETER. */
function limits(request: Request): Buffer {
  request.status = NtStatus.INVALID_PARAMETER;
  return encoded(LIMITS);
}

function encoded(response: SrvCopychunkResponse): Buffer {
  const writer = new Writer(COPYCHUNK_RESPONSE_LENGTH);
  encodeSrvCopychunkResponse(writer, response);
  return writer.view();
}

function checkAccess(source: FileOpen, target: FileOpen, readsTarget: boolean): void {
  const readable = (source.grantedAccess & (Access.READ_DATA | Access.EXECUTE)) !== 0;
  const writable = (target.grantedAccess & (Access.WRITE_DATA | Access.APPEND_DATA)) !== 0;
  const targetReadable = !readsTarget || (target.grantedAccess & Access.READ_DATA) !== 0;
  if (!readable || !writable || !targetReadable) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (source.stream.data === undefined || target.stream.data === undefined) {
    throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  }
}

async function copyChunks(
  request: Request,
  source: FileOpen,
  target: FileOpen,
  chunks: readonly SrvCopychunk[],
): Promise<Buffer> {
  await breakForChange(request, target);
  noteWritten(target);
  // Within one file the order of the chunks may matter.
  let mayJoin = source.file !== target.file;
  let chunksWritten = 0;
  let chunkBytesWritten = 0;
  let total = 0;
  while (chunksWritten < chunks.length) {
    const count = mayJoin ? countAdjacent(chunks, chunksWritten) : 1;
    const piece = joined(chunks, chunksWritten, count);
    let done: Copied | undefined;
    let status: number = NtStatus.SUCCESS;
    try {
      done = await copyChunk(request, source, target, piece);
      if (done.bytes < piece.length) status = NtStatus.INVALID_VIEW_SIZE;
    } catch (error) {
      status = statusOf(error, request);
    }
    if (status !== NtStatus.SUCCESS && count > 1) {
      // Chunk by chunk again, to learn which of them cannot be copied.
      mayJoin = false;
      continue;
    }
    if (done !== undefined) {
      for (const [way, bytes] of done.ways) request.server.context.metrics.copied("copychunk", way, bytes);
      total += done.bytes;
    }
    if (status !== NtStatus.SUCCESS) {
      // What was copied before the failure stays, and is reported (MS-SMB2 3.3.5.15.6.1).
      request.status = status;
      chunkBytesWritten = done?.bytes ?? 0;
      break;
    }
    chunksWritten += count;
  }
  await flushWriteThrough(target);
  return encoded({ chunksWritten, chunkBytesWritten, totalBytesWritten: total });
}

/** How many chunks from `first` on follow each other in the source and in the target: they can be copied as one. */
function countAdjacent(chunks: readonly SrvCopychunk[], first: number): number {
  let previous = chunks[first];
  for (let count = 1; ; count++) {
    const chunk = chunks[first + count];
    if (previous === undefined || chunk === undefined) return count;
    const length = BigInt(previous.length);
    if (
      chunk.sourceOffset !== previous.sourceOffset + length ||
      chunk.targetOffset !== previous.targetOffset + length
    ) {
      return count;
    }
    previous = chunk;
  }
}

function joined(chunks: readonly SrvCopychunk[], first: number, count: number): SrvCopychunk {
  const [head, ...rest] = chunks.slice(first, first + count);
  if (head === undefined) throw new RangeError("no chunk to copy");
  return { ...head, length: rest.reduce((length, chunk) => length + chunk.length, head.length) };
}

/** Copies one chunk, or less of it where the source becomes shorter meanwhile. */
async function copyChunk(request: Request, source: FileOpen, target: FileOpen, chunk: SrvCopychunk): Promise<Copied> {
  const from = source.stream.data;
  const to = target.stream.data;
  mustGoOn(request, source, target);
  if (from === undefined || to === undefined) throw new SmbError(NtStatus.FILE_CLOSED);
  const length = BigInt(chunk.length);
  const sourceSize = await from.size();
  const targetSize = await to.size();
  const targetStart = chunk.targetOffset === APPEND ? BigInt(targetSize.endOfFile) : chunk.targetOffset;
  if (chunk.sourceOffset + length > OFFSET_LIMIT || targetStart + length > OFFSET_LIMIT) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (targetStart + length > BigInt(target.file.volume.info.maximumFileSize)) throw new SmbError(NtStatus.DISK_FULL);
  if (chunk.sourceOffset + length > BigInt(sourceSize.endOfFile)) throw new SmbError(NtStatus.INVALID_VIEW_SIZE);
  const sourceOffset = Number(chunk.sourceOffset);
  const targetOffset = Number(targetStart);
  // Who may only append writes nothing that is there already (MS-FSA 2.1.5.4).
  if ((target.grantedAccess & Access.WRITE_DATA) === 0 && targetOffset < targetSize.endOfFile) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  const conflict =
    source.stream.locks.blocksIo(source, sourceOffset, chunk.length, false) ||
    target.stream.locks.blocksIo(target, targetOffset, chunk.length, true);
  if (conflict) throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  const range = { offset: targetOffset, length: chunk.length };
  return target.stream.changes.run(range, () => copyRange(from, sourceOffset, to, targetOffset, chunk.length));
}
