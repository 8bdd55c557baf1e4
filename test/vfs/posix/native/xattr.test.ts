// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { Errno } from "../../../../src/vfs/posix/errno.ts";
import { AT_FDCWD, close, OpenFlag, openOwn } from "../../../../src/vfs/posix/native/files.ts";
import {
  allowNameCalls,
  readXattr,
  removeXattr,
  setXattr,
  xattrNames,
} from "../../../../src/vfs/posix/native/xattr.ts";
import { temporaryFolder } from "../support.ts";

afterEach(() => allowNameCalls(true));

const NAME = "user.test.name";
/** More than is asked for at first. */
const LONG = Buffer.alloc(1500, "long value ");

describe.each([true, false])("extended attributes, with the calls of Linux 6.13: %s", (nameCalls) => {
  it.each([
    ["a file that is open for its data", "file", OpenFlag.RDWR],
    ["a file that is open as a place", "file", OpenFlag.PATH],
    ["a directory", "directory", OpenFlag.PATH | OpenFlag.DIRECTORY],
  ])("of %s", (_, name, flags) => {
    allowNameCalls(nameCalls);
    const root = temporaryFolder();
    writeFileSync(join(root, "file"), "");
    mkdirSync(join(root, "directory"));
    const fd = openOwn(AT_FDCWD, join(root, name), flags);
    onTestFinished(() => close(fd));
    expect(xattrNames(fd)).toEqual([]);
    expect(readXattr(fd, NAME)).toBeUndefined();
    expect(removeXattr(fd, NAME)).toBe(-Errno.ENODATA);
    expect(setXattr(fd, NAME, LONG)).toBe(0);
    expect(xattrNames(fd)).toEqual([NAME]);
    expect(readXattr(fd, NAME)).toEqual(LONG);
    expect(removeXattr(fd, NAME)).toBe(0);
    expect(xattrNames(fd)).toEqual([]);
  });
});
