// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/memory/buffer-pool.ts";
import type { Prepared } from "../../src/smb2/arrivals.ts";
import { createSigner } from "../../src/smb2/crypto/signing.ts";
import { Intake } from "../../src/smb2/intake.ts";
import { MessageBudget } from "../../src/smb2/message-budget.ts";
import { MalformedPacketError } from "../../src/smb2/wire/cursor.ts";
import { frameHeader } from "../../src/smb2/wire/frame.ts";
import { FakeTransport } from "../support/fake-transport.ts";
import { settle } from "../support/server-harness.ts";

const MIB = 1 << 20;
const MAXIMUM = 9 * MIB;
const prepared: Prepared = { kind: "verified", by: createSigner(2, Buffer.alloc(16, 1)), valid: true };

function framed(...messages: readonly Buffer[]): Buffer {
  return Buffer.concat(messages.flatMap((message) => [frameHeader(message.length), message]));
}

/** Small frames of one byte each. */
function frames(...values: readonly number[]): Buffer {
  return framed(...values.map((value) => Buffer.of(value)));
}

interface Options {
  readonly prepare?: (frame: Buffer) => Promise<Prepared> | undefined;
  /** Called for each frame that is handled. */
  readonly handle?: (frame: Buffer, intake: Intake) => void;
  readonly budget?: MessageBudget;
}

function takeIn({ prepare, handle, budget = new MessageBudget(1 << 30) }: Options = {}) {
  const transport = new FakeTransport();
  const handled: number[] = [];
  const failures: unknown[] = [];
  const intake = new Intake(transport, { buffers: new BufferPool(), budget }, MAXIMUM, {
    prepare: (frame) => prepare?.(frame),
    handle: (frame) => {
      handled.push(frame[0] ?? -1);
      handle?.(frame, intake);
    },
    failed: (error) => {
      failures.push(error);
      intake.close();
    },
  });
  /** Puts bytes where a socket would: into the space of a frame, or else into a chunk of at most so many bytes. */
  const feed = (bytes: Buffer, size = bytes.length) => {
    for (let at = 0; at < bytes.length; ) {
      const { space } = intake;
      const piece = bytes.subarray(at, at + Math.min(size, space?.length ?? size));
      if (space === undefined) intake.receive(Buffer.from(piece));
      else intake.filled(piece.copy(space));
      at += piece.length;
    }
  };
  return { transport, intake, handled, failures, feed };
}

/** Sends an answer of this length from a buffer of the intake, as READ does. */
function answer(intake: Intake, transport: FakeTransport, length: number): void {
  const lent = intake.lend(length);
  transport.send([lent], () => intake.takeBack(lent));
}

