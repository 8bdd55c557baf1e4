// SPDX-License-Identifier: Apache-2.0

type SystemCall =
  | "openat2"
  | "getdents64"
  | "cachestat"
  | "getxattrat"
  | "setxattrat"
  | "listxattrat"
  | "removexattrat";

const systemCalls: Record<string, Record<SystemCall, number>> = {
  x64: {
    openat2: 437,
    getdents64: 217,
    cachestat: 451,
    setxattrat: 463,
    getxattrat: 464,
    listxattrat: 465,
    removexattrat: 466,
  },
  arm64: {
    openat2: 437,
    getdents64: 61,
    cachestat: 451,
    setxattrat: 463,
    getxattrat: 464,
    listxattrat: 465,
    removexattrat: 466,
  },
};

/** The number of a system call that the C library has no function for. */
export function systemCallNumber(name: SystemCall): number {
  const table = systemCalls[process.arch];
  if (process.platform !== "linux" || table === undefined) {
    throw new Error(`the POSIX volume runs on Linux on x64 and arm64, not on ${process.platform} ${process.arch}`);
  }
  return table[name];
}
