// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { Identity } from "../../src/auth/auth.ts";
import { createShare, type ShareUsers } from "../../src/server/share.ts";
import { StartupError } from "../../src/server/startup-error.ts";
import type { Volume } from "../../src/vfs/volume.ts";

const FULL = 0x001f01ff;
const READ = 0x001200a9;
const NONE = 0;

// Only `info.readOnly` of a volume matters to a share.
const volume = (readOnly: boolean) => ({ info: { readOnly } }) as Volume;

function identity(userName: string, kind: Identity["kind"] = "user"): Identity {
  return { kind, userName, domainName: "", sid: "S-1-5-21-1-2-3-1000", groups: [], privileges: [] };
}

function access(users: ShareUsers | undefined, caller: Identity, readOnly = false): number {
  const options = { name: "data", volume: volume(false), readOnly };
  return createShare(users === undefined ? options : { ...options, users }).maximalAccess(caller);
}

describe("createShare", () => {
  const lists: ShareUsers = { readWrite: ["Alice", "both"], readOnly: ["*", "both"], deny: ["mallory"] };

  it.each([
    ["alice", FULL],
    ["ALICE", FULL],
    ["bob", READ],
    ["both", FULL],
    ["Mallory", NONE],
  ])("grants %s %i by its lists", (name, expected) => {
    expect(access(lists, identity(name))).toBe(expected);
  });

  it("lets every user read and write by default, but neither guests nor anonymous callers", () => {
    expect(access(undefined, identity("anyone"))).toBe(FULL);
    expect(access(undefined, identity("anyone", "guest"))).toBe(NONE);
    expect(access(undefined, identity("", "anonymous"))).toBe(NONE);
  });

  it("admits guests and anonymous callers by their own names only", () => {
    const users: ShareUsers = { readWrite: ["*", "guest"], readOnly: ["anonymous"] };
    expect(access(users, identity("alice", "guest"))).toBe(FULL);
    expect(access(users, identity("", "anonymous"))).toBe(READ);
    expect(access({ readWrite: ["guest"] }, identity("guest2"))).toBe(NONE);
    expect(access({ readWrite: ["alice"] }, identity("alice", "guest"))).toBe(NONE);
  });

  it("grants nobody more than reading where share or volume is read-only", () => {
    expect(access(lists, identity("alice"), true)).toBe(READ);
    const share = createShare({ name: "data", volume: volume(true) });
    expect(share.readOnly).toBe(true);
    expect(share.maximalAccess(identity("alice"))).toBe(READ);
  });

  it("hides names by patterns, without regard to case", () => {
    const { hidesName } = createShare({ name: "data", volume: volume(false), hiddenNames: [".*", "Thumbs.d?"] });
    expect(["..a", ".profile", "THUMBS.DB", "a.b", "Thumbs"].map((name) => hidesName?.(name))).toEqual([
      ...[true, true, true, false, false],
    ]);
    expect(createShare({ name: "data", volume: volume(false), hiddenNames: [] }).hidesName).toBeUndefined();
  });

  it("refuses a name that clients could not ask for", () => {
    expect(() => createShare({ name: "a\\b", volume: volume(false) })).toThrow(StartupError);
    expect(() => createShare({ name: "ipc$", volume: volume(false) })).toThrow("keeps for itself");
  });
});
