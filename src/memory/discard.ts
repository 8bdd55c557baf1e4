// SPDX-License-Identifier: Apache-2.0

import { MessageChannel, type MessagePort } from "node:worker_threads";

/** Bytes; the memory of smaller buffers is left to the garbage collector. */
const WORTH_DISCARDING = 32 * 1024;
let nowhere: MessagePort | undefined;

/**
 * Gives the memory of a large buffer back at once, where waiting for the garbage collector would make it run more often. The
 * buffer has length 0 afterwards. Left alone are small ones and those that share their memory with others.
 */
export function discard(buffer: Buffer): void {
  const memory = buffer.buffer;
  if (buffer.length < WORTH_DISCARDING || memory.byteLength !== buffer.length) return;
  if (!(memory instanceof ArrayBuffer)) return;
  // A transfer takes the memory from its owner; on a closed port nobody receives it.
  if (nowhere === undefined) {
    const { port1, port2 } = new MessageChannel();
    port2.close();
    nowhere = port1;
  }
  nowhere.postMessage(undefined, [memory]);
}
