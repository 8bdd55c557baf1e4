// SPDX-License-Identifier: Apache-2.0

import { type EnumLevel, enumeration } from "./enumeration.ts";
import type { Operation } from "./interface.ts";

const nothing: EnumLevel<never> = { administrators: true, size: 0, strings: () => [], write: () => {} };

/**
 * An enumeration of what this server does not tell. It is for administrators (MS-SRVS 3.1.4.1, footnotes 44 and 45), and the
 * list is empty.
 *
 * @param filters number of `[in, string, unique]` parameters between the server name and the structure
 * @param levels information levels that the structure's union knows
 */
export function emptyEnum(filters: number, levels: readonly number[]): Operation {
  return enumeration({
    filters,
    levels: new Map(levels.map((level) => [level, nothing])),
    list: () => [],
  });
}
