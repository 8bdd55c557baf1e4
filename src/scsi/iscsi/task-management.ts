// SPDX-License-Identifier: Apache-2.0

import { ProtocolError, TransportError } from "../errors.ts";
import type { SessionLink } from "./session-link.ts";
import { encodeTaskManagementRequest } from "./session-pdus.ts";

/** In the place of a response: the session ended before it came. */
export const NO_RESPONSE = -1;

/** Task management requests of a session that wait for their answers (RFC 7143 11.5, 11.6). */
export class TaskManagement {
  readonly #link: SessionLink;
  readonly #answers = new Map<number, (response: number) => void>();

  constructor(link: SessionLink) {
    this.#link = link;
  }

  /** Whether a request has this Initiator Task Tag. */
  has(tag: number): boolean {
    return this.#answers.has(tag);
  }

  /** @returns the response, or {@link NO_RESPONSE} */
  request(taskFunction: number, lun: bigint, referencedTaskTag: number, refCmdSn: number): Promise<number> {
    const { connection, clock, times, portal } = this.#link;
    if (!connection.open) return Promise.resolve(NO_RESPONSE);
    const initiatorTaskTag = this.#link.takeTag();
    return new Promise((resolve) => {
      const timer = clock.after(times.answerTimeout, () => {
        this.#link.fail(new TransportError(`${portal} does not answer task management`));
      });
      this.#answers.set(initiatorTaskTag, (response) => {
        timer.cancel();
        resolve(response);
      });
      connection.send(
        encodeTaskManagementRequest({
          ...this.#link.sequence,
          taskFunction,
          initiatorTaskTag,
          lun,
          referencedTaskTag,
          refCmdSn,
        }),
      );
    });
  }

  /** @throws ProtocolError nobody has asked for this answer */
  answered(tag: number, response: number): void {
    const answer = this.#answers.get(tag);
    if (answer === undefined) throw new ProtocolError("an answer to task management that was not asked for");
    this.#answers.delete(tag);
    answer(response);
  }

  /** The connection is gone. */
  closed(): void {
    for (const answer of this.#answers.values()) answer(NO_RESPONSE);
    this.#answers.clear();
  }
}
