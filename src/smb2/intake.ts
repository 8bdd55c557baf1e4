// SPDX-License-Identifier: Apache-2.0

import type { BufferPool } from "../memory/buffer-pool.ts";
import { Arrivals, type Prepared } from "./arrivals.ts";
import { FrameAssembler } from "./frame-assembler.ts";
import type { MessageBudget } from "./message-budget.ts";
import type { Transport } from "./server-context.ts";

/**
 * Bytes of answers that are being read or wait for a client that does not take them, and of requests that are being worked on; no
 * further request is taken until they are half as many.
 */
const MAX_HELD = 32 * 1024 * 1024;
/**
 * Bytes of requests and of data for answers after which a connection lets the others have their turn: who asks for much keeps nobody
 * waiting for long, and hears of what has been done with the first of it while the rest is being worked on.
 */
const MAX_IN_A_TURN = 1024 * 1024;
/**
 * Bytes; shorter requests do not count while they are worked on: they may wait for as long as they like, as CHANGE_NOTIFY does, and there
 * are bounds for their number.
 */
const SHORT_FRAME = 4096;

/** What becomes of the frames that are taken in. */
export interface FrameHandler {
  /** Sees a frame as soon as it has arrived. @returns what a worker is finding out about it, where one is busy with it */
  prepare(frame: Buffer): Promise<Prepared> | undefined;
  /** Handles a frame, in its turn. What it throws goes to {@link failed}. */
  handle(frame: Buffer, prepared: Prepared | undefined): void;
  /** The client has broken the protocol, or the server has failed: ends the connection. */
  failed(error: unknown): void;
}

/** What a connection shares with the others of its server. */
export interface SharedMemory {
  /** Memory of frames and of data of responses. */
  readonly buffers: BufferPool;
  /** How much of it, and of other answers, there may be. */
  readonly budget: MessageBudget;
}

/**
 * Takes in what a client sends: puts its bytes together to frames, and hands these on in their order, as fast as the client takes
 * the answers, the other connections leave memory, and have their turns. Bytes that arrive while no request is to be taken are kept.
 */
export class Intake {
  readonly #transport: Transport;
  readonly #buffers: BufferPool;
  readonly #budget: MessageBudget;
  readonly #handler: FrameHandler;
  readonly #assembler: FrameAssembler;
  readonly #arrivals: Arrivals;
  /** Bytes lent for data of responses that are not sent yet. */
  #lentBytes = 0;
  /** The same, and those of requests, since the others had their turn. */
  #bytesOfTurn = 0;
  /** Bytes of requests that are being worked on. */
  #workBytes = 0;
  /** Bytes that the budget knows of. */
  #countedBytes = 0;
  /** It is the others' turn. */
  #yields = false;
  /** No requests are taken for now. */
  #held = false;
  /** The transport gives nothing for now. */
  #paused = false;
  /** What arrived in spite of it, and is not yet taken; empty while the transport is not paused. */
  #backlog: Buffer[] = [];
  #backlogBytes = 0;
  #receivedBytes = 0;
  #closed = false;

