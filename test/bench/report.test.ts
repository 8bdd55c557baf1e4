// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Sample } from "../../bench/benchmark.ts";
import { markdown, median, type Result } from "../../bench/report.ts";

const samples = (...values: number[]): Sample[] => values.map((value) => ({ value }));

function lines(...results: Result[]): string[] {
  return markdown(results)
    .split("\n")
    .filter((line) => line.startsWith("|") && !line.startsWith("|---"));
}

const rate: Result = {
  group: "large",
  name: "get",
  unit: "MB/s",
  better: "higher",
  cost: "GiB",
  limit: "socket",
  samples: {
    samba: [
      { value: 90, cost: 0.5, clientShare: 0.3 },
      { value: 100, cost: 0.4, clientShare: 0.4 },
      { value: 130, cost: 0.6, clientShare: 0.5 },
    ],
    tessera: [{ value: 150, cost: 0.25, clientShare: 0.95 }],
  },
};

describe("median", () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[7], 7],
    [[], Number.NaN],
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

describe("markdown", () => {
  it("gives medians, spreads, ratios of rates and of the processor's time, and says who was limited by the clients", () => {
    expect(lines(rate)[1]).toBe(
      "| get | MB/s | 100 ±20 % | 150 | 1.50 | 0.500 | 0.250 | 2.00 |  | client-bound (tessera) |",
    );
  });

  it("compares with the machine's limit, which has a table of its own", () => {
    const limit: Result = {
      group: "limits",
      name: "socket",
      unit: "MB/s",
      better: "higher",
      samples: { machine: samples(200) },
    };
    const [, limitRow, , getRow] = lines(limit, rate);
    expect(limitRow).toBe("| socket | MB/s | 200 |  |");
    expect(getRow).toContain("| 2.00 | 75 % |");
  });

  it("says where others had the machine", () => {
    const disturbed = [
      { value: 1, foreignShare: 0.1 },
      { value: 2, foreignShare: 0.5 },
      { value: 3, foreignShare: 0.6 },
    ];
    const calm = [{ value: 1, foreignShare: 0.19 }];
    const result: Result = {
      group: "small",
      name: "echo",
      unit: "1/s",
      better: "higher",
      samples: { samba: disturbed, tessera: calm },
    };
    expect(lines(result)[1]).toMatch(/ disturbed \(samba\) \|$/);
  });

  it("puts what is better lower the other way round", () => {
    const memory: Result = {
      group: "memory",
      name: "idle",
      unit: "MiB",
      better: "lower",
      samples: { samba: samples(600), tessera: samples(100) },
    };
    expect(lines(memory)[1]).toBe("| idle | MiB | 600 | 100 | 6.00 |  |  |  |  |  |");
  });

  it("leaves ratios out where a server was not measured, or a delay is none", () => {
    const alone: Result = { group: "a", name: "x", unit: "ms", better: "lower", samples: { tessera: samples(5) } };
    const none = { ...alone, name: "y", samples: { samba: samples(-0.1), tessera: samples(0.25) } };
    expect(lines(alone, none).slice(1)).toEqual([
      "| x | ms | - | 5.00 | - |  |  |  |  |  |",
      "| y | ms | -0.100 | 0.250 | - |  |  |  |  |  |",
    ]);
  });

  it("shows the latencies where they are asked for", () => {
    const timed: Result = {
      group: "clients",
      name: "open",
      unit: "1/s",
      better: "higher",
      latency: true,
      samples: { samba: [{ value: 10, p50: 2, p99: 8 }], tessera: [{ value: 20, p50: 1, p99: 2 }] },
    };
    expect(lines(timed).slice(2)).toEqual([
      "| open: median | ms | 2.00 | 1.00 | 2.00 |  |  |  |  |  |",
      "| open: 99 % | ms | 8.00 | 2.00 | 4.00 |  |  |  |  |  |",
    ]);
  });
});
