// SPDX-License-Identifier: Apache-2.0
/** An iSCSI target: a name under which logical units are reached, each by its number. */
import type { ChapOptions } from "../iscsi/chap.ts";
import type { LogicalUnit } from "./unit.ts";

export interface Target {
  /** iSCSI name. */
  readonly name: string;
  readonly alias: string | undefined;
  /** Logical units by number; changing it is the array's task, which tells the initiators. */
  readonly luns: Map<number, LogicalUnit>;
  readonly chap: ChapOptions | undefined;
  /** Portal groups that lead here; undefined for all. */
  readonly portalGroups: readonly number[] | undefined;
}
