// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it, vi } from "vitest";
import { watchDelivery } from "../../src/server/connection-watch.ts";
import type { ServedConnection } from "../../src/server/listener.ts";
import { FakeClock } from "../support/fake-clock.ts";

const UNREACHABLE = 120_000;

describe("watchDelivery", () => {
  const clock = new FakeClock();
  const transport = { sentBytes: 0, acknowledgedBytes: vi.fn<() => number | undefined>() };
  let gone: number;
  let stop: () => void;

  beforeEach(() => {
    transport.sentBytes = 0;
    transport.acknowledgedBytes.mockReset();
    gone = 0;
    const options = { clock, negotiateTimeout: 0, authenticateTimeout: 0, unreachableTimeout: UNREACHABLE };
    stop = watchDelivery({ transport } as unknown as ServedConnection, options, () => void gone++);
    return () => stop();
  });

  it("does not ask the system while nothing is on its way", () => {
    transport.sentBytes = 100;
    transport.acknowledgedBytes.mockReturnValue(100);
    clock.advance(10 * UNREACHABLE);
    expect(transport.acknowledgedBytes).toHaveBeenCalledTimes(1);
    expect(gone).toBe(0);
  });

  it("tells of a client that acknowledges nothing for the time given", () => {
    transport.sentBytes = 100;
    transport.acknowledgedBytes.mockReturnValue(60);
    // The first look sees how far it has come.
    clock.advance(UNREACHABLE / 4 + UNREACHABLE - 1);
    expect(gone).toBe(0);
    clock.advance(1);
    expect(gone).toBe(1);
    clock.advance(10 * UNREACHABLE);
    expect(gone).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it("gives one that acknowledges something its whole time again", () => {
    transport.sentBytes = 100;
    let acknowledged = 0;
    transport.acknowledgedBytes.mockImplementation(() => acknowledged);
    for (; acknowledged < 90; acknowledged += 10) clock.advance(UNREACHABLE - 1);
    expect(gone).toBe(0);
    clock.advance(2 * UNREACHABLE);
    expect(gone).toBe(1);
  });

  it("says nothing where the system does not tell, and nothing once it is stopped", () => {
    transport.sentBytes = 100;
    transport.acknowledgedBytes.mockReturnValue(undefined);
    clock.advance(10 * UNREACHABLE);
    expect(gone).toBe(0);
    stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
