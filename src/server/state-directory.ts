// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { chown, mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { StartupError, systemErrorCode } from "./startup-error.ts";

/**
 * Where the server keeps what must outlive a restart when the configuration does not say: `$STATE_DIRECTORY` (set by
 * systemd), else `$XDG_STATE_HOME/tessera`, else `~/.local/state/tessera`.
 */
export function defaultStateDirectory(environment: NodeJS.ProcessEnv = process.env): string {
  const fromSystemd = environment["STATE_DIRECTORY"]?.split(":")[0];
  if (fromSystemd !== undefined && fromSystemd !== "") {
    return fromSystemd;
  }
  const xdg = environment["XDG_STATE_HOME"];
  return path.join(xdg !== undefined && path.isAbsolute(xdg) ? xdg : path.join(homedir(), ".local/state"), "tessera");
}

/** Creates the folder for this process's user alone. @throws StartupError */
export async function ensureStateDirectory(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartupError(
      `The state directory ${folder} cannot be created: ${systemErrorCode(error) ?? String(error)}.`,
      "Choose another one with server.stateDirectory in the configuration, or with the environment variable XDG_STATE_HOME.",
    );
  }
}

/**
 * Replaces a file that holds secrets: readable by its owner only, whole or not at all. Root leaves the file to the
 * owner of the folder, so that a service without privileges can read what its administrator wrote.
 */
export async function writeSecretFile(file: string, content: string): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (process.getuid?.() === 0) {
      const { uid, gid } = await stat(path.dirname(file));
      await chown(temporary, uid, gid);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** The content of a file that may not exist yet. */
export async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") {
      return undefined;
    }
    throw error;
  }
}

/** The ServerGuid (MS-SMB2 3.3.1.5), 16 bytes: made on the first start, the same ever after. */
export async function loadServerGuid(folder: string): Promise<Buffer> {
  const file = path.join(folder, "server-guid");
  const text = (await readIfExists(file))?.trim();
  if (text !== undefined && /^[0-9a-f]{32}$/.test(text)) {
    return Buffer.from(text, "hex");
  }
  const guid = randomBytes(16);
  await writeSecretFile(file, `${guid.toString("hex")}\n`);
  return guid;
}
