// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { MessageBudget } from "../../src/smb2/message-budget.ts";
import { type Client, StalledClients } from "../../src/smb2/stalled-clients.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type LogLine, recordingLogger } from "../support/server-harness.ts";

const MAXIMUM = 1 << 20;

describe("StalledClients", () => {
  let clock: FakeClock;
  let log: LogLine[];
  let budget: MessageBudget;
  let clients: Set<Client>;
  let ended: string[];
  let stalled: StalledClients;

  beforeEach(() => {
    clock = new FakeClock();
    log = [];
    budget = new MessageBudget(MAXIMUM);
    clients = new Set();
    ended = [];
    stalled = new StalledClients({ clock, log: recordingLogger(log), budget, clients: () => clients });
  });

  /** A client whose connection holds so many bytes, and all of them for its sake. */
  function client(name: string, bytes: number, awaitedBytes = bytes) {
    budget.change(bytes);
    const added = {
      awaitedBytes,
      movedBytes: 0,
      giveUp: () => {
        ended.push(name);
        clients.delete(added);
        budget.change(-bytes);
      },
    };
    clients.add(added);
    return added;
  }

  it("leaves everybody alone while there is enough memory, and looks at nothing", () => {
    client("idle", 0.74 * MAXIMUM);
    expect(clock.pendingTimers).toBe(0);
    clock.advance(3_600_000);
    expect(ended).toEqual([]);
    expect(log).toEqual([]);
  });

  it("ends who has not moved for 30 seconds, the one that stalled first before the others, until there is enough", () => {
    const first = client("first", 0.3 * MAXIMUM);
    client("second", 0.3 * MAXIMUM);
    const busy = client("busy", 0.3 * MAXIMUM);
    clock.advance(10_000);
    // As much as 1/64 of what waits, within any 30 seconds.
    const goOn = () => {
      busy.movedBytes += 0.3 * MAXIMUM;
      clock.advance(10_000);
    };
    first.movedBytes += 1000;
    goOn();
    expect(ended).toEqual([]);
    goOn();
    expect(ended).toEqual(["first"]);
    // Enough is free now.
    for (let times = 0; times < 10; times++) goOn();
    expect(ended).toEqual(["first"]);
    expect(clock.pendingTimers).toBe(0);
  });

  it("has less patience when more is used than there is", () => {
    client("stalled", 0.5 * MAXIMUM);
    client("server's", 0.6 * MAXIMUM, 0);
    clock.advance(4_999);
    expect(ended).toEqual([]);
    clock.advance(1);
    expect(ended).toEqual(["stalled"]);
  });

  it("ends as many as it takes in one look, with the patience that is right after each", () => {
    for (let index = 0; index < 10; index++) client(`client ${index}`, 0.15 * MAXIMUM);
    clock.advance(5_000);
    // 1.5 times the maximum before, and not more than the maximum afterwards.
    expect(ended).toHaveLength(4);
    clock.advance(25_000);
    expect(ended).toHaveLength(6);
    expect(budget.isShort).toBe(false);
  });

  it("does not take a byte now and then for progress", () => {
    const dripping = client("dripping", MAXIMUM);
    const enough = client("enough", MAXIMUM);
    for (let second = 0; second < 30; second++) {
      dripping.movedBytes += 100;
      enough.movedBytes += MAXIMUM / 64 / 4;
      clock.advance(1000);
    }
    expect(ended).toEqual(["dripping"]);
  });

  it("does not end clients whose answers are not there yet, or who keep but little", () => {
    client("slow storage", 2 * MAXIMUM, 0);
    client("little", 20_000, 16_383);
    clock.advance(120_000);
    expect(ended).toEqual([]);
    client("more", 20_000, 16_384);
    clock.advance(6_000);
    expect(ended).toEqual(["more"]);
  });

  it("says that memory is short, once a minute at most", () => {
    const lines = [0, 10_000, 59_999, 60_000].map((at) => {
      clock.advance(at - (clock.now() - Date.UTC(2025, 0, 1)));
      budget.change(MAXIMUM);
      budget.change(-MAXIMUM);
      return log.length;
    });
    expect(lines).toEqual([1, 1, 1, 2]);
    expect(log[0]).toEqual({
      level: "warn",
      fields: { bytes: MAXIMUM, maximum: MAXIMUM },
      message: "memory for requests and answers is short",
    });
  });

  it("looks no more when it is closed", () => {
    client("stalled", MAXIMUM);
    stalled.close();
    expect(clock.pendingTimers).toBe(0);
    client("another", MAXIMUM);
    clock.advance(60_000);
    expect(ended).toEqual([]);
  });
});
