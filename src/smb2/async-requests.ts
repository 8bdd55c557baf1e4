// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Request } from "./request.ts";
import { Command, HeaderFlag } from "./wire/constants.ts";
import type { Header } from "./wire/header.ts";

/** Requests that others answer, or nobody: they may wait for as long as their client likes. */
const ENDLESS: ReadonlySet<number> = new Set([Command.CHANGE_NOTIFY, Command.LOCK, Command.READ]);
/** Bytes; all of them are small, unless somebody wants the server to keep much for as long. */
const LONGEST_FRAME = 64 * 1024;

/** Requests of one connection that may wait (Connection.AsyncCommandList, MS-SMB2 3.3.1.7). */
export class AsyncRequests {
  readonly #maximum: number;
  readonly #requests = new Map<bigint, Request>();
  #nextId = 1n;

  /** @param maximum requests at a time */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** Those of them that wait for something else, and end as soon as they are cancelled. */
  get waiting(): number {
    let waiting = 0;
    for (const request of this.#requests.values()) if (request.isWaiting) waiting++;
    return waiting;
  }

  /** MS-SMB2 3.3.4.2. @throws SmbError INSUFFICIENT_RESOURCES */
  add(request: Request): void {
    const isTooLong = request.chain.frameLength > LONGEST_FRAME && ENDLESS.has(request.header.command);
    if (isTooLong || this.#requests.size >= this.#maximum) throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
    const id = this.#nextId++;
    this.#requests.set(id, request);
    if (request.chain.isLast) request.asyncId = id;
    request.asyncKey = id;
  }

  /** The request has its final status. */
  remove(request: Request): void {
    this.#requests.delete(request.asyncKey);
    if (request.outlivesChannel && request.hasSession) request.session.stranded.delete(request);
  }

  /** Cancels what a CANCEL names, if that is of the same session (MS-SMB2 3.3.5.16). */
  cancel(header: Header): void {
    const target = this.#find(header);
    if (target?.header.sessionId === header.sessionId) target.cancel();
  }

  #find({ flags, asyncId, messageId }: Header): Request | undefined {
    if (flags & HeaderFlag.ASYNC_COMMAND) return this.#requests.get(asyncId);
    let found: Request | undefined;
    for (const request of this.#requests.values()) if (request.header.messageId === messageId) found = request;
    return found;
  }

  cancelWhere(test: (request: Request) => boolean): void {
    for (const request of [...this.#requests.values()]) if (test(request)) request.cancel();
  }
}

/**
 * Leaves a request to its session, where that has connections besides the one it came over, which is gone, and the request may go
 * on without it.
 * @returns whether it does
 */
export function strand(request: Request): boolean {
  if (!request.outlivesChannel || !request.hasSession || request.session.state !== "valid") return false;
  for (const other of request.session.channels.keys()) {
    if (other === request.connection || other.isClosed) continue;
    request.session.stranded.add(request);
    return true;
  }
  return false;
}
