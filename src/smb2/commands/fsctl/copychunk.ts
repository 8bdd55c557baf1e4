// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import { type Copied, copyRange } from "../../../offload/copier.ts";
import { statusOf } from "../../failure.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import type { FileOpen, Open } from "../../state/open.ts";
import { noteWritten } from "../../state/report-change.ts";
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

/** ServerSideCopyMaxNumberofChunks, MaxChunkSize and MaxDataSize (MS-SMB2 3.3.3): clients adopt them, so never 0. */
const MAX_CHUNKS = 256;
const MAX_CHUNK_SIZE = 1024 * 1024;
const MAX_TOTAL_SIZE = 16 * 1024 * 1024;

const LIMITS: SrvCopychunkResponse = {
  chunksWritten: MAX_CHUNKS,
  chunkBytesWritten: MAX_CHUNK_SIZE,
  totalBytesWritten: MAX_TOTAL_SIZE,
};

const HEADER_LENGTH = 32;
/** Offsets are signed 64-bit values to the file system. */
const OFFSET_LIMIT = 0x7fff_ffff_ffff_ffffn;
/** The one negative TargetOffset that is not answered with the limits (MS-SMB2 3.3.5.15.6). */
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
 * FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE (MS-SMB2 3.3.5.15.6).
 * @param readsTarget COPYCHUNK wants FILE_READ_DATA on the target too
 */
export async function srvCopychunk(request: Request, ioctl: IoctlRequest, readsTarget: boolean): Promise<Buffer> {
  const target = request.open;
  if (ioctl.input.length < HEADER_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const reader = new Reader(ioctl.input);
  const { sourceKey, chunkCount } = decodeSrvCopychunkCopyHeader(reader);
  const source = findSource(request, sourceKey);
  if (chunkCount > MAX_CHUNKS || reader.remaining < chunkCount * COPYCHUNK_LENGTH) return limits(request);
  const chunks = decodeSrvCopychunks(reader, chunkCount);
  if (exceedsLimits(chunks) || target.kind === "pipe") return limits(request);
  checkAccess(source, target, readsTarget);

  // The source stays open below while the copy runs, even when the client closes it.
  source.file.holds++;
  try {
    return await copyChunks(request, source, target, chunks);
  } finally {
    await source.tree.files?.release(source.file);
  }
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
  breakForChange(request.server, target.stream);
  noteWritten(target);
  // Within one file the order of the chunks may matter.
  let mayJoin = source.file !== target.file;
  let chunksWritten = 0;
  let total = 0;
  while (chunksWritten < chunks.length) {
    const count = mayJoin ? countAdjacent(chunks, chunksWritten) : 1;
    try {
      const { bytes, way } = await copyChunk(source, target, joined(chunks, chunksWritten, count));
      request.server.context.metrics.copied("copychunk", way, bytes);
      total += bytes;
      chunksWritten += count;
    } catch (error) {
      if (count > 1) {
        // Chunk by chunk again, to learn which of them cannot be copied.
        mayJoin = false;
        continue;
      }
      // What was copied before the failure stays, and is reported (MS-SMB2 3.3.5.15.6.1).
      request.status = statusOf(error, request);
      return encoded({ chunksWritten, chunkBytesWritten: 0, totalBytesWritten: total });
    }
  }
  return encoded({ chunksWritten, chunkBytesWritten: 0, totalBytesWritten: total });
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

async function copyChunk(source: FileOpen, target: FileOpen, chunk: SrvCopychunk): Promise<Copied> {
  const from = source.stream.data;
  const to = target.stream.data;
  if (source.closing || target.closing || from === undefined || to === undefined) {
    throw new SmbError(NtStatus.FILE_CLOSED);
  }
  const length = BigInt(chunk.length);
  if (chunk.sourceOffset + length > OFFSET_LIMIT || chunk.targetOffset + length > OFFSET_LIMIT) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (chunk.targetOffset + length > BigInt(target.file.volume.info.maximumFileSize)) {
    throw new SmbError(NtStatus.DISK_FULL);
  }
  const { endOfFile } = await from.size();
  if (chunk.sourceOffset + length > BigInt(endOfFile)) throw new SmbError(NtStatus.INVALID_VIEW_SIZE);
  const sourceOffset = Number(chunk.sourceOffset);
  const targetOffset = Number(chunk.targetOffset);
  const conflict =
    source.stream.locks.blocksIo(source, sourceOffset, chunk.length, false) ||
    target.stream.locks.blocksIo(target, targetOffset, chunk.length, true);
  if (conflict) throw new SmbError(NtStatus.FILE_LOCK_CONFLICT);
  const copied = await target.stream.changes.run(() => copyRange(from, sourceOffset, to, targetOffset, chunk.length));
  if (copied.bytes < chunk.length) throw new SmbError(NtStatus.INVALID_VIEW_SIZE);
  return copied;
}
