// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  decodeQueryFileRegionsInput,
  encodeQueryFileRegionsOutput,
  type FileRegionInput,
  FileRegionUsage,
} from "../../wire/fscc/sparse.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

const INPUT_LENGTH = 24;
/** FILE_REGION_OUTPUT with room for one region. */
const MINIMUM_OUTPUT = 40;
const OFFSET_LIMIT = 0x7fff_ffff_ffff_ffffn;

const WHOLE_FILE: FileRegionInput = {
  offset: 0n,
  length: OFFSET_LIMIT,
  desiredUsage: FileRegionUsage.VALID_CACHED_DATA,
};

/**
 * FSCTL_QUERY_FILE_REGIONS (MS-FSA 2.1.5.10.24). The valid data of a file always reach to its end, in memory and on disk: what was
 * never written reads as zeros.
 */
export async function queryFileRegions(request: Request, ioctl: IoctlRequest): Promise<Buffer> {
  const { stream } = request.fileOpen;
  if (stream.data === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (ioctl.input.length > 0 && ioctl.input.length < INPUT_LENGTH) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
  const { offset, length, desiredUsage } = decodeQueryFileRegionsInput(new Reader(ioctl.input)) ?? WHOLE_FILE;
  const known: readonly number[] = Object.values(FileRegionUsage);
  if (offset < 0n || length <= 0n || offset + length > OFFSET_LIMIT || !known.includes(desiredUsage)) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (ioctl.maxOutputResponse < MINIMUM_OUTPUT) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
  const { endOfFile } = await stream.data.size();
  if (offset > BigInt(endOfFile) || (offset === BigInt(endOfFile) && endOfFile > 0)) return NO_OUTPUT;
  const start = Number(offset);
  const rest = endOfFile - start;
  const region = {
    offset: start,
    length: length < BigInt(rest) ? Number(length) : rest,
    usage: rest === 0 ? 0 : desiredUsage,
  };
  const writer = new Writer(MINIMUM_OUTPUT);
  encodeQueryFileRegionsOutput(writer, [region], ioctl.maxOutputResponse);
  return writer.view();
}
