// SPDX-License-Identifier: Apache-2.0

import type { BufferPool } from "../memory/buffer-pool.ts";
import { Arrivals, type Prepared } from "./arrivals.ts";
import { FrameAssembler } from "./frame-assembler.ts";
import type { Transport } from "./server-context.ts";

/**
 * Bytes of answers that are being read or wait for a client that does not take them; no further request is taken until they
 * are half as many.
 */
const MAX_QUEUED = 32 * 1024 * 1024;
/**
 * Bytes of requests and of data for answers after which a connection lets the others have their turn: who asks for much keeps nobody
 * waiting for long, and hears of what has been done with the first of it while the rest is being worked on.
 */
const MAX_IN_A_TURN = 1024 * 1024;

/** What becomes of the frames that are taken in. */
export interface FrameHandler {
  /** Sees a frame as soon as it has arrived. @returns what a worker is finding out about it, where one is busy with it */
  prepare(frame: Buffer): Promise<Prepared> | undefined;
  /** Handles a frame, in its turn. What it throws goes to {@link failed}. */
  handle(frame: Buffer, prepared: Prepared | undefined): void;
  /** The client has broken the protocol, or the server has failed: ends the connection. */
  failed(error: unknown): void;
}

/**
 * Takes in what a client sends: puts its bytes together to frames, and hands these on in their order, as fast as the client takes
 * the answers and the other connections have their turns. Bytes that arrive while no request is to be taken are kept.
 */
export class Intake {
  readonly #transport: Transport;
  readonly #buffers: BufferPool;
  readonly #handler: FrameHandler;
  readonly #assembler: FrameAssembler;
  readonly #arrivals: Arrivals;
  /** Bytes lent for data of responses that are not sent yet. */
  #lentBytes = 0;
  /** The same, and those of requests, since the others had their turn. */
  #bytesOfTurn = 0;
  /** It is the others' turn. */
  #yields = false;
  /** No requests are taken for now. */
  #held = false;
  /** What arrived in spite of it, and is not yet taken. */
  #backlog: Buffer[] = [];
  #closed = false;

  /**
   * @param transport is paused while no requests are taken
   * @param buffers memory of frames and of data of responses
   * @param maximumFrame bytes; a longer frame is malformed
   */
  constructor(transport: Transport, buffers: BufferPool, maximumFrame: number, handler: FrameHandler) {
    this.#transport = transport;
    this.#buffers = buffers;
    this.#handler = handler;
    this.#assembler = new FrameAssembler(maximumFrame, (length, dataAt) => buffers.take(length, dataAt));
    this.#arrivals = new Arrivals(
      (frame, prepared) => {
        this.#bytesOfTurn += frame.length;
        handler.handle(frame, prepared);
        this.#balance();
      },
      () => !this.#held && !this.#closed,
      () => this.#frameIsReady(),
    );
  }

  /** Bytes; a longer frame is malformed. */
  set maximumFrame(length: number) {
    this.#assembler.maximum = length;
  }

  /** Frames have arrived that are not handled yet. */
  get isBusy(): boolean {
    return !this.#arrivals.isEmpty;
  }

  /** Takes bytes from the transport, in whatever pieces; their memory is lent for the call. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    if (!this.#reads) {
      this.#backlog.push(Buffer.from(chunk));
      return;
    }
    const used = this.#take(chunk);
    if (used < chunk.length && !this.#closed) this.#backlog.unshift(Buffer.from(chunk.subarray(used)));
  }

  /** Where the next bytes are wanted: the rest of a frame that has begun. */
  get space(): Buffer | undefined {
    return this.#reads && !this.#closed ? this.#assembler.space : undefined;
  }

  /** The transport has put so many bytes at the start of {@link space}. */
  filled(count: number): void {
    if (this.#closed) return;
    try {
      this.#assembler.filled(count, this.#takeFrame);
    } catch (error) {
      this.#handler.failed(error);
    }
  }

  /** A buffer for the data of a response; {@link takeBack} ends its use. */
  lend(length: number): Buffer {
    this.#lentBytes += length;
    this.#bytesOfTurn += length;
    return this.#buffers.take(length);
  }

  takeBack(buffer: Buffer): void {
    this.#lentBytes -= buffer.length;
    this.#buffers.give(buffer);
    if (this.#held) this.#balance();
  }

  /** The transport has room again. */
  drained(): void {
    if (this.#held) this.#balance();
  }

  /** The connection is gone: nothing is handled any more. */
  close(): void {
    this.#closed = true;
    this.#backlog = [];
    this.#arrivals.clear();
  }

  get #reads(): boolean {
    return !this.#held && !this.#arrivals.isFull;
  }

  /** @returns bytes that were taken, all where nothing keeps the connection from taking more */
  #take(chunk: Buffer): number {
    try {
      return this.#assembler.push(chunk, this.#takeFrame);
    } catch (error) {
      this.#handler.failed(error);
      return chunk.length;
    }
  }

  readonly #takeFrame = (frame: Buffer): boolean => {
    this.#arrivals.take(frame, this.#handler.prepare(frame));
    if (this.#arrivals.isFull) this.#transport.pause();
    return this.#reads && !this.#closed;
  };

  /** Goes on with frames that workers are done with. */
  #handleArrivals(): void {
    try {
      this.#arrivals.run();
    } catch (error) {
      this.#handler.failed(error);
    }
  }

  #frameIsReady(): void {
    const wasFull = this.#arrivals.isFull;
    this.#handleArrivals();
    if (wasFull) this.#readOn();
  }

  /**
   * Holds back requests while too much is on its way to the client, or it is the others' turn, and lets them go on when it is less.
   */
  #balance(): void {
    if (this.#closed || this.#yields) return;
    if (this.#bytesOfTurn >= MAX_IN_A_TURN) {
      this.#yields = true;
      setImmediate(this.#endOfTurn);
    }
    const bytes = this.#bytesOnTheirWay;
    if (!this.#held && (this.#yields || bytes > MAX_QUEUED)) {
      this.#held = true;
      this.#transport.pause();
    } else if (this.#held && bytes < MAX_QUEUED / 2) {
      this.#goOn();
    }
  }

  readonly #endOfTurn = (): void => {
    this.#yields = false;
    this.#bytesOfTurn = 0;
    if (!this.#closed && this.#bytesOnTheirWay <= MAX_QUEUED) this.#goOn();
  };

  get #bytesOnTheirWay(): number {
    return Math.max(this.#lentBytes, this.#transport.queuedBytes);
  }

  #goOn(): void {
    this.#held = false;
    this.#handleArrivals();
    this.#readOn();
  }

  /** Reads on, from what has arrived already and then from the transport, unless something keeps it from that. */
  #readOn(): void {
    if (!this.#reads || this.#closed) return;
    for (let chunk = this.#backlog.shift(); chunk !== undefined; chunk = this.#backlog.shift()) {
      const used = this.#take(chunk);
      if (this.#closed) return;
      if (used < chunk.length) this.#backlog.unshift(chunk.subarray(used));
      if (!this.#reads) return;
    }
    this.#transport.resume();
  }
}