  /**
   * @param transport is paused while no requests are taken
   * @param maximumFrame bytes; a longer frame is malformed
   */
  constructor(transport: Transport, { buffers, budget }: SharedMemory, maximumFrame: number, handler: FrameHandler) {
    this.#transport = transport;
    this.#buffers = buffers;
    this.#budget = budget;
    this.#handler = handler;
    this.#assembler = new FrameAssembler(maximumFrame, (length, dataAt) => buffers.take(length, dataAt));
    this.#arrivals = new Arrivals(
      (frame, prepared) => {
        this.#bytesOfTurn += frame.length;
        handler.handle(frame, prepared);
        this.#balance();
      },
      () => !this.#held && !this.#closed,
      () => this.#goOn(),
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

  /** Bytes from the client, from the beginning. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** Bytes held here that go nowhere unless the client does something: takes its answers, or sends the rest of a frame. */
  get awaitedBytes(): number {
    return this.#transport.queuedBytes + (this.#paused ? 0 : this.#assembler.filledBytes);
  }

  /** Takes bytes from the transport, in whatever pieces; their memory is lent for the call. */
  receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#receivedBytes += chunk.length;
    // Since the last request others may have taken what was left.
    if (!this.#held) this.#balance();
    const used = this.#paused ? 0 : this.#take(chunk);
    if (used < chunk.length && !this.#closed) {
      this.#backlog.push(Buffer.from(chunk.subarray(used)));
      this.#backlogBytes += chunk.length - used;
    }
    this.#count();
  }

  /** Where the next bytes are wanted: the rest of a frame that has begun. */
  get space(): Buffer | undefined {
    return this.#paused || this.#closed ? undefined : this.#assembler.space;
  }

  /** The transport has put so many bytes at the start of {@link space}. */
  filled(count: number): void {
    if (this.#closed) return;
    this.#receivedBytes += count;
    try {
      this.#assembler.filled(count, this.#takeFrame);
    } catch (error) {
      this.#handler.failed(error);
    }
    this.#count();
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
    this.#less();
  }

  /** A frame of this length is kept until the request in it has been worked on: {@link doneWith}. */
  workOn(length: number): void {
    if (length >= SHORT_FRAME) this.#workBytes += length;
  }

  doneWith(length: number): void {
    if (length < SHORT_FRAME) return;
    this.#workBytes -= length;
    this.#less();
  }

  /** The transport was given something to send. */
  sent(): void {
    this.#count();
  }

  /** The transport has room again. */
  drained(): void {
    this.#less();
  }

  /** The connection is gone: nothing is handled any more. */
  close(): void {
    this.#closed = true;
    this.#backlog = [];
    this.#arrivals.clear();
    this.#budget.change(-this.#countedBytes);
    this.#countedBytes = 0;
  }

  /** Whether frames are put together. Those that wait for workers get on without more of them. */
  get #reads(): boolean {
    const { bytes, isFull } = this.#arrivals;
    return !this.#held && !isFull && (bytes === 0 || bytes <= this.#budget.left);
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
    if (this.#closed) return false;
    const reads = this.#reads;
    if (!reads) this.#pause();
    return reads;
  };

  #pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#transport.pause();
  }

  /** Tells the budget what the connection holds. */
  #count(): void {
    if (this.#closed) return;
    const bytes = this.#bytesAtWork + this.#arrivals.bytes + this.#backlogBytes + this.#assembler.filledBytes;
    const change = bytes - this.#countedBytes;
    if (change === 0) return;
    this.#countedBytes = bytes;
    this.#budget.change(change);
  }

  /** The connection holds less than before. */
  #less(): void {
    if (this.#held) this.#balance();
    else this.#count();
  }

  /**
   * Holds back requests while the connection holds too much, or it is the others' turn, and lets them go on when it is less.
   */
  #balance(): void {
    this.#count();
    if (this.#closed || this.#yields) return;
    if (this.#bytesOfTurn >= MAX_IN_A_TURN) {
      this.#yields = true;
      setImmediate(this.#endOfTurn);
    }
    const bytes = this.#bytesAtWork;
    if (!this.#held && (this.#yields || this.#holdsTooMuch)) {
      this.#held = true;
      this.#pause();
    } else if (this.#held && (bytes < this.#limit / 2 || bytes === 0)) {
      this.#held = false;
      this.#goOn();
    }
  }

  readonly #endOfTurn = (): void => {
    this.#yields = false;
    this.#bytesOfTurn = 0;
    this.#count();
    if (this.#closed || this.#holdsTooMuch) return;
    this.#held = false;
    this.#goOn();
  };

  /** Bytes of requests that have been taken, and of their answers: they become less without any further request. */
  get #bytesAtWork(): number {
    return Math.max(this.#lentBytes, this.#transport.queuedBytes) + this.#workBytes;
  }

  /** How much of these there may be. */
  get #limit(): number {
    return Math.min(MAX_HELD, this.#budget.left);
  }

  /** Where there are none, a request is taken though nothing is left. */
  get #holdsTooMuch(): boolean {
    const bytes = this.#bytesAtWork;
    return bytes > 0 && bytes > this.#limit;
  }

  /** Goes on with frames that have arrived already, and then reads on. */
  #goOn(): void {
    try {
      this.#arrivals.run();
    } catch (error) {
      this.#handler.failed(error);
    }
    if (this.#paused) this.#readOn();
    this.#count();
  }

  /** Reads on, from what has arrived already and then from the transport, unless something keeps it from that. */
  #readOn(): void {
    if (!this.#reads || this.#closed) return;
    for (let chunk = this.#backlog.shift(); chunk !== undefined; chunk = this.#backlog.shift()) {
      const used = this.#take(chunk);
      if (this.#closed) return;
      if (used < chunk.length) this.#backlog.unshift(chunk.subarray(used));
      this.#backlogBytes -= used;
      if (!this.#reads) return;
    }
    this.#paused = false;
    this.#transport.resume();
  }
}
