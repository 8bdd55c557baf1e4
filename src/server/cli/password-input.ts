// SPDX-License-Identifier: Apache-2.0

import type { ReadStream } from "node:tty";
import { StartupError, UsageError } from "../startup-error.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const CTRL_U = "\u0015";
const BACKSPACE = new Set(["\b", "\u007f"]);
const ENTER = new Set(["\r", "\n"]);

/** Reads one line from a terminal without showing it. @throws StartupError after Ctrl-C or Ctrl-D */
function readHidden(input: ReadStream, output: NodeJS.WritableStream, prompt: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = "";
    const finish = (settle: () => void) => {
      input.removeListener("data", take);
      input.setRawMode(false);
      input.pause();
      output.write("\n");
      settle();
    };
    const take = (chunk: string) => {
      for (const character of chunk) {
        if (ENTER.has(character)) {
          finish(() => resolve(line));
          return;
        }
        if (character === CTRL_C || character === CTRL_D) {
          finish(() => reject(new StartupError("Cancelled.")));
          return;
        }
        if (BACKSPACE.has(character)) {
          line = [...line].slice(0, -1).join("");
        } else if (character === CTRL_U) {
          line = "";
        } else {
          line += character;
        }
      }
    };
    output.write(prompt);
    input.setEncoding("utf8");
    input.setRawMode(true);
    input.on("data", take);
    input.resume();
  });
}

/** The first line of a stream that is no terminal. */
async function readLine(input: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    chunks.push(bytes);
    if (bytes.includes(0x0a)) {
      break;
    }
  }
  return Buffer.concat(chunks).toString("utf8").split(/\r?\n/, 1)[0] ?? "";
}

/** Asks for a new password, twice, on a terminal; takes it from the first line of the input elsewhere. */
export async function readNewPassword(
  name: string,
  input: NodeJS.ReadStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Promise<string> {
  const password = input.isTTY ? await readHidden(input, output, `Password for ${name}: `) : await readLine(input);
  if (password === "") {
    throw new UsageError("The password must not be empty.");
  }
  if (input.isTTY && (await readHidden(input, output, "Once more: ")) !== password) {
    throw new StartupError("The two passwords differ; nothing was changed.");
  }
  return password;
}