describe("Intake", () => {
  it("handles all frames in their order, however they arrive and whatever holds them back", async () => {
    const frame = fc.record({
      extra: fc.nat(300),
      worker: fc.boolean(),
      answer: fc.constantFrom(0, 100, MIB, 20 * MIB),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 20 }), fc.integer({ min: 1, max: 200 }), async (plan, size) => {
        const { transport, intake, handled, failures, feed } = takeIn({
          prepare: (bytes) => (plan[bytes[0] ?? 0]?.worker ? Promise.resolve(prepared) : undefined),
          handle: (bytes, taken) => {
            const { answer: length = 0 } = plan[bytes[0] ?? 0] ?? {};
            if (length > 0) answer(taken, transport, length);
          },
        });
        feed(framed(...plan.map(({ extra }, index) => Buffer.alloc(1 + extra, index))), size);
        for (let round = 0; handled.length < plan.length && round < 100; round++) {
          if (transport.take()) intake.drained();
          await new Promise((resolve) => setImmediate(resolve));
        }
        expect(handled).toEqual(plan.map((_, index) => index));
        expect(failures).toEqual([]);
        transport.take();
        await settle();
        expect(transport.paused).toBe(false);
        expect(intake.isBusy).toBe(false);
      }),
      { numRuns: 100 },
    );
  });

  it("keeps bytes that come while it takes no requests, though their memory is only lent", async () => {
    const { transport, intake, handled } = takeIn({ handle: (_, taken) => answer(taken, transport, 33 * MIB) });
    const chunk = frames(1, 2);
    intake.receive(chunk);
    chunk.fill(0);
    const [more, evenMore] = [frames(3).subarray(0, 4), frames(3).subarray(4)];
    intake.receive(more);
    more.fill(0);
    intake.receive(evenMore);
    for (const expected of [[1], [1, 2], [1, 2, 3]]) {
      expect(handled).toEqual(expected);
      transport.take();
      intake.drained();
      await settle();
    }
  });

  it("takes no further request while more than 32 MiB are lent, until it is less than half of that", async () => {
    const { transport, intake, handled, feed } = takeIn({ handle: (_, taken) => void lent.push(taken.lend(MIB)) });
    const lent: Buffer[] = [];
    feed(frames(...Array.from({ length: 40 }, (_, index) => index)));
    // One in each turn of the event loop.
    for (let turns = 0; turns < 10; turns++) await settle();
    expect(handled).toHaveLength(33);
    expect(transport.paused).toBe(true);
    const giveBack = (count: number) => {
      for (const buffer of lent.splice(0, count)) intake.takeBack(buffer);
    };
    giveBack(17);
    expect(handled).toHaveLength(33);
    giveBack(1);
    for (let turns = 0; turns < 10; turns++) await settle();
    expect(handled).toHaveLength(40);
    expect(transport.paused).toBe(false);
  });

  it("takes no further request while more than 32 MiB wait for the client, whoever made them", async () => {
    const { transport, intake, handled, feed } = takeIn({ handle: () => transport.send([Buffer.alloc(8 * MIB)]) });
    feed(frames(1, 2, 3, 4, 5, 6));
    expect(handled).toEqual([1, 2, 3, 4, 5]);
    expect(transport.paused).toBe(true);
    expect(intake.space).toBeUndefined();
    transport.take();
    intake.drained();
    expect(handled).toEqual([1, 2, 3, 4, 5, 6]);
    expect(transport.paused).toBe(false);
  });

  it("gives the others their turn after 1 MiB of answers, though the client has taken them", async () => {
    const { transport, intake, handled, feed } = takeIn({
      handle: (_, taken) => {
        answer(taken, transport, MIB / 2);
        transport.take();
      },
    });
    feed(frames(1, 2, 3, 4, 5));
    expect(handled).toEqual([1, 2]);
    intake.drained();
    expect(handled).toEqual([1, 2]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(handled).toEqual([1, 2, 3, 4]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(handled).toEqual([1, 2, 3, 4, 5]);
    await settle();
    expect(transport.paused).toBe(false);
  });

  it("gives the others their turn after 1 MiB of requests", async () => {
    const { handled, feed } = takeIn();
    feed(framed(...Array.from({ length: 5 }, (_, index) => Buffer.alloc(MIB / 2, index))));
    expect(handled).toEqual([0, 1]);
    await new Promise((resolve) => setImmediate(resolve));
    expect(handled).toEqual([0, 1, 2, 3]);
  });

  it("reads no more while 16 MiB wait for workers", async () => {
    let done: (result: Prepared) => void = () => {};
    const worker = new Promise<Prepared>((resolve) => {
      done = resolve;
    });
    const { transport, intake, handled, feed } = takeIn({ prepare: (frame) => (frame[0] === 1 ? worker : undefined) });
    feed(framed(Buffer.alloc(8 * MIB, 1), Buffer.alloc(8 * MIB, 2), Buffer.of(3)));
    expect(handled).toEqual([]);
    expect(intake.isBusy).toBe(true);
    expect(transport.paused).toBe(true);
    done(prepared);
    await settle();
    expect(handled).toEqual([1, 2, 3]);
    expect(intake.isBusy).toBe(false);
    expect(transport.paused).toBe(false);
  });

  it("takes no further request while more than 32 MiB are worked on, short ones not counted", async () => {
    const { transport, intake, handled, feed } = takeIn({ handle: (frame, taken) => taken.workOn(frame.length) });
    feed(framed(...Array.from({ length: 6 }, (_, index) => Buffer.alloc(8 * MIB, index))));
    // One in each turn of the event loop.
    for (let turns = 0; turns < 3; turns++) await settle();
    expect(handled).toEqual([0, 1, 2, 3, 4]);
    expect(transport.paused).toBe(true);
    for (let done = 0; done < 4; done++) intake.doneWith(8 * MIB);
    expect(handled).toEqual([0, 1, 2, 3, 4, 5]);
    await settle();
    expect(transport.paused).toBe(false);
    const short = takeIn({ handle: (frame, taken) => taken.workOn(frame.length), budget: new MessageBudget(0) });
    short.feed(framed(...Array.from({ length: 100 }, (_, index) => Buffer.alloc(4095, index))));
    expect(short.handled).toHaveLength(100);
  });

  describe("with little left for all", () => {
    it("takes a request only where it holds nothing", async () => {
      const budget = new MessageBudget(2 * MIB);
      budget.change(2 * MIB);
      const { transport, intake, handled, feed } = takeIn({
        budget,
        handle: () => transport.send([Buffer.alloc(100)]),
      });
      feed(frames(1, 2, 3));
      expect(handled).toEqual([1]);
      expect(transport.paused).toBe(true);
      transport.take(99);
      intake.drained();
      expect(handled).toEqual([1]);
      transport.take();
      intake.drained();
      expect(handled).toEqual([1, 2]);
      budget.change(-2 * MIB);
      transport.take();
      intake.drained();
      expect(handled).toEqual([1, 2, 3]);
      expect(transport.paused).toBe(false);
    });

    it("holds no more than there is left for the others", () => {
      const budget = new MessageBudget(4 * MIB);
      const { handled, feed, transport } = takeIn({ budget, handle: () => transport.send([Buffer.alloc(MIB)]) });
      feed(frames(1, 2, 3, 4, 5, 6));
      expect(handled).toEqual([1, 2, 3]);
      expect(budget.left).toBeGreaterThan(0.9 * MIB);
    });

    it("finishes a request that has begun to arrive", () => {
      const budget = new MessageBudget(MIB);
      const { intake, handled, feed } = takeIn({ budget });
      const stream = framed(Buffer.alloc(4 * MIB, 1));
      feed(stream.subarray(0, 2 * MIB));
      expect(budget.left).toBe(4 - MIB);
      expect(intake.awaitedBytes).toBe(2 * MIB - 4);
      feed(stream.subarray(2 * MIB));
      expect(handled).toEqual([1]);
      expect(budget.used).toBe(0);
      expect(intake.receivedBytes).toBe(stream.length);
    });

    it("keeps the order of what comes after memory was freed elsewhere", async () => {
      const budget = new MessageBudget(0);
      budget.change(1);
      const { transport, intake, handled, feed } = takeIn({ budget, prepare: () => Promise.resolve(prepared) });
      feed(frames(1, 2));
      expect(transport.paused).toBe(true);
      budget.change(-MIB);
      intake.receive(frames(3));
      await settle();
      expect(handled).toEqual([1, 2, 3]);
    });

    it("takes no further request once others have taken what was left", () => {
      const budget = new MessageBudget(4 * MIB);
      const { transport, intake, handled, feed } = takeIn({
        budget,
        handle: () => transport.send([Buffer.alloc(MIB)]),
      });
      feed(frames(1));
      budget.change(2.5 * MIB);
      feed(frames(2));
      expect(handled).toEqual([1]);
      expect(transport.paused).toBe(true);
      transport.take();
      intake.drained();
      expect(handled).toEqual([1, 2]);
    });

    it("waits for workers with one frame at a time", async () => {
      const budget = new MessageBudget(MIB);
      const { transport, handled, feed } = takeIn({ budget, prepare: () => Promise.resolve(prepared) });
      feed(framed(Buffer.alloc(MIB, 1), Buffer.alloc(MIB, 2)));
      expect(transport.paused).toBe(true);
      expect(budget.used).toBeLessThan(1.1 * 2 * MIB);
      await settle();
      expect(handled).toEqual([1, 2]);
      expect(transport.paused).toBe(false);
      expect(budget.used).toBe(0);
    });

    it("is told of all that a connection has, until that is gone", () => {
      const budget = new MessageBudget(MIB);
      const { transport, intake, feed } = takeIn({
        budget,
        handle: (frame, taken) => {
          taken.workOn(frame.length);
          answer(taken, transport, 10_000);
        },
      });
      const second = framed(Buffer.alloc(6000, 2));
      feed(framed(Buffer.alloc(5000, 1)));
      expect(budget.used).toBe(15_000);
      feed(second.subarray(0, 3004));
      expect(budget.used).toBe(18_000);
      transport.send([Buffer.alloc(500)]);
      intake.sent();
      expect(budget.used).toBe(18_500);
      transport.take();
      intake.drained();
      expect(budget.used).toBe(8000);
      intake.doneWith(5000);
      expect(budget.used).toBe(3000);
      intake.close();
      intake.doneWith(0);
      intake.drained();
      expect(budget.used).toBe(0);
    });
  });

  it("judges frames by the maximum of the moment", () => {
    const { intake, handled, failures, feed } = takeIn();
    intake.maximumFrame = 4;
    feed(framed(Buffer.alloc(4, 1)));
    feed(frameHeader(5));
    expect(handled).toEqual([1]);
    expect(failures).toEqual([expect.any(MalformedPacketError)]);
  });

  it.each(["at once", "behind a worker", "after it was held back"])(
    "ends where handling a frame fails %s",
    async (when) => {
      const { transport, handled, failures, feed } = takeIn({
        prepare: () => (when === "behind a worker" ? Promise.resolve(prepared) : undefined),
        handle: (frame, taken) => {
          if (frame[0] === 2) throw new Error("broken");
          if (when === "after it was held back") answer(taken, transport, 33 * MIB);
        },
      });
      feed(frames(1, 2, 3));
      transport.take();
      await settle();
      feed(frames(4));
      expect(handled).toEqual([1, 2]);
      expect(failures).toEqual([new Error("broken")]);
    },
  );

  it("handles nothing once the connection is gone", async () => {
    const { transport, intake, handled, feed } = takeIn({ handle: (_, taken) => answer(taken, transport, 33 * MIB) });
    feed(frames(1, 2));
    intake.close();
    transport.take();
    intake.drained();
    await settle();
    intake.receive(frames(3));
    intake.filled(1);
    expect(handled).toEqual([1]);
    expect(intake.space).toBeUndefined();
  });
});
