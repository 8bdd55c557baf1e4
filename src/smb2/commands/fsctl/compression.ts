// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Writer } from "../../wire/cursor.ts";
import { encodeCompressionState } from "../../wire/fscc/compression.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";

const COMPRESSION_FORMAT_NONE = 0;
const STATE_LENGTH = 2;

/** FSCTL_GET_COMPRESSION (MS-FSA 2.1.5.10.9): no volume compresses, so that no file is compressed. */
export function getCompression(_request: Request, ioctl: IoctlRequest): Buffer {
  if (ioctl.maxOutputResponse < STATE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(STATE_LENGTH);
  encodeCompressionState(writer, COMPRESSION_FORMAT_NONE);
  return writer.view();
}

/** FSCTL_SET_COMPRESSION (MS-FSA 2.1.5.10.31) on a volume without compression. */
export function setCompression(): Buffer {
  throw new SmbError(NtStatus.NOT_SUPPORTED);
}
