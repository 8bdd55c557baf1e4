// SPDX-License-Identifier: Apache-2.0

import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { SmbError } from "../../../src/nt/status.ts";
import { mustStat } from "../../../src/vfs/posix/must-stat.ts";

describe("mustStat", () => {
  it("tells what an open file is, and throws for a descriptor that is none", () => {
    const folder = mkdtempSync(join(tmpdir(), "tessera-must-stat-"));
    try {
      const path = join(folder, "file");
      writeFileSync(path, "12345");
      const fd = openSync(path, "r");
      expect(mustStat(fd).size).toBe(5);
      closeSync(fd);
      expect(() => mustStat(-1)).toThrow(SmbError);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
