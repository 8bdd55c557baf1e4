// SPDX-License-Identifier: Apache-2.0

import { Socket } from "node:net";

/** Takes what a socket receives. */
export interface Receiver {
  /** Takes bytes; their memory is lent for the call. */
  receive(chunk: Buffer): void;
  /** Where the next bytes are wanted, instead of in a chunk; what is not `undefined` stays in place until it is full. */
  readonly space: Buffer | undefined;
  /** So many bytes have been put at the start of {@link space}. */
  filled(count: number): void;
}

/** What is read when nobody knows yet what comes; one for all sockets, since each is done with it before the next has its turn. */
const chunk = Buffer.allocUnsafeSlow(64 * 1024);

/** The parts of a socket of Node that its types do not show. */
interface SocketParts {
  _handle?: { readonly fd?: number } | null;
}

/** The file descriptor of an open socket; `undefined` where it is closed, or where Node does not tell. */
export function descriptorOf(socket: Socket): number | undefined {
  const descriptor = (socket as unknown as SocketParts)._handle?.fd;
  return descriptor !== undefined && descriptor >= 0 ? descriptor : undefined;
}

/**
 * Has a socket, accepted with `pauseOnConnect`, read into memory of ours: Node makes a new buffer of 64 KiB for each read
 * otherwise, and file data would be copied out of it. Node offers that (`onread`) for sockets that it connects; for one that it
 * has accepted, a second socket takes the connection over.
 * @returns the socket to be used from now on
 */
export function readInto(accepted: Socket, receiver: Receiver): Socket {
  const parts = accepted as unknown as SocketParts;
  const handle = parts._handle;
  if (handle === undefined || handle === null) {
    // Closed already, or another Node.
    accepted.on("data", (data: Buffer) => receiver.receive(data));
    return accepted;
  }
  let target: Buffer = chunk;
  const onread = {
    buffer: () => {
      target = receiver.space ?? chunk;
      return target;
    },
    callback: (count: number) => {
      if (target === chunk) receiver.receive(chunk.subarray(0, count));
      else receiver.filled(count);
      return true;
    },
  };
  parts._handle = null;
  const options = { handle, onread, readable: true, writable: true };
  return new Socket(options as ConstructorParameters<typeof Socket>[0]);
}
