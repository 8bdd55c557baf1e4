// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Arrivals, type Prepared } from "../../src/smb2/arrivals.ts";
import { createSigner } from "../../src/smb2/crypto/signing.ts";
import { settle } from "../support/server-harness.ts";

const signer = createSigner(2, Buffer.alloc(16, 1));
const verified: Prepared = { kind: "verified", by: signer, valid: true };

/** Arrivals whose frames are handled into `handled`, by their first byte. */
function arrivals() {
  const handled: [number, Prepared | undefined][] = [];
  const state = { goesOn: true, ready: 0 };
  const tested = new Arrivals(
    (frame, prepared) => void handled.push([frame[0] ?? -1, prepared]),
    () => state.goesOn,
    () => {
      state.ready++;
    },
  );
  return { tested, handled, state };
}

function deferred() {
  let resolve: (prepared: Prepared) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<Prepared>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

describe("Arrivals", () => {
  it("handles at once what needs no worker and has nothing before it", () => {
    const { tested, handled } = arrivals();
    tested.take(Buffer.of(1), undefined);
    expect(handled).toEqual([[1, undefined]]);
    expect(tested.isEmpty).toBe(true);
  });

  it("keeps the order, whichever worker is done first", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(fc.nat(9)), { maxLength: 12 }),
        fc.func(fc.integer()),
        async (plan, shuffle) => {
          const { tested, handled } = arrivals();
          const works = plan.map((worker, index) => {
            const work = worker === null ? undefined : deferred();
            tested.take(Buffer.of(index), work?.promise);
            return work;
          });
          const order = works.filter((work) => work !== undefined).sort((a, b) => shuffle(a) - shuffle(b));
          for (const work of order) {
            work.resolve(verified);
            await Promise.resolve();
            tested.run();
          }
          tested.run();
          expect(handled).toEqual(plan.map((worker, index) => [index, worker === null ? undefined : verified]));
          expect(tested.isEmpty).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it("says when a worker is done, and waits for leave to go on", async () => {
    const { tested, handled, state } = arrivals();
    const work = deferred();
    tested.take(Buffer.of(1), work.promise);
    state.goesOn = false;
    work.resolve(verified);
    await settle();
    expect(state.ready).toBe(1);
    tested.run();
    expect(handled).toEqual([]);
    state.goesOn = true;
    tested.run();
    expect(handled).toEqual([[1, verified]]);
  });

  it("throws what a worker found wrong when it is the turn of its frame", async () => {
    const { tested, handled } = arrivals();
    const [first, second] = [deferred(), deferred()];
    tested.take(Buffer.of(1), first.promise);
    tested.take(Buffer.of(2), second.promise);
    second.reject(new Error("wrong tag"));
    await settle();
    tested.run();
    first.resolve(verified);
    await settle();
    expect(() => tested.run()).toThrow("wrong tag");
    expect(handled).toEqual([[1, verified]]);
  });

  it("is full from 16 MiB on, and no longer when they have been handled", async () => {
    const { tested } = arrivals();
    const work = deferred();
    tested.take(Buffer.alloc(8 * 1024 * 1024), work.promise);
    expect(tested.isFull).toBe(false);
    tested.take(Buffer.alloc(8 * 1024 * 1024), undefined);
    expect(tested.isFull).toBe(true);
    work.resolve(verified);
    await settle();
    tested.run();
    expect(tested.isFull).toBe(false);
  });

  it("forgets all when the connection is gone", async () => {
    const { tested, handled } = arrivals();
    const work = deferred();
    tested.take(Buffer.of(1), work.promise);
    tested.clear();
    work.resolve(verified);
    await settle();
    tested.run();
    expect(handled).toEqual([]);
    expect(tested.isEmpty).toBe(true);
  });
});
