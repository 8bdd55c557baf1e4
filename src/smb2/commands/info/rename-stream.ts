// SPDX-License-Identifier: Apache-2.0

import { foldName, parseStreamPath, type StreamPath, sameName } from "../../../nt/names.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { VolumeStream } from "../../../vfs/volume.ts";
import { WHOLE } from "../../state/data-changes.ts";
import type { FileOpen } from "../../state/open.ts";
import { reportStreamRename } from "../../state/report-change.ts";
import type { SharedFile } from "../../state/shared-file.ts";

/** Bytes that are copied at a time where the data have to move. */
const PIECE = 1 << 20;

/**
 * Gives the stream of a handle another name (MS-FSA 2.1.5.15.12.1).
 * @param newName begins with a colon
 */
export async function renameStream(open: FileOpen, newName: string, replaceIfExists: boolean): Promise<void> {
  const { file, stream } = open;
  const { stream: name, type } = parse(newName);
  if (stream.data === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (type === "$INDEX_ALLOCATION") throw new SmbError(NtStatus.OBJECT_TYPE_MISMATCH);
  if (name === "" && file.node.directory) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (stream.deletePending || open.link.deletePending) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (sameName(name, stream.name)) return;
  if (name === "") return becomeDefault(open, stream.data);
  await makeRoom(file, name, replaceIfExists);
  if (stream.name === "") return leaveDefault(open, stream.data, name);
  const from = stream.name;
  await file.node.renameStream(from, name, replaceIfExists);
  rekey(open, name);
}

function parse(newName: string): StreamPath {
  try {
    return parseStreamPath(newName);
  } catch {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

/** Another stream gives way only when nobody has it open and it is empty. */
async function makeRoom(file: SharedFile, name: string, replaceIfExists: boolean): Promise<void> {
  const data = await idleStream(file, name);
  if (data === undefined) return;
  try {
    if (!replaceIfExists) throw new SmbError(NtStatus.OBJECT_NAME_COLLISION);
    const { endOfFile } = await data.size();
    if (endOfFile > 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  } finally {
    await data.close();
  }
}

/**
 * Takes a stream out of the table, or opens it; the caller closes it.
 * @throws SmbError INVALID_PARAMETER somebody has it open
 */
async function idleStream(file: SharedFile, name: string): Promise<VolumeStream | undefined> {
  const key = foldName(name);
  const known = file.streams.get(key);
  if (known === undefined) return file.node.openStream(name);
  if (known.opens.size > 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  file.streams.delete(key);
  return known.data;
}

/** The data of a named stream become those of the file. The default stream cannot be exchanged, so that they move. */
async function becomeDefault(open: FileOpen, data: VolumeStream): Promise<void> {
  const { file, stream } = open;
  requireAlone(open);
  const target = await idleStream(file, "");
  if (target === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  try {
    const { endOfFile } = await target.size();
    if (endOfFile > 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
    await stream.changes.run(WHOLE, async () => {
      await move(data, target);
      await file.node.removeStream(stream.name);
    });
  } catch (error) {
    await target.close();
    throw error;
  }
  stream.data = target;
  rekey(open, "");
  await data.close();
}

/** The data of the file become those of a named stream, and the file is empty. */
async function leaveDefault(open: FileOpen, data: VolumeStream, name: string): Promise<void> {
  const { file, stream } = open;
  requireAlone(open);
  const old = await file.node.openStream(name);
  await old?.close();
  if (old !== undefined) await file.node.removeStream(old.name);
  const target = await file.node.createStream(name);
  try {
    await move(data, target);
    await stream.changes.run(WHOLE, () => data.setEndOfFile(0));
  } catch (error) {
    await target.close();
    await file.node.removeStream(name);
    throw error;
  }
  stream.data = target;
  rekey(open, name);
  await data.close();
}

/** While data move, nobody else may write them. */
function requireAlone({ stream }: FileOpen): void {
  if (stream.opens.size > 1) throw new SmbError(NtStatus.SHARING_VIOLATION);
}

async function move(from: VolumeStream, to: VolumeStream): Promise<void> {
  const { endOfFile } = await from.size();
  const buffer = Buffer.allocUnsafe(Math.min(PIECE, endOfFile));
  try {
    for (let offset = 0; offset < endOfFile; ) {
      const count = await from.read(offset, buffer.subarray(0, Math.min(PIECE, endOfFile - offset)));
      if (count === 0) break;
      await to.write(offset, buffer.subarray(0, count));
      offset += count;
    }
  } catch (error) {
    await to.setEndOfFile(0);
    throw error;
  }
}

function rekey(open: FileOpen, name: string): void {
  const { file, stream } = open;
  const from = stream.name;
  file.streams.delete(foldName(from));
  stream.name = name;
  file.streams.set(foldName(name), stream);
  reportStreamRename(open, from, name);
}
