// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** FSCTL_PIPE_WAIT request (MS-FSCC 2.3.49), 14 bytes and the name. */
export interface PipeWait {
  /** As sent; `undefined` waits forever. */
  readonly timeout: bigint | undefined;
  /** Without `\pipe\`. */
  readonly name: string;
}

export function encodePipeWait(writer: Writer, wait: PipeWait): void {
  writer.i64(wait.timeout ?? 0n);
  writer.u32(wait.name.length * 2);
  writer.u8(wait.timeout === undefined ? 0 : 1);
  writer.u8(0);
  writer.utf16(wait.name);
}

/** @throws MalformedPacketError where NameLength is odd or reaches beyond the payload */
export function decodePipeWait(reader: Reader): PipeWait {
  const timeout = reader.i64();
  const nameLength = reader.u32();
  const timeoutSpecified = reader.u8() !== 0;
  reader.skip(1);
  return { timeout: timeoutSpecified ? timeout : undefined, name: reader.utf16(nameLength) };
}

/** FSCTL_PIPE_PEEK reply (MS-FSCC 2.3.46), 16 bytes and the data. */
export interface PipePeek {
  /** `PipeState`. */
  readonly namedPipeState: number;
  /** Bytes that can be read. */
  readonly readDataAvailable: number;
  /** Both 0 for a pipe of bytes. */
  readonly numberOfMessages: number;
  /** Bytes of the first message. */
  readonly messageLength: number;
  readonly data: Buffer;
}

export function encodePipePeek(writer: Writer, peek: PipePeek): void {
  writer.u32(peek.namedPipeState);
  writer.u32(peek.readDataAvailable);
  writer.u32(peek.numberOfMessages);
  writer.u32(peek.messageLength);
  writer.bytes(peek.data);
}

/** `data` is a view. */
export function decodePipePeek(reader: Reader): PipePeek {
  return {
    namedPipeState: reader.u32(),
    readDataAvailable: reader.u32(),
    numberOfMessages: reader.u32(),
    messageLength: reader.u32(),
    data: reader.bytes(reader.remaining),
  };
}
