// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Writer } from "../../wire/cursor.ts";
import { encodeSrvSnapshotArray, SNAPSHOT_ARRAY_MINIMUM_OUTPUT } from "../../wire/fscc/snapshots.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";

/** FSCTL_SRV_ENUMERATE_SNAPSHOTS (MS-SMB2 3.3.5.15.1): volumes keep no previous versions, so that there are none. */
export function enumerateSnapshots(_request: Request, ioctl: IoctlRequest): Buffer {
  if (ioctl.maxOutputResponse < SNAPSHOT_ARRAY_MINIMUM_OUTPUT) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(SNAPSHOT_ARRAY_MINIMUM_OUTPUT);
  encodeSrvSnapshotArray(writer, [], ioctl.maxOutputResponse);
  return writer.view();
}
