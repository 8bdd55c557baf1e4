// SPDX-License-Identifier: Apache-2.0

import { FileAttribute, FileSystemAttribute } from "../../../nt/attributes.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { reportModified } from "../../state/report-change.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import { decodeCompressionState, encodeCompressionState } from "../../wire/fscc/compression.ts";
import { CompressionFormat } from "../../wire/fscc/size-info.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

const STATE_LENGTH = 2;

/** FSCTL_GET_COMPRESSION (MS-FSA 2.1.5.10.9). What is compressed is called LZNT1, whatever the storage uses. */
export async function getCompression(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  if (ioctl.maxOutputResponse < STATE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(STATE_LENGTH);
  encodeCompressionState(writer, (await isCompressed(request)) ? CompressionFormat.LZNT1 : CompressionFormat.NONE);
  return writer.view();
}

/** FSCTL_SET_COMPRESSION (MS-FSA 2.1.5.10.30). A file is compressed as a whole: its named streams have no state of their own. */
export async function setCompression(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const open = request.fileOpen;
  const { node, volume } = open.file;
  if (ioctl.input.length < STATE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const state = decodeCompressionState(new Reader(ioctl.input));
  const known: readonly number[] = Object.values(CompressionFormat);
  const compress = state !== CompressionFormat.NONE;
  if ((volume.info.attributes & FileSystemAttribute.FILE_COMPRESSION) === 0) {
    if (compress) throw new SmbError(NtStatus.NOT_SUPPORTED);
    return NO_OUTPUT;
  }
  if (!known.includes(state)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (volume.info.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  if (compress === (await isCompressed(request))) return NO_OUTPUT;
  await node.setCompressed?.(compress);
  reportModified(open, CompletionFilter.ATTRIBUTES);
  return NO_OUTPUT;
}

async function isCompressed(request: Request): Promise<boolean> {
  return ((await request.fileOpen.file.node.stat()).attributes & FileAttribute.COMPRESSED) !== 0;
}
