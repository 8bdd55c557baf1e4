// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import { decodeCompressionState, encodeCompressionState } from "../../wire/fscc/compression.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

const COMPRESSION_FORMAT_NONE = 0;
const STATE_LENGTH = 2;

/** FSCTL_GET_COMPRESSION (MS-FSA 2.1.5.10.9): no volume compresses, so that no file is compressed. */
export function getCompression(_request: Request, ioctl: IoctlRequest): Buffer {
  if (ioctl.maxOutputResponse < STATE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(STATE_LENGTH);
  encodeCompressionState(writer, COMPRESSION_FORMAT_NONE);
  return writer.view();
}

/** FSCTL_SET_COMPRESSION (MS-FSA 2.1.5.10.31) on a volume without compression: no compression can be asked for. */
export function setCompression(_request: Request, ioctl: IoctlRequest): Buffer {
  if (ioctl.input.length < STATE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (decodeCompressionState(new Reader(ioctl.input)) !== COMPRESSION_FORMAT_NONE) {
    throw new SmbError(NtStatus.NOT_SUPPORTED);
  }
  return NO_OUTPUT;
}
