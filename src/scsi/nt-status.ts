// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../nt/status.ts";
import { type ScsiError, ScsiStatus } from "./errors.ts";
import { type SenseData, SenseKey } from "./sense.ts";

/** What a sense code means to a client: the first row that fits counts. What is left out fits everything. */
interface Row {
  readonly key?: number;
  readonly asc?: number;
  readonly ascq?: number;
  /** Only of the commands of third-party copy. */
  readonly copy?: true;
  readonly status: NtStatus;
}

const { NOT_READY, MEDIUM_ERROR, ILLEGAL_REQUEST, DATA_PROTECT } = SenseKey;

const rows: readonly Row[] = [
  // INVALID TOKEN OPERATION, whatever the cause.
  { key: ILLEGAL_REQUEST, asc: 0x23, status: NtStatus.INVALID_TOKEN },
  // UNREACHABLE COPY TARGET.
  { key: ILLEGAL_REQUEST, asc: 0x08, ascq: 0x04, status: NtStatus.DEVICE_UNREACHABLE },
  // A unit that does not know the command, or not on this path.
  { key: ILLEGAL_REQUEST, asc: 0x20, copy: true, status: NtStatus.DEVICE_FEATURE_NOT_SUPPORTED },
  { key: ILLEGAL_REQUEST, asc: 0x24, copy: true, status: NtStatus.DEVICE_FEATURE_NOT_SUPPORTED },
  // Lengths, ranges or alignment that the array does not take.
  { key: ILLEGAL_REQUEST, asc: 0x0d, ascq: 0x04, copy: true, status: NtStatus.INVALID_PARAMETER },
  { key: ILLEGAL_REQUEST, asc: 0x1a, copy: true, status: NtStatus.INVALID_PARAMETER },
  { key: ILLEGAL_REQUEST, asc: 0x21, copy: true, status: NtStatus.INVALID_PARAMETER },
  { key: ILLEGAL_REQUEST, asc: 0x26, copy: true, status: NtStatus.INVALID_PARAMETER },
  { asc: 0x55, copy: true, status: NtStatus.INSUFFICIENT_RESOURCES },
  { key: ILLEGAL_REQUEST, asc: 0x20, status: NtStatus.INVALID_DEVICE_REQUEST },
  // SPACE ALLOCATION FAILED WRITE PROTECT: a thin unit whose pool is empty.
  { key: DATA_PROTECT, asc: 0x27, ascq: 0x07, status: NtStatus.DISK_FULL },
  { key: DATA_PROTECT, asc: 0x27, status: NtStatus.MEDIA_WRITE_PROTECTED },
  { key: NOT_READY, status: NtStatus.DEVICE_NOT_READY },
  { key: MEDIUM_ERROR, status: NtStatus.DEVICE_DATA_ERROR },
];

function fits({ key, asc, ascq, copy }: Row, sense: SenseData, thirdPartyCopy: boolean): boolean {
  return (
    (copy === undefined || thirdPartyCopy) &&
    (key === undefined || key === sense.key) &&
    (asc === undefined || asc === sense.asc) &&
    (ascq === undefined || ascq === sense.ascq)
  );
}

/**
 * The NTSTATUS with which a client hears of what a unit said (MS-FSCC 2.3.42, 2.3.44; what Windows makes of sense codes).
 * @param thirdPartyCopy it was said to a command of third-party copy
 */
export function ntStatusOf({ status, sense }: ScsiError, thirdPartyCopy: boolean): NtStatus {
  if (status === ScsiStatus.BUSY || status === ScsiStatus.TASK_SET_FULL || status === ScsiStatus.RESERVATION_CONFLICT) {
    return thirdPartyCopy ? NtStatus.DEVICE_UNREACHABLE : NtStatus.DEVICE_BUSY;
  }
  const row = sense === undefined ? undefined : rows.find((each) => fits(each, sense, thirdPartyCopy));
  return row?.status ?? NtStatus.IO_DEVICE_ERROR;
}
