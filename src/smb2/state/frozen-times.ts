// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import type { BasicChange } from "../../vfs/volume.ts";
import type { FileOpen } from "./open.ts";

/**
 * Runs a change of the file, then gives the times back that SET_INFO has taken out of automatic updates through this
 * handle (MS-FSCC 2.4.7, MS-FSA 2.1.4.17). Costs nothing where there are none, or the change
 * itself sets them.
 * @param except times that the change itself sets
 */
export function keepFrozenTimes(
  open: FileOpen,
  change: () => Awaitable<void>,
  except: BasicChange | undefined = undefined,
): Awaitable<void> {
  const { access, write, change: changeTime } = open.frozenTimes;
  const setsAll =
    (!access || except?.lastAccessTime !== undefined) &&
    (!write || except?.lastWriteTime !== undefined) &&
    (!changeTime || except?.changeTime !== undefined);
  if (setsAll) return change();
  const { node } = open.file;
  return chain(node.stat(), (before) =>
    chain(change(), () =>
      node.setBasic({
        lastAccessTime: access ? (except?.lastAccessTime ?? before.lastAccessTime) : undefined,
        lastWriteTime: write ? (except?.lastWriteTime ?? before.lastWriteTime) : undefined,
        changeTime: changeTime ? (except?.changeTime ?? before.changeTime) : undefined,
      }),
    ),
  );
}
