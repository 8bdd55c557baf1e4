// SPDX-License-Identifier: Apache-2.0

import { errnoError } from "./errno.ts";
import { type Statx, statOpen } from "./native/stat.ts";

/** What statx(2) says about an open file. @throws SmbError */
export function mustStat(fd: number): Statx {
  const stat = statOpen(fd);
  if (typeof stat === "number") throw errnoError(-stat, "statx");
  return stat;
}
