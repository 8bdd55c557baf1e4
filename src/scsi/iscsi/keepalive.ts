// SPDX-License-Identifier: Apache-2.0

import type { Timer } from "../clock.ts";
import { ProtocolError, TransportError } from "../errors.ts";
import { NO_TAG } from "./bhs.ts";
import type { SessionLink } from "./session-link.ts";
import { decodeNopIn, encodePing, encodePong } from "./session-pdus.ts";

/** Answers to NOP-Ins that may wait to be sent before the target is taken for a hostile one. */
const MAXIMUM_PENDING_PONGS = 64;

/** Silence is answered with a question, and further silence with the end of the session (RFC 7143 11.18, 11.19). */
export class Keepalive {
  readonly #link: SessionLink;
  #pingTag: number | undefined;
  #pendingPongs = 0;
  #heard = true;
  #timer: Timer | undefined;

  constructor(link: SessionLink) {
    this.#link = link;
    this.#watch();
  }

  /** The target has sent something. */
  heard(): void {
    this.#heard = true;
  }

  /** @throws ProtocolError the target answers what was not asked, or floods us */
  nopIn(bhs: Buffer): void {
    const nopIn = decodeNopIn(bhs);
    if (nopIn.initiatorTaskTag !== NO_TAG) {
      if (nopIn.initiatorTaskTag !== this.#pingTag) throw new ProtocolError("an answer to a NOP that was not sent");
      this.#pingTag = undefined;
      return;
    }
    if (nopIn.targetTransferTag === NO_TAG) return;
    if (this.#pendingPongs >= MAXIMUM_PENDING_PONGS) throw new ProtocolError("the target floods us with NOPs");
    this.#pendingPongs++;
    this.#link.connection.send(encodePong(nopIn, this.#link.sequence), undefined, 0, () => {
      this.#pendingPongs--;
    });
  }

  /** The target has refused a request with this tag: whoever refuses is alive. */
  refused(tag: number): void {
    if (tag === this.#pingTag) this.#pingTag = undefined;
  }

  /** Nothing is asked any more. */
  stop(): void {
    this.#timer?.cancel();
  }

  #watch(): void {
    const { connection, clock, times, portal } = this.#link;
    const waiting = this.#pingTag !== undefined;
    this.#timer = clock.after(waiting ? times.answerTimeout : times.keepaliveInterval, () => {
      if (!connection.open) return;
      if (!this.#heard) {
        if (this.#pingTag !== undefined) {
          this.#link.fail(new TransportError(`${portal} is silent`));
          return;
        }
        this.#pingTag = this.#link.takeTag();
        connection.send(encodePing(this.#pingTag, this.#link.sequence));
      }
      this.#heard = false;
      this.#watch();
    });
  }
}
