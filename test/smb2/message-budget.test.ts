// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/memory/buffer-pool.ts";
import { Intake } from "../../src/smb2/intake.ts";
import { MessageBudget } from "../../src/smb2/message-budget.ts";
import { frameHeader } from "../../src/smb2/wire/frame.ts";
import { FakeTransport } from "../support/fake-transport.ts";

const KIB = 1024;
const MAXIMUM = 512 * KIB;
const LONGEST_REQUEST = 128 * KIB;
const LONGEST_ANSWER = 256 * KIB;
/** What a read of a socket brings at most. */
const CHUNK = 64 * KIB;

interface Plan {
  /** Bytes of the request and of its answer. */
  readonly length: number;
  readonly answer: number;
  /** It is answered later than at once. */
  readonly slow: boolean;
}

/** A client, its connection, and a server that answers as the client asks. */
class Peer {
  readonly transport = new FakeTransport();
  readonly intake: Intake;
  readonly plans: Plan[] = [];
  handled = 0;
  /** Answers that are still to be sent. */
  readonly slow: (() => void)[] = [];
  #outbox: Buffer[] = [];

  constructor(budget: MessageBudget) {
    this.intake = new Intake(this.transport, { buffers: new BufferPool(0), budget }, LONGEST_REQUEST, {
      prepare: () => undefined,
      handle: (frame) => this.#handle(frame),
      failed: (error) => {
        throw error;
      },
    });
  }

  #handle(frame: Buffer): void {
    expect(frame.readUInt32LE()).toBe(this.handled);
    const plan = this.plans[this.handled++];
    if (plan === undefined) throw new Error("no request");
    const lent = this.intake.lend(plan.answer);
    const answer = () => {
      this.transport.send([lent], () => this.intake.takeBack(lent));
      this.intake.sent();
    };
    if (!plan.slow) {
      answer();
      return;
    }
    this.intake.workOn(frame.length);
    this.slow.push(() => {
      answer();
      this.intake.doneWith(frame.length);
    });
  }

  ask(plan: Plan): void {
    const frame = Buffer.alloc(plan.length);
    frame.writeUInt32LE(this.plans.length);
    this.plans.push(plan);
    this.#outbox.push(frameHeader(frame.length), frame);
    this.pump(4);
  }

  /** The network brings so many pieces of what the client has sent, as long as the server reads. */
  pump(pieces: number): void {
    for (let piece = 0; piece < pieces && !this.transport.paused && this.#outbox.length > 0; piece++) {
      const { space } = this.intake;
      const bytes = this.#next(Math.min(space?.length ?? CHUNK, CHUNK));
      if (space === undefined) this.intake.receive(bytes);
      else this.intake.filled(bytes.copy(space));
    }
  }

  /** So many bytes of what the client has sent, or all. */
  #next(most: number): Buffer {
    const pieces: Buffer[] = [];
    let room = most;
    for (let first = this.#outbox.shift(); first !== undefined; first = this.#outbox.shift()) {
      pieces.push(first.subarray(0, room));
      if (first.length > room) this.#outbox.unshift(first.subarray(room));
      room -= Math.min(room, first.length);
      if (room === 0) break;
    }
    return Buffer.concat(pieces);
  }

  take(bytes?: number): void {
    if (this.transport.take(bytes)) this.intake.drained();
  }

  finish(): void {
    this.slow.shift()?.();
  }

  get isIdle(): boolean {
    return this.handled === this.plans.length && this.slow.length === 0 && this.transport.queuedBytes === 0;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("MessageBudget", () => {
  it("says once that memory is short, each time when three quarters are used", () => {
    const budget = new MessageBudget(100);
    let short = 0;
    budget.onShort = () => void short++;
    const seen = [74, 1, 5, -5, -1, 26, 50].map((bytes) => {
      budget.change(bytes);
      return [budget.used, budget.left, budget.isShort, short];
    });
    expect(seen).toEqual([
      [74, 26, false, 0],
      [75, 25, true, 1],
      [80, 20, true, 1],
      [75, 25, true, 1],
      [74, 26, false, 1],
      [100, 0, true, 2],
      [150, -50, true, 2],
    ]);
  });

  it("bounds what many connections hold together, and lets all of them go on", async () => {
    const plan = fc.record({
      length: fc.oneof(fc.constant(100), fc.integer({ min: 4, max: LONGEST_REQUEST })),
      answer: fc.oneof(fc.constant(LONGEST_ANSWER), fc.nat(LONGEST_ANSWER)),
      slow: fc.boolean(),
    });
    const peer = fc.nat(3);
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ kind: fc.constant("ask" as const), peer, plan }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant("pump" as const), peer, pieces: fc.nat(20) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("finish" as const), peer }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant("take" as const), peer, bytes: fc.nat(600 * KIB) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const), peer }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("turn" as const) }) },
    );
    let mostUsed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 300, size: "max" }), async (steps) => {
        const budget = new MessageBudget(MAXIMUM);
        const peers = Array.from({ length: 4 }, () => new Peer(budget));
        for (const step of steps) {
          if (step.kind === "turn") await turn();
          else {
            const peer = peers[step.peer];
            if (peer === undefined) continue;
            if (step.kind === "ask") peer.ask(step.plan);
            else if (step.kind === "pump") peer.pump(step.pieces);
            else if (step.kind === "finish") peer.finish();
            else if (step.kind === "take") peer.take(step.bytes);
            else {
              peer.intake.close();
              peers[step.peer] = new Peer(budget);
            }
          }
          mostUsed = Math.max(mostUsed, budget.used);
          const oneEach = peers.length * (LONGEST_REQUEST + LONGEST_ANSWER + CHUNK);
          expect(budget.used).toBeLessThanOrEqual(MAXIMUM + oneEach);
          expect(budget.used).toBeGreaterThanOrEqual(
            peers.reduce((sum, { transport }) => sum + transport.queuedBytes, 0),
          );
        }
        for (let round = 0; round < 1000 && peers.some(({ isIdle }) => !isIdle); round++) {
          for (const peer of peers) {
            peer.pump(10);
            peer.finish();
            peer.take();
          }
          await turn();
        }
        await turn();
        expect(peers.filter(({ isIdle }) => !isIdle)).toHaveLength(0);
        expect(peers.filter(({ transport }) => transport.paused)).toHaveLength(0);
        expect(budget.used).toBe(0);
      }),
      { numRuns: 100 },
    );
    // What has been tried has reached the bound.
    expect(mostUsed).toBeGreaterThan(MAXIMUM);
  });

  it("lets a client go on that takes its answers, beside any number of those that take none", async () => {
    const budget = new MessageBudget(MAXIMUM);
    const idle = Array.from({ length: 50 }, () => new Peer(budget));
    for (const peer of idle) {
      for (let count = 0; count < 20; count++) peer.ask({ length: 100, answer: LONGEST_ANSWER, slow: false });
    }
    for (let round = 0; round < 5; round++) await turn();
    expect(budget.left).toBeLessThan(0);
    expect(idle.map(({ handled }) => handled)).toEqual(idle.map((_, index) => (index === 0 ? 2 : 1)));
    const peer = new Peer(budget);
    for (let count = 0; count < 100; count++)
      peer.ask({ length: LONGEST_REQUEST, answer: 1000, slow: count % 2 === 0 });
    for (let round = 0; round < 300 && !peer.isIdle; round++) {
      peer.pump(3);
      peer.finish();
      peer.take();
      await turn();
    }
    expect(peer.handled).toBe(100);
  });
});
