// SPDX-License-Identifier: Apache-2.0

import { PassThrough, Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { readNewPassword } from "../../../src/server/cli/password-input.ts";
import { StartupError, UsageError } from "../../../src/server/startup-error.ts";

type Input = Parameters<typeof readNewPassword>[1];

/** As much of a terminal as a prompt uses. */
function terminal() {
  const input = Object.assign(new PassThrough(), { isTTY: true, isRaw: false });
  const raw = Object.assign(input, {
    setRawMode(on: boolean) {
      input.isRaw = on;
      return input;
    },
  });
  const output = new PassThrough();
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return { input: raw as unknown as NonNullable<Input>, keys: input, output, turn };
}

describe("readNewPassword on a terminal", () => {
  async function type(...lines: readonly string[]) {
    const { input, keys, output, turn } = terminal();
    const result = readNewPassword("alice", input, output);
    result.catch(() => {});
    for (const line of lines) {
      expect(keys.isRaw).toBe(true);
      keys.write(line);
      await turn();
      await turn();
    }
    const shown = String(output.read() ?? "");
    return { result, shown, isRaw: () => keys.isRaw };
  }

  it("asks twice and shows nothing of what is typed", async () => {
    const { result, shown, isRaw } = await type("geheim\r", "geheim\r");
    expect(await result).toBe("geheim");
    expect(shown).toBe("Password for alice: \nOnce more: \n");
    expect(isRaw()).toBe(false);
  });

  it("minds backspace and the kill character, whole characters at a time", async () => {
    const { result } = await type("wrong\u0015geh€\u007feim\b\bim\r", "geheim\r");
    expect(await result).toBe("geheim");
  });

  it("changes nothing when the two differ", async () => {
    const { result } = await type("one\r", "two\r");
    await expect(result).rejects.toThrow("The two passwords differ");
  });

  it.each(["\u0003", "\u0004"])("can be cancelled with %j", async (key) => {
    const { result, isRaw } = await type(`half${key}`);
    await expect(result).rejects.toThrow(StartupError);
    expect(isRaw()).toBe(false);
  });

  it("refuses an empty password", async () => {
    const { result } = await type("\r");
    await expect(result).rejects.toThrow(UsageError);
  });
});

describe("readNewPassword elsewhere", () => {
  const pipe = (...chunks: readonly string[]) => Readable.from(chunks.map((chunk) => Buffer.from(chunk))) as Input;

  it.each([
    [["geheim\n"], "geheim"],
    [["gehe", "im\r\nmore\n"], "geheim"],
    [["no newline"], "no newline"],
    [[" with blanks \n"], " with blanks "],
  ])("takes the first line of %j", async (chunks, expected) => {
    expect(await readNewPassword("alice", pipe(...chunks), new PassThrough())).toBe(expected);
  });

  it("refuses an empty line", async () => {
    await expect(readNewPassword("alice", pipe("\n"), new PassThrough())).rejects.toThrow("must not be empty");
  });
});
