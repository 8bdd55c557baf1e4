// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Fsctl, FsctlAccess, fsctlAccess } from "../../../src/smb2/wire/fsctl.ts";

describe("control codes", () => {
  it.each([
    ["OFFLOAD_READ", FsctlAccess.READ],
    ["OFFLOAD_WRITE", FsctlAccess.WRITE],
    ["SRV_REQUEST_RESUME_KEY", FsctlAccess.ANY],
    ["SRV_COPYCHUNK", FsctlAccess.READ],
    ["SRV_COPYCHUNK_WRITE", FsctlAccess.WRITE],
    ["DUPLICATE_EXTENTS_TO_FILE", FsctlAccess.WRITE],
    ["SET_SPARSE", FsctlAccess.ANY],
    ["SET_INTEGRITY_INFORMATION", FsctlAccess.READ | FsctlAccess.WRITE],
  ] as const)("%s asks for access %i", (name, access) => {
    expect(fsctlAccess(Fsctl[name])).toBe(access);
  });
});
