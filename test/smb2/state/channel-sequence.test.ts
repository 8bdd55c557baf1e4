// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { ChannelSequence } from "../../../src/smb2/state/channel-sequence.ts";

describe("ChannelSequence", () => {
  it("counts requests of its own sequence, replays too while nothing older runs", () => {
    const sequence = new ChannelSequence(7);
    const first = sequence.begin(7, false);
    expect(first).toBeGreaterThanOrEqual(0);
    expect(sequence.begin(7, true)).toBe(first);
  });

  it("refuses what was sent before the channel was lost, and arrives only now", () => {
    const sequence = new ChannelSequence(0);
    sequence.end(sequence.begin(1, false));
    expect(sequence.begin(0, false)).toBe(-1);
    expect(sequence.begin(0, true)).toBe(-1);
  });

  it("refuses replays until all that ran before has ended", () => {
    const sequence = new ChannelSequence(0);
    const a = sequence.begin(0, false);
    const b = sequence.begin(0, false);
    expect(sequence.begin(1, true)).toBe(-1);
    sequence.end(a);
    expect(sequence.begin(1, true)).toBe(-1);
    sequence.end(b);
    expect(sequence.begin(1, true)).toBeGreaterThanOrEqual(0);
  });

  it("lets new requests go on beside old ones", () => {
    const sequence = new ChannelSequence(0);
    sequence.begin(0, false);
    expect(sequence.begin(1, false)).toBeGreaterThanOrEqual(0);
    expect(sequence.begin(1, true)).toBe(-1);
  });

  it.each([
    [0xffff, 0, true],
    [0xffff, 0x7ffe, true],
    [0xffff, 0x7fff, false],
    [0, 0x7fff, true],
    [0, 0x8000, false],
    [1, 0, false],
  ])("compares in 16 bits: from %i to %i is ahead: %s", (from, to, ahead) => {
    expect(new ChannelSequence(from).begin(to, false) >= 0).toBe(ahead);
  });

  it("does not take a request from before a restart for one after it, though their numbers are the same", () => {
    const sequence = new ChannelSequence(0);
    const old = sequence.begin(0, false);
    sequence.restart(0);
    expect(sequence.begin(0, true)).toBe(-1);
    sequence.end(sequence.begin(0, false));
    expect(sequence.begin(0, true)).toBe(-1);
    sequence.end(old);
    expect(sequence.begin(0, true)).toBeGreaterThanOrEqual(0);
  });
});
