// SPDX-License-Identifier: Apache-2.0

import type { Connection } from "./connection.ts";
import type { MessageCipher } from "./crypto/encryption.ts";
import type { Signer } from "./crypto/signing.ts";
import { HeaderFlag } from "./wire/constants.ts";
import {
  PROTOCOL_ID,
  peekFlags,
  peekNextCommand,
  peekProtocolId,
  peekSessionId,
  TRANSFORM_PROTOCOL_ID,
} from "./wire/header.ts";
import { peekTransformSessionId, TRANSFORM_HEADER_SIZE } from "./wire/transform-header.ts";

/** Bytes of frames that wait for workers, or for frames before them, before nothing more is read from the client. */
const MAX_ARRIVING = 16 * 1024 * 1024;

/** Bytes; no shorter frame is worth a worker. */
const SHORTEST = 64 * 1024;

/** What a worker has found out about a frame. It holds for the key that it was found with. */
export type Prepared =
  | { readonly kind: "decrypted"; readonly by: MessageCipher; readonly message: Buffer }
  | { readonly kind: "verified"; readonly by: Signer; readonly valid: boolean };

interface Arrival {
  readonly frame: Buffer;
  /** Absent while a worker is at it; no worker is needed for `undefined`. */
  outcome?: { readonly prepared?: Prepared } | { readonly error: unknown };
}

/**
 * Frames on their way from the transport to their handlers. Workers decrypt the long ones, or verify their signatures, several at a
 * time; all are handled in the order in which they came.
 */
export class Arrivals {
  readonly #handle: (frame: Buffer, prepared: Prepared | undefined) => void;
  readonly #mayGoOn: () => boolean;
  readonly #ready: () => void;
  #waiting: Arrival[] = [];
  #bytes = 0;

  /**
   * @param handle handles a frame, and may throw
   * @param mayGoOn whether another one may be handled now
   * @param ready a worker has come to its end: {@link run} may have something to do
   */
  constructor(
    handle: (frame: Buffer, prepared: Prepared | undefined) => void,
    mayGoOn: () => boolean,
    ready: () => void,
  ) {
    this.#handle = handle;
    this.#mayGoOn = mayGoOn;
    this.#ready = ready;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Bytes of frames that are waiting. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Enough is waiting for now. */
  get isFull(): boolean {
    return this.#bytes >= MAX_ARRIVING;
  }

  /** Takes a frame, and handles it where nothing keeps it from that. @param preparing what a worker is finding out about it */
  take(frame: Buffer, preparing: Promise<Prepared> | undefined): void {
    if (preparing === undefined && this.isEmpty) {
      this.#handle(frame, undefined);
      return;
    }
    const arrival: Arrival = preparing === undefined ? { frame, outcome: {} } : { frame };
    this.#waiting.push(arrival);
    this.#bytes += frame.length;
    preparing?.then(
      (prepared) => {
        arrival.outcome = { prepared };
        this.#ready();
      },
      (error: unknown) => {
        arrival.outcome = { error };
        this.#ready();
      },
    );
  }

  /** Handles what is ready, up to the first frame that is not. @throws what a handler throws, and what a worker found wrong */
  run(): void {
    while (this.#mayGoOn()) {
      const [first] = this.#waiting;
      if (first?.outcome === undefined) return;
      this.#waiting.shift();
      this.#bytes -= first.frame.length;
      if ("error" in first.outcome) throw first.outcome.error;
      this.#handle(first.frame, first.outcome.prepared);
    }
  }

  /** The connection is gone. */
  clear(): void {
    this.#waiting = [];
    this.#bytes = 0;
  }
}

/**
 * Has a worker decrypt or verify a frame, where that is long enough and a processor is free; `undefined` for all others, and where no
 * key is known.
 */
export function prepareOnWorker(connection: Connection, frame: Buffer): Promise<Prepared> | undefined {
  if (frame.length < SHORTEST || !connection.server.context.hasSpareProcessor()) return undefined;
  switch (peekProtocolId(frame)) {
    case TRANSFORM_PROTOCOL_ID:
      return decryptOnWorker(connection, frame);
    case PROTOCOL_ID:
      return verifyOnWorker(connection, frame);
    default:
      return undefined;
  }
}

function decryptOnWorker(connection: Connection, frame: Buffer): Promise<Prepared> | undefined {
  const sessionId = peekTransformSessionId(frame);
  const by = (connection.sessions.get(sessionId) ?? connection.server.sessions.get(sessionId))?.cipher;
  if (by === undefined || !by.isForWorker(frame.length)) return undefined;
  return by
    .decryptOnWorker(frame.subarray(0, TRANSFORM_HEADER_SIZE), frame.subarray(TRANSFORM_HEADER_SIZE))
    .then((message) => ({ kind: "decrypted", by, message }));
}

/** Compounds are verified message by message, when their turn comes: those that are long are rare. */
function verifyOnWorker(connection: Connection, frame: Buffer): Promise<Prepared> | undefined {
  if (peekNextCommand(frame) !== 0) return undefined;
  if ((peekFlags(frame) & HeaderFlag.SIGNED) === 0) return undefined;
  const session = connection.sessions.get(peekSessionId(frame));
  const by = session?.channels.get(connection)?.signer;
  if (by === undefined || !by.isForWorker(frame.length, "verify")) return undefined;
  return by.verifyOnWorker([frame]).then((valid) => ({ kind: "verified", by, valid }));
}
