// SPDX-License-Identifier: Apache-2.0

import { statusName } from "../../src/nt/status.ts";
import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import {
  decodeSrvCopychunkResponse,
  encodeSrvCopychunkCopy,
  RESUME_KEY_LENGTH,
  type SrvCopychunk,
  type SrvCopychunkResponse,
} from "../../src/smb2/wire/fscc/copychunk.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../src/smb2/wire/ioctl.ts";
import type { SmbFile } from "./smb-client.ts";
import { type Call, ClientError } from "./smb-connection.ts";
import { requests } from "./smb-requests.ts";

export const chunk = (sourceOffset: number | bigint, targetOffset: number | bigint, length: number): SrvCopychunk => ({
  sourceOffset: BigInt(sourceOffset),
  targetOffset: BigInt(targetOffset),
  length,
});

/** SRV_COPYCHUNK_COPY (MS-SMB2 2.2.31.1). */
export function copyInput(key: Buffer, chunks: readonly SrvCopychunk[]): Buffer {
  const writer = new Writer();
  encodeSrvCopychunkCopy(writer, key, chunks);
  return writer.view();
}

/** The resume key of a handle. @throws StatusError */
export async function keyOf(file: SmbFile): Promise<Buffer> {
  return (await file.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY)).subarray(0, RESUME_KEY_LENGTH);
}

export interface CopyAnswer {
  /** Without `STATUS_`. */
  readonly status: string;
  /** The 12 bytes, where they came: with success, with a failed copy, and with the server's limits. */
  readonly result?: SrvCopychunkResponse;
}

export interface CopyOptions {
  /** FSCTL_SRV_COPYCHUNK by default. */
  readonly code?: number;
  readonly maxOutputResponse?: number;
}

export function submitCopy(target: SmbFile, input: Buffer, options: CopyOptions = {}): Call {
  const { code = Fsctl.SRV_COPYCHUNK, maxOutputResponse = 12 } = options;
  return target.submit(requests.ioctl(code, target.fileId, { input, maxOutputResponse }));
}

/** StructureSize of an IOCTL response; an error response has 9. */
const IOCTL_RESPONSE = 49;

export async function copyAnswer(call: Call): Promise<CopyAnswer> {
  const reply = await call.reply;
  const status = statusName(reply.status).replace("STATUS_", "");
  if (reply.message.readUInt16LE(64) !== IOCTL_RESPONSE) return { status };
  const { output } = decodeIoctlResponse(reply.reader);
  if (output.length !== 12) throw new ClientError(`an SRV_COPYCHUNK_RESPONSE of ${output.length} bytes`);
  return { status, result: decodeSrvCopychunkResponse(new Reader(output)) };
}

export function copychunk(target: SmbFile, input: Buffer, options?: CopyOptions): Promise<CopyAnswer> {
  return copyAnswer(submitCopy(target, input, options));
}

/** What a copy that succeeds is answered with. */
export const copied = (chunksWritten: number, totalBytesWritten: number): CopyAnswer => ({
  status: "SUCCESS",
  result: { chunksWritten, chunkBytesWritten: 0, totalBytesWritten },
});
