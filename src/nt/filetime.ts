// SPDX-License-Identifier: Apache-2.0

/** 1601-01-01 to 1970-01-01 in units of 100 ns (MS-DTYP 2.3.3). */
const EPOCH_DIFFERENCE = 116_444_736_000_000_000n;

/** A FILETIME: 100 ns units since 1601-01-01 UTC, as `bigint`. */
export type FileTime = bigint;

export function fileTimeFromUnix(seconds: bigint, nanoseconds: bigint): FileTime {
  return seconds * 10_000_000n + nanoseconds / 100n + EPOCH_DIFFERENCE;
}

/** Milliseconds since 1970, as `Date.now()` gives them. */
export function fileTimeFromMilliseconds(milliseconds: number): FileTime {
  return BigInt(Math.round(milliseconds)) * 10_000n + EPOCH_DIFFERENCE;
}

/** Splits a FILETIME into a Unix `timespec`; times before 1970 give negative seconds and non-negative nanoseconds. */
export function fileTimeToUnix(time: FileTime): { seconds: bigint; nanoseconds: bigint } {
  const units = time - EPOCH_DIFFERENCE;
  let seconds = units / 10_000_000n;
  let rest = units % 10_000_000n;
  if (rest < 0n) {
    rest += 10_000_000n;
    seconds -= 1n;
  }
  return { seconds, nanoseconds: rest * 100n };
}
