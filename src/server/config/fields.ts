// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { formatDuration, formatSize, parseDuration, parseSize } from "./units.ts";

/**
 * Rules about several fields run even where a field by itself is wrong, so that one look shows everything; until then
 * nothing is known of the values but that the schema wanted them so.
 */
export const always = { when: () => true };

export const nonEmptyText = z.string().min(1);

export const count = (minimum: number, maximum: number) => z.int().min(minimum).max(maximum);

interface Bounds {
  readonly minimum?: number;
  readonly maximum?: number;
}

/** A number that is written with a unit, within bounds. */
function quantity(
  parse: (value: string | number) => number | undefined,
  format: (value: number) => string,
  expected: string,
  { minimum = 0, maximum = Number.MAX_SAFE_INTEGER }: Bounds,
) {
  return z.unknown().transform((value, context) => {
    const parsed = typeof value === "string" || typeof value === "number" ? parse(value) : undefined;
    const message =
      parsed === undefined
        ? expected
        : parsed < minimum
          ? `must be at least ${format(minimum)}`
          : parsed > maximum
            ? `must be at most ${format(maximum)}`
            : undefined;
    if (parsed !== undefined && message === undefined) return parsed;
    context.addIssue({ code: "custom", message: message ?? expected });
    return z.NEVER;
  });
}

/** Milliseconds. */
export const duration = (bounds: Bounds = {}) =>
  quantity(parseDuration, formatDuration, "must be a time such as 30s, 500ms or 5m", bounds);

/** Bytes. */
export const size = (bounds: Bounds = {}) =>
  quantity(parseSize, formatSize, "must be a size such as 64KiB, 256MiB or 1GiB", bounds);
