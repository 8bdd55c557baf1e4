// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { LogonRateLimiter } from "../../src/auth/rate-limit.ts";
import { ManualClock } from "../support/auth-fixtures.ts";

const options = {
  freeFailures: 2,
  firstDelay: 100,
  longestDelay: 1000,
  forgetAfter: 60_000,
  tableSize: 3,
  waitingPerAddress: 2,
};

let clock = new ManualClock();
let limiter = new LogonRateLimiter(clock, options);

beforeEach(() => {
  clock = new ManualClock();
  limiter = new LogonRateLimiter(clock, options);
});

function failTimes(count: number, address: string, account: string): void {
  for (let i = 0; i < count; i++) limiter.failed(address, account);
}

/** Milliseconds until an attempt is admitted, to the nearest 50. */
async function delayOf(address: string, account: string): Promise<number> {
  const answer = limiter.admit(address, account);
  if (!(answer instanceof Promise)) return 0;
  let admitted = false;
  const settled = answer.then(() => {
    admitted = true;
  });
  for (let waited = 50; waited <= 5000; waited += 50) {
    clock.advance(50);
    if (clock.pending === 0) {
      await settled;
      expect(admitted).toBe(true);
      return waited;
    }
  }
  throw new Error("never admitted");
}

describe("LogonRateLimiter", () => {
  it("lets some failures pass, then doubles the delay up to the longest", async () => {
    const delays: number[] = [];
    for (let i = 0; i < 9; i++) {
      delays.push(await delayOf("a", "x"));
      limiter.failed("a", "x");
    }
    expect(delays).toEqual([0, 0, 0, 100, 200, 400, 800, 1000, 1000]);
    failTimes(5000, "a", "x");
    expect(await delayOf("a", "x")).toBe(1000);
  });

  it("counts addresses and accounts by themselves", async () => {
    failTimes(3, "a", "x");
    expect(await delayOf("a", "other")).toBe(100);
    expect(await delayOf("other", "x")).toBe(100);
    expect(await delayOf("other", "other")).toBe(0);
  });

  it("forgets after a success, and after a while", async () => {
    failTimes(5, "a", "x");
    limiter.succeeded("a", "x");
    expect(await delayOf("a", "x")).toBe(0);
    failTimes(5, "a", "x");
    clock.advance(60_000);
    expect(await delayOf("a", "x")).toBe(0);
  });

  it("turns away an address that has enough attempts waiting", () => {
    failTimes(4, "a", "x");
    expect(limiter.admit("a", "x")).toBeInstanceOf(Promise);
    expect(limiter.admit("a", "x")).toBeInstanceOf(Promise);
    expect(limiter.admit("a", "x")).toBe(false);
    expect(limiter.admit("b", "y")).toBe(true);
    clock.advance(1000);
    expect(limiter.admit("a", "x")).toBeInstanceOf(Promise);
  });

  it("keeps a bounded number of addresses, those that failed last", async () => {
    for (const address of ["a", "b", "c"]) failTimes(3, address, "x");
    limiter.failed("a", "x");
    failTimes(3, "d", "y");
    expect(await delayOf("b", "z")).toBe(0);
    expect(await delayOf("a", "z")).toBe(200);
    expect(await delayOf("d", "z")).toBe(100);
  });
});
