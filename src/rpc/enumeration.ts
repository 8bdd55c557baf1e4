// SPDX-License-Identifier: Apache-2.0

import { isAdministrator, type Operation, type RpcCall } from "./interface.ts";
import { NdrError, type NdrWriter } from "./ndr.ts";
import { MAX_PREFERRED_LENGTH, Win32Error } from "./win32.ts";

/** One information level of what is enumerated. */
export interface EnumLevel<T> {
  /** The level is for administrators. */
  readonly administrators: boolean;
  /** Octets of the fixed part, against PreferedMaximumLength. */
  readonly size: number;
  readonly strings: (item: T) => readonly string[];
  readonly write: (output: NdrWriter, item: T) => void;
}

export interface Enumeration<T> {
  /** Number of `[in, string, unique]` parameters between the server name and the structure. */
  readonly filters: number;
  /** The levels of the structure's union. */
  readonly levels: ReadonlyMap<number, EnumLevel<T>>;
  /** Levels that the operation takes; all where absent. */
  readonly accepted?: readonly number[];
  /** Everything that the caller asks for and may see, or a Win32 error. */
  readonly list: (call: RpcCall, filters: readonly (string | undefined)[]) => readonly T[] | number;
}

/** What the enumerations of MS-SRVS 3.1.4 and MS-WKST 3.2.4 have in common: one structure, and a resume handle that counts entries. */
export function enumeration<T>(parts: Enumeration<T>): Operation {
  const { filters, levels, accepted, list } = parts;
  return (call, input, output) => {
    input.uniqueString();
    const asked = Array.from({ length: filters }, () => input.uniqueString());
    const number = input.u32();
    if (input.u32() !== number) throw new NdrError("level and union discriminant differ");
    const level = accepted === undefined || accepted.includes(number) ? levels.get(number) : undefined;
    if (level === undefined) {
      output.u32(number);
      output.u32(number);
      // The union has an arm, and so a pointer, for each level that exists; another level has neither.
      if (levels.has(number)) output.pointer(undefined);
      output.u32(0);
      output.pointer(undefined);
      output.u32(Win32Error.INVALID_LEVEL);
      return;
    }
    // The container is [in, out], but what a client puts in it has no meaning; all of them send it empty.
    input.pointer(() => {
      if (input.u32() !== 0) throw new NdrError("entries in an enumeration request");
      input.pointer(() => input.count(0, 1));
    });
    const preferred = input.u32();
    const resume = input.pointer(() => input.u32());

    const refused = level.administrators && !isAdministrator(call.caller);
    const found = refused ? Win32Error.ACCESS_DENIED : list(call, asked);
    const all = typeof found === "number" ? [] : found;
    const start = resume ?? 0;
    const remaining = all.slice(start);
    const entries = remaining.slice(0, countThatFits(remaining, level, preferred));
    const more = entries.length < remaining.length;

    output.construct(() => {
      output.u32(number);
      output.u32(number);
      output.pointer(() =>
        output.construct(() => {
          output.u32(entries.length);
          const array = () => output.conformantArray(entries, (item) => level.write(output, item));
          output.pointer(entries.length === 0 ? undefined : array);
        }),
      );
    });
    output.u32(remaining.length);
    output.pointer(resume === undefined ? undefined : () => output.u32(more ? start + entries.length : 0));
    if (typeof found === "number") output.u32(found);
    else output.u32(more ? Win32Error.MORE_DATA : Win32Error.SUCCESS);
  };
}

function countThatFits<T>(items: readonly T[], level: EnumLevel<T>, preferred: number): number {
  if (preferred === MAX_PREFERRED_LENGTH) return items.length;
  let size = 0;
  const first = items.findIndex((item) => {
    size += level.size;
    for (const text of level.strings(item)) size += (text.length + 1) * 2;
    return size > preferred;
  });
  return first < 0 ? items.length : first;
}
