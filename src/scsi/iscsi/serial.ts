// SPDX-License-Identifier: Apache-2.0

/** Serial number arithmetic on 32 bits (RFC 1982), which CmdSN, StatSN and DataSN follow (RFC 7143 4.2.2). */

export const nextSerial = (value: number): number => (value + 1) >>> 0;

/** How far `a` is ahead of `b`: negative where it is behind. Numbers 2^31 apart compare as behind. */
export const serialDistance = (a: number, b: number): number => (a - b) | 0;
