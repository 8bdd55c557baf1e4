// SPDX-License-Identifier: Apache-2.0

import { isAdministrator, type Operation } from "./interface.ts";
import { NdrError } from "./ndr.ts";
import { Win32Error } from "./win32.ts";

/**
 * An enumeration of the server's activity, such as sessions or open files. It is for administrators (MS-SRVS 3.1.4.5,
 * footnotes 52 and 53), and the list is empty: the server's own metrics tell what goes on.
 *
 * @param filters number of `[in, string, unique]` parameters between the server name and the structure
 * @param levels information levels that the structure's union knows
 */
export function emptyEnum(filters: number, levels: readonly number[]): Operation {
  return (call, input, output) => {
    for (let index = 0; index <= filters; index += 1) input.uniqueString();
    const level = input.u32();
    if (input.u32() !== level) throw new NdrError("level and union discriminant differ");
    const known = levels.includes(level);
    let resume: number | undefined;
    if (known) {
      input.pointer(() => {
        if (input.u32() !== 0) throw new NdrError("entries in an enumeration request");
        input.pointer(() => input.count(0, 1));
      });
      input.u32();
      resume = input.pointer(() => input.u32());
    }
    output.u32(level);
    output.u32(level);
    // The union has no arm for another level.
    if (known) {
      output.pointer(() => {
        output.u32(0);
        output.pointer(undefined);
      });
    }
    output.u32(0);
    output.pointer(resume === undefined ? undefined : () => output.u32(0));
    if (!known) output.u32(Win32Error.INVALID_LEVEL);
    else output.u32(isAdministrator(call.caller) ? Win32Error.SUCCESS : Win32Error.ACCESS_DENIED);
  };
}
