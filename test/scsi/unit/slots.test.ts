// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Slots } from "../../../src/scsi/unit/slots.ts";

/** Takes a slot; tells the order in which slots were had. */
function taker(slots: Slots) {
  const order: string[] = [];
  const take = (name: string, bytes: number) => {
    const waiting = slots.take(bytes);
    if (waiting === undefined) order.push(name);
    else void waiting.then(() => order.push(name));
  };
  return { order, take };
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("Slots", () => {
  it("bound commands, and hand on in order", async () => {
    const slots = new Slots(2, 1000);
    const { order, take } = taker(slots);
    for (const name of ["a", "b", "c", "d"]) take(name, 1);
    expect(order).toEqual(["a", "b"]);
    slots.give(1);
    await turn();
    expect(order).toEqual(["a", "b", "c"]);
    expect(slots.inFlight).toBe(2);
  });

  it("bound bytes, let nobody overtake, and let a giant go alone", async () => {
    const slots = new Slots(10, 100);
    const { order, take } = taker(slots);
    take("a", 80);
    take("giant", 500);
    take("small", 1);
    expect(order).toEqual(["a"]);
    slots.give(80);
    await turn();
    expect(order).toEqual(["a", "giant"]);
    slots.give(500);
    await turn();
    expect(order).toEqual(["a", "giant", "small"]);
  });

  it("become fewer when the unit is full, and more again when it is not", () => {
    const slots = new Slots(4, 1000);
    for (let count = 0; count < 4; count++) slots.take(0);
    slots.full();
    for (let count = 0; count < 4; count++) slots.give(0);
    const room = () => {
      let taken = 0;
      while (slots.inFlight < 10 && slots.take(0) === undefined) taken++;
      return taken;
    };
    expect(room()).toBe(3);
  });
});
