// SPDX-License-Identifier: Apache-2.0

import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StartupError } from "../../src/server/startup-error.ts";
import { loadTokenKeys } from "../../src/server/token-keys.ts";

describe("key files", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-keys-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  async function file(name: string, content: string, mode = 0o600): Promise<string> {
    const result = path.join(folder, name);
    await writeFile(result, content);
    await chmod(result, mode);
    return result;
  }

  it("hold 64 hexadecimal digits, in the order of their names", async () => {
    const one = await file("one", `${"aB".repeat(32)}\n`);
    const two = await file("two", "01".repeat(32), 0o640);
    expect(await loadTokenKeys([one, two])).toEqual([Buffer.alloc(32, 0xab), Buffer.alloc(32, 1)]);
    expect(await loadTokenKeys([])).toEqual([]);
  });

  it.each([
    ["nothing", ""],
    ["too few digits", "ab".repeat(31)],
    ["too many", "ab".repeat(33)],
    ["half a byte", `${"ab".repeat(32)}c`],
    ["something else", "xy".repeat(32)],
    ["something else at the end", `${"ab".repeat(32)}zz`],
    ["very much", "ab".repeat(100_000)],
  ])("are refused with %s in them, which is not shown", async (_, content) => {
    const error: unknown = await loadTokenKeys([await file("key", content)]).catch((reason: unknown) => reason);
    if (!(error instanceof StartupError)) throw new Error("accepted");
    expect(error.message).toBe(`The key file ${folder}/key must hold 64 hexadecimal digits and nothing else.`);
    expect(error.hint).toContain("openssl rand -hex 32");
  });

  it("are refused when everybody can read them", async () => {
    await expect(loadTokenKeys([await file("key", "ab".repeat(32), 0o644)])).rejects.toThrow(
      `The key file ${folder}/key is open to every user of this machine.`,
    );
  });

  it("are refused when they are not there, or no files", async () => {
    await expect(loadTokenKeys([path.join(folder, "missing")])).rejects.toThrow("missing does not exist.");
    await expect(loadTokenKeys([folder])).rejects.toThrow("cannot be read: EISDIR.");
  });
});
