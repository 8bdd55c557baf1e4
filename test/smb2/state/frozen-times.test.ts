// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { keepFrozenTimes } from "../../../src/smb2/state/frozen-times.ts";
import type { FileOpen, FrozenTimes } from "../../../src/smb2/state/open.ts";
import type { BasicChange } from "../../../src/vfs/volume.ts";

const before = { lastAccessTime: 1n, lastWriteTime: 2n, changeTime: 3n };

/** What is given back to a file after a change that sets `except`. */
function givenBack(frozen: Partial<FrozenTimes>, except: BasicChange | undefined): BasicChange[] {
  const changes: BasicChange[] = [];
  const node = { stat: () => before, setBasic: (change: BasicChange) => void changes.push(change) };
  const frozenTimes = { creation: false, access: false, write: false, change: false, ...frozen };
  keepFrozenTimes({ frozenTimes, file: { node } } as unknown as FileOpen, () => undefined, except);
  return changes;
}

describe("frozen times", () => {
  it("are given back after a change", () => {
    expect(givenBack({ write: true }, undefined)).toEqual([{ lastWriteTime: 2n }]);
    expect(givenBack({ access: true, write: true, change: true }, { lastWriteTime: 9n })).toEqual([
      { lastAccessTime: 1n, lastWriteTime: 9n, changeTime: 3n },
    ]);
  });

  it("need nothing where there are none, or the change sets them itself", () => {
    expect(givenBack({}, undefined)).toEqual([]);
    expect(givenBack({ write: true }, { lastWriteTime: 9n })).toEqual([]);
    expect(givenBack({ access: true, write: true }, { lastAccessTime: 8n, lastWriteTime: 9n })).toEqual([]);
  });
});
