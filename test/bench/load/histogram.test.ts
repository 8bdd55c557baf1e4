// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Histogram } from "../../../bench/load/histogram.ts";

/** Neighbouring bounds are 2.2 % apart, so that a duration is off by half of that at most. */
const near = (value: number) => [value * 0.988, value * 1.012] as const;

function expectNear(found: number, value: number): void {
  const [least, most] = near(value);
  expect(found).toBeGreaterThan(least);
  expect(found).toBeLessThan(most);
}

describe("Histogram", () => {
  it("tells what a share of the durations did not exceed", () => {
    const histogram = new Histogram();
    for (let milliseconds = 1; milliseconds <= 1000; milliseconds += 1) histogram.record(milliseconds);
    expectNear(histogram.quantile(0.5), 500);
    expectNear(histogram.quantile(0.99), 990);
    expectNear(histogram.quantile(1), 1000);
    expectNear(histogram.quantile(0), 1);
  });

  it("counts what is shorter than a microsecond as one", () => {
    const histogram = new Histogram();
    histogram.record(0);
    histogram.record(0.000_1);
    expect(histogram.quantile(1)).toBe(0.001);
  });

  it("adds up what others have counted and sent as JSON", () => {
    const [short, long] = [new Histogram(), new Histogram()];
    for (let index = 0; index < 98; index += 1) short.record(1);
    for (let index = 0; index < 2; index += 1) long.record(100);
    const sum = new Histogram();
    sum.add(short);
    sum.add(new Histogram(JSON.parse(JSON.stringify(long))));
    expectNear(sum.quantile(0.98), 1);
    expectNear(sum.quantile(0.99), 100);
  });

  it("has no quantiles where nothing was recorded", () => {
    expect(new Histogram().quantile(0.5)).toBeNaN();
  });
});
