// SPDX-License-Identifier: Apache-2.0

import { totalmem } from "node:os";

/** Bytes. */
const LEAST = 64 * 1024 * 1024;
const PART = 1 / 8;

/**
 * The part of the memory that requests and answers may take by default: an eighth, in bytes.
 * @param machine bytes of the machine
 * @param container bytes that the system lets this process have; none of some numbers that stand for "as much as there is"
 */
export function shareOfMemory(
  machine = totalmem(),
  container: number | undefined = process.constrainedMemory(),
): number {
  const memory = container === undefined || container <= 0 ? machine : Math.min(machine, container);
  return Math.max(LEAST, Math.floor(memory * PART));
}
