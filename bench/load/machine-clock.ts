// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";

/** Clock ticks in a second: USER_HZ, the same on every Linux. */
const TICKS = 100;

/** Seconds since the start of the machine, summed over its processors. */
export interface MachineClock {
  readonly busy: number;
  readonly idle: number;
}

/** Reads the first line of /proc/stat (proc(5)): what another guest of the host takes away counts as busy. */
export function machineClock(stat: string = readFileSync("/proc/stat", "utf8")): MachineClock {
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softirq = 0, steal = 0] =
    stat.split("\n", 1)[0]?.trim().split(/\s+/).slice(1).map(Number) ?? [];
  return { busy: (user + nice + system + irq + softirq + steal) / TICKS, idle: (idle + wait) / TICKS };
}
