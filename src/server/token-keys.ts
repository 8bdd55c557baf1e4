// SPDX-License-Identifier: Apache-2.0

import { open } from "node:fs/promises";
import { TOKEN_KEY_LENGTH } from "../offload/token-seal.ts";
import { StartupError, systemErrorCode } from "./startup-error.ts";

/** A key in hexadecimal digits, and what an editor may have put around them. */
const MAXIMUM_FILE_SIZE = 2 * TOKEN_KEY_LENGTH + 64;

const HOW_TO_MAKE_ONE = "Make one with: (umask 077; openssl rand -hex 32 > FILE)";

/** Reads the keys under which a group of servers seals its tokens, in the order of the files. @throws StartupError */
export function loadTokenKeys(files: readonly string[]): Promise<readonly Buffer[]> {
  return Promise.all(files.map(loadTokenKey));
}

async function loadTokenKey(file: string): Promise<Buffer> {
  const { text, mode } = await readKeyFile(file);
  if ((mode & 0o007) !== 0) {
    throw new StartupError(
      `The key file ${file} is open to every user of this machine.`,
      `Whoever can read it can make tokens. Close it: chmod o= ${file}`,
    );
  }
  const key = Buffer.from(text.trim(), "hex");
  // Buffer.from leaves out what is no digit; nothing may be left out.
  if (key.length !== TOKEN_KEY_LENGTH || key.toString("hex") !== text.trim().toLowerCase()) {
    throw new StartupError(
      `The key file ${file} must hold ${2 * TOKEN_KEY_LENGTH} hexadecimal digits and nothing else.`,
      HOW_TO_MAKE_ONE,
    );
  }
  return key;
}

async function readKeyFile(file: string): Promise<{ readonly text: string; readonly mode: number }> {
  try {
    const handle = await open(file);
    try {
      const buffer = Buffer.alloc(MAXIMUM_FILE_SIZE);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
      return { text: buffer.toString("latin1", 0, bytesRead), mode: (await handle.stat()).mode };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === "ENOENT") throw new StartupError(`The key file ${file} does not exist.`, HOW_TO_MAKE_ONE);
    throw new StartupError(`The key file ${file} cannot be read: ${code ?? String(error)}.`);
  }
}
