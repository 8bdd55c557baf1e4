// SPDX-License-Identifier: Apache-2.0

import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import {
  decodeOffloadReadOutput,
  decodeOffloadWriteOutput,
  encodeOffloadReadInput,
  encodeOffloadWriteInput,
  type OffloadReadOutput,
} from "../../src/smb2/wire/fscc/offload.ts";
import { encodeFileEndOfFileInformation } from "../../src/smb2/wire/fscc/size-info.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import type { SmbFile } from "./smb-client.ts";

/** Bytes; offsets and lengths are multiples of it. */
const SECTOR = 512;

export interface ReadRange {
  readonly offset?: number | bigint;
  readonly length: number | bigint;
  /** Milliseconds. */
  readonly timeToLive?: number;
}

export interface WriteRange {
  readonly offset?: number | bigint;
  readonly length: number | bigint;
  readonly transferOffset?: number | bigint;
}

export function offloadReadInput({ offset = 0, length, timeToLive = 0 }: ReadRange): Buffer {
  const writer = new Writer();
  encodeOffloadReadInput(writer, {
    tokenTimeToLive: timeToLive,
    fileOffset: BigInt(offset),
    copyLength: BigInt(length),
  });
  return writer.view();
}

export function offloadWriteInput(token: Buffer, { offset = 0, length, transferOffset = 0 }: WriteRange): Buffer {
  const writer = new Writer();
  encodeOffloadWriteInput(writer, {
    fileOffset: BigInt(offset),
    copyLength: BigInt(length),
    transferOffset: BigInt(transferOffset),
    token,
  });
  return writer.view();
}

/** @throws StatusError */
export async function offloadRead(file: SmbFile, range: ReadRange): Promise<OffloadReadOutput> {
  const output = await file.ioctl(Fsctl.OFFLOAD_READ, offloadReadInput(range), { maxOutputResponse: 528 });
  const { token, ...rest } = decodeOffloadReadOutput(new Reader(output));
  return { ...rest, token: Buffer.from(token) };
}

/** @returns LengthWritten @throws StatusError */
export async function offloadWrite(file: SmbFile, token: Buffer, range: WriteRange): Promise<number> {
  const output = await file.ioctl(Fsctl.OFFLOAD_WRITE, offloadWriteInput(token, range), { maxOutputResponse: 16 });
  return decodeOffloadWriteOutput(new Reader(output));
}

/** Writes until all is written, as copy engines do. @returns how many requests it took @throws StatusError */
export async function offloadWriteAll(file: SmbFile, token: Buffer, range: WriteRange): Promise<number> {
  const { offset = 0, length, transferOffset = 0 } = range;
  let calls = 0;
  for (let done = 0n; done < BigInt(length); calls++) {
    const written = await offloadWrite(file, token, {
      offset: BigInt(offset) + done,
      length: BigInt(length) - done,
      transferOffset: BigInt(transferOffset) + done,
    });
    if (written <= 0) throw new Error("no progress");
    done += BigInt(written);
  }
  return calls;
}

/** How a whole file was copied. */
export interface OffloadCopy {
  /** Requests that carried it, between opening and closing. */
  readonly requests: number;
}

/**
 * Copies a whole file as Windows' copy engine does: the target gets its size first, then tokens are read and written until
 * nothing is left.
 * @param length bytes of the source
 * @throws StatusError
 */
export async function offloadCopy(source: SmbFile, target: SmbFile, length: number): Promise<OffloadCopy> {
  const size = new Writer(8);
  encodeFileEndOfFileInformation(size, BigInt(length));
  await target.setInfo(FileInformationClass.FileEndOfFileInformation, size.view());
  let count = 1;
  const sectors = Math.ceil(length / SECTOR) * SECTOR;
  for (let offset = 0; offset < sectors; ) {
    const { token, transferLength } = await offloadRead(source, { offset, length: sectors - offset });
    const writes = await offloadWriteAll(target, token, { offset, length: transferLength });
    count += 1 + writes;
    offset += transferLength;
  }
  return { requests: count };
}
