// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { TokenHolder } from "../../../offload/engine.ts";
import type { RefusalReason } from "../../../offload/refusal.ts";
import type { TokenOrigin, TokenUse } from "../../../offload/token-registry.ts";
import type { TokenSource } from "../../../offload/token-source.ts";
import type { StorageOffload } from "../../../vfs/offload.ts";
import type { ByteRange, VolumeStream } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { LiveSource } from "../../state/live-source.ts";
import type { FileOpen } from "../../state/open.ts";
import { noteWritten } from "../../state/report-change.ts";
import { UnchangedSource } from "../../state/unchanged-source.ts";
import type { OffloadWriteInput } from "../../wire/fscc/offload.ts";

/** What the storage says where it does not copy: then the server copies, if it can, or else the client. */
const storageRefuses: ReadonlySet<NtStatus> = new Set([
  NtStatus.INVALID_TOKEN,
  NtStatus.DEVICE_UNREACHABLE,
  NtStatus.DEVICE_FEATURE_NOT_SUPPORTED,
]);

/** Tokens that are none of ours: the storage may know them, from another server or from a host that has its LUNs. */
const foreign: ReadonlySet<RefusalReason> = new Set(["malformed", "unknown key"]);

export interface TokenAsk {
  readonly holder: TokenHolder;
  /** Milliseconds, 0 for the default. */
  readonly timeToLive: number;
  readonly origin: TokenOrigin;
}

/** Announces that data are about to change. */
export async function beginChange(request: Request, open: FileOpen): Promise<void> {
  await breakForChange(request, open);
  if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  noteWritten(open);
}

/**
 * A token of the storage for the data of a range, or of the first part of it; that of zeros, where there are none. The server
 * takes note of it, and goes on watching the data.
 * `undefined`: the storage makes none, or not one that is true to the moment
 */
export async function storageToken(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  range: ByteRange,
  endOfFile: number,
  ask: TokenAsk,
): Promise<{ readonly token: Buffer; readonly length: number } | undefined> {
  const { offload } = request.server;
  const storage = open.file.volume.offload;
  const unchanged = storage === undefined ? undefined : UnchangedSource.of(open, endOfFile);
  if (storage === undefined || unchanged === undefined) return undefined;
  const held: TokenSource[] = [unchanged];
  try {
    const made = await storage.createToken(data, range, offload.lifetime(ask.timeToLive));
    if (made?.kind === "zero") return { token: offload.zeroToken(), length: made.length };
    if (made === undefined) return undefined;
    const { token, pointInTime } = made;
    const length = Math.min(made.length, range.length);
    if (!pointInTime) {
      // Changes show through this token: what it stands for is kept before they are made, from the moment of the token on.
      const live = await LiveSource.of(open, range, offload.preserveBudget);
      if (live === undefined) return undefined;
      held.push(live);
      if (unchanged.lost !== undefined) return undefined;
    }
    const source = held.pop() ?? unchanged;
    try {
      offload.adopt(token, { pointInTime }, { source, offset: range.offset, length, ...ask });
    } catch (error) {
      held.push(source);
      throw error;
    }
    return { token, length };
  } finally {
    for (const source of held) await source.release();
  }
}

export interface TokenPiece {
  /** Bytes, in the file. */
  readonly offset: number;
  readonly token: Buffer;
  /** Bytes, in the data of the token. */
  readonly transferOffset: number;
  readonly length: number;
}

/**
 * Has the storage write what its own token stands for.
 * @returns bytes written; `undefined` where the server has to copy them itself
 * @throws SmbError the storage refuses, and the server no longer has the data
 */
export async function copyByStorage(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  use: TokenUse,
  piece: TokenPiece,
  goesOn: () => boolean,
): Promise<number | undefined> {
  const { source, storage: claim, offset: start } = use.record;
  const storage = open.file.volume.offload;
  if (claim === undefined || storage === undefined) return undefined;
  const isTrue = () => claim.pointInTime || source.isUntouched(start + piece.transferOffset, piece.length);
  if (!isTrue()) return undefined;
  try {
    const done = await writeFromToken(request, open, storage, data, piece, goesOn);
    // What was copied while the source changed is copied again, from what has been kept of it.
    if (!isTrue()) return undefined;
    request.server.context.metrics.copied("odx", "array", done);
    return done;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    request.server.context.log.info({ err: error, share: open.tree.shareName }, "the storage did not copy");
    if (source.lost !== undefined) throw error;
    return undefined;
  }
}

/**
 * Has the storage write what a token stands for that this server did not see being made.
 * @returns bytes written; `undefined` where it is no token of this storage
 */
export async function copyForeign(
  request: Request,
  open: FileOpen,
  data: VolumeStream,
  offset: number,
  input: OffloadWriteInput,
  reason: RefusalReason,
  goesOn: () => boolean,
): Promise<number | undefined> {
  const storage = open.file.volume.offload;
  if (storage === undefined || !storage.acceptsForeignTokens || !foreign.has(reason)) return undefined;
  const { endOfFile } = await data.size();
  const wanted = Number(input.copyLength);
  const length = offset < endOfFile ? Math.min(wanted, endOfFile - offset) : wanted;
  const piece = { offset, token: input.token, transferOffset: Number(input.transferOffset), length };
  try {
    const done = await writeFromToken(request, open, storage, data, piece, goesOn);
    request.server.context.metrics.copied("odx", "array", done);
    const sector = open.file.volume.info.logicalSectorSize;
    return done === length ? Math.min(wanted, Math.ceil(length / sector) * sector) : done;
  } catch (error) {
    if (error instanceof SmbError && error.status === NtStatus.INVALID_TOKEN) return undefined;
    throw error;
  }
}

async function writeFromToken(
  request: Request,
  open: FileOpen,
  storage: StorageOffload,
  data: VolumeStream,
  { offset, token, transferOffset, length }: TokenPiece,
  goesOn: () => boolean,
): Promise<number> {
  await beginChange(request, open);
  return await open.stream.changes.run({ offset, length }, () =>
    storage.writeFromToken(data, offset, token, transferOffset, length, goesOn),
  );
}

function isRefusal(error: unknown): boolean {
  return error instanceof SmbError && storageRefuses.has(error.status);
}
