// SPDX-License-Identifier: Apache-2.0

/**
 * How clients ask for a copy on the server: offloaded data transfer with tokens (MS-FSCC 2.3.41 to 2.3.44), server-side copy
 * (MS-SMB2 3.3.5.15.6), block clone (MS-FSCC 2.3.7).
 */
export const COPY_OPERATIONS = ["odx", "copychunk", "clone"] as const;

export type CopyOperation = (typeof COPY_OPERATIONS)[number];

/**
 * Who brings the bytes to where they are wanted: nobody, because blocks come to be shared; the storage array; the volume by
 * itself, which is the kernel where the volume is a folder; this process through its memory; nobody, because they are zeros.
 */
export const COPY_WAYS = ["reflink", "array", "kernel", "process", "zero"] as const;

export type CopyWay = (typeof COPY_WAYS)[number];

/** Which of them a share offers. */
export type OffloadSwitches = Readonly<Record<CopyOperation, boolean>>;

export const allOperations: OffloadSwitches = { odx: true, copychunk: true, clone: true };
