// SPDX-License-Identifier: Apache-2.0

/** Sending on a connected socket whose descriptor does not block. */

import { addressOf, bind, outcome, scratch } from "./ffi.ts";

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;

const send = bind<[number, number, number, number]>("send", "int64", ["int", "address", "int64", "int"]);
const sendmsg = bind<[number, number, number]>("sendmsg", "int64", ["int", "address", "int"]);

/** Buffers that one call takes; the kernel's own bound is 1,024. */
export const MAXIMUM_BUFFERS = 256;
const IOVEC_SIZE = 16;

/** struct iovec[MAXIMUM_BUFFERS] and struct msghdr: of this, all but msg_iov and msg_iovlen stays zero. */
const vectors = scratch(MAXIMUM_BUFFERS * IOVEC_SIZE);
const vectorWords = new Uint32Array(vectors.buffer.buffer, vectors.buffer.byteOffset, MAXIMUM_BUFFERS * 4);
const message = scratch(56);
message.buffer.fill(0).writeBigUInt64LE(BigInt(vectors.address), 16);

/**
 * Sends what the socket takes at once of the given buffers, at most {@link MAXIMUM_BUFFERS} of them.
 * @returns bytes that were taken, or a negated error number
 */
export function sendNow(descriptor: number, buffers: readonly Buffer[]): number {
  const [only] = buffers;
  if (only === undefined) return 0;
  if (buffers.length === 1) {
    return outcome(send(descriptor, addressOf(only), only.length, MSG_DONTWAIT | MSG_NOSIGNAL));
  }
  const count = Math.min(buffers.length, MAXIMUM_BUFFERS);
  for (let index = 0; index < count; index++) {
    const buffer = buffers[index] ?? only;
    const address = addressOf(buffer);
    const word = index * 4;
    vectorWords[word] = address >>> 0;
    vectorWords[word + 1] = Math.floor(address / 0x1_0000_0000);
    vectorWords[word + 2] = buffer.length;
    vectorWords[word + 3] = 0;
  }
  message.buffer.writeUInt32LE(count, 24);
  return outcome(sendmsg(descriptor, message.address, MSG_DONTWAIT | MSG_NOSIGNAL));
}
