// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BufferPool } from "../../src/memory/buffer-pool.ts";
import type { Prepared } from "../../src/smb2/arrivals.ts";
import { createSigner } from "../../src/smb2/crypto/signing.ts";
import { Intake } from "../../src/smb2/intake.ts";
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
}

function takeIn({ prepare, handle }: Options = {}) {
  const transport = new FakeTransport();
  const handled: number[] = [];
  const failures: unknown[] = [];
  const intake = new Intake(transport, new BufferPool(), MAXIMUM, {
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
