// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** ReadMode of FILE_PIPE_INFORMATION, and NamedPipeType (MS-FSCC 2.4.37, 2.4.38). */
export const PipeMode = { BYTE_STREAM: 0, MESSAGE: 1 } as const;

/** CompletionMode (MS-FSCC 2.4.37). */
export const PipeCompletionMode = { QUEUE_OPERATION: 0, COMPLETE_OPERATION: 1 } as const;

/** NamedPipeConfiguration (MS-FSCC 2.4.38). */
export const PipeConfiguration = { INBOUND: 0, OUTBOUND: 1, FULL_DUPLEX: 2 } as const;

/** NamedPipeState (MS-FSCC 2.4.38). */
export const PipeState = { DISCONNECTED: 1, LISTENING: 2, CONNECTED: 3, CLOSING: 4 } as const;

/** NamedPipeEnd (MS-FSCC 2.4.38). */
export const PipeEnd = { CLIENT: 0, SERVER: 1 } as const;

/** FILE_PIPE_INFORMATION (MS-FSCC 2.4.37), 8 bytes. */
export interface FilePipeInformation {
  /** {@link PipeMode}; other values are for the caller to refuse. */
  readonly readMode: number;
  /** {@link PipeCompletionMode}. */
  readonly completionMode: number;
}

export function encodeFilePipeInformation(writer: Writer, info: FilePipeInformation): void {
  writer.u32(info.readMode);
  writer.u32(info.completionMode);
}

export function decodeFilePipeInformation(reader: Reader): FilePipeInformation {
  return { readMode: reader.u32(), completionMode: reader.u32() };
}

/** FILE_PIPE_LOCAL_INFORMATION (MS-FSCC 2.4.38), 40 bytes. Quotas and amounts in bytes. */
export interface FilePipeLocalInformation {
  readonly namedPipeType: number;
  readonly namedPipeConfiguration: number;
  readonly maximumInstances: number;
  readonly currentInstances: number;
  readonly inboundQuota: number;
  readonly readDataAvailable: number;
  readonly outboundQuota: number;
  readonly writeQuotaAvailable: number;
  readonly namedPipeState: number;
  readonly namedPipeEnd: number;
}

export function encodeFilePipeLocalInformation(writer: Writer, info: FilePipeLocalInformation): void {
  writer.u32(info.namedPipeType);
  writer.u32(info.namedPipeConfiguration);
  writer.u32(info.maximumInstances);
  writer.u32(info.currentInstances);
  writer.u32(info.inboundQuota);
  writer.u32(info.readDataAvailable);
  writer.u32(info.outboundQuota);
  writer.u32(info.writeQuotaAvailable);
  writer.u32(info.namedPipeState);
  writer.u32(info.namedPipeEnd);
}

export function decodeFilePipeLocalInformation(reader: Reader): FilePipeLocalInformation {
  return {
    namedPipeType: reader.u32(),
    namedPipeConfiguration: reader.u32(),
    maximumInstances: reader.u32(),
    currentInstances: reader.u32(),
    inboundQuota: reader.u32(),
    readDataAvailable: reader.u32(),
    outboundQuota: reader.u32(),
    writeQuotaAvailable: reader.u32(),
    namedPipeState: reader.u32(),
    namedPipeEnd: reader.u32(),
  };
}

/** FILE_PIPE_REMOTE_INFORMATION (MS-FSCC 2.4.39), 12 bytes. */
export interface FilePipeRemoteInformation {
  /** 100 ns units. */
  readonly collectDataTime: bigint;
  /** Bytes. */
  readonly maximumCollectionCount: number;
}

export function encodeFilePipeRemoteInformation(writer: Writer, info: FilePipeRemoteInformation): void {
  writer.i64(info.collectDataTime);
  writer.u32(info.maximumCollectionCount);
}

export function decodeFilePipeRemoteInformation(reader: Reader): FilePipeRemoteInformation {
  return { collectDataTime: reader.i64(), maximumCollectionCount: reader.u32() };
}
