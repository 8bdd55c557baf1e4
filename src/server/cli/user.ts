// SPDX-License-Identifier: Apache-2.0

import { existsSync } from "node:fs";
import path from "node:path";
import { ntHashOfPassword } from "../../auth/nt-hash.ts";
import { FileAccountStore } from "../../auth/user-file.ts";
import { defaultConfig, loadConfig } from "../config/load.ts";
import { usersFileOf } from "../service.ts";
import { StartupError } from "../startup-error.ts";
import { ensureStateDirectory } from "../state-directory.ts";
import { readNewPassword } from "./password-input.ts";
import { DEFAULT_CONFIG_FILE } from "./serve-options.ts";

export interface UserFileOptions {
  readonly config?: string;
  readonly usersFile?: string;
}

export interface UserAddOptions extends UserFileOptions {
  readonly password?: string;
  readonly admin?: boolean;
}

/** The users file that the options mean: by name, by configuration, or the default one. */
async function usersFile(options: UserFileOptions): Promise<string> {
  if (options.usersFile !== undefined) {
    return path.resolve(options.usersFile);
  }
  const file = options.config ?? (existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined);
  return usersFileOf((file === undefined ? defaultConfig() : await loadConfig(file)).server);
}

async function existingStore(options: UserFileOptions): Promise<FileAccountStore> {
  const file = await usersFile(options);
  if (!existsSync(file)) {
    throw new StartupError(`There are no users yet: ${file} does not exist.`, "Add one with: tessera user add NAME");
  }
  return FileAccountStore.open(file);
}

/** `tessera user add`: a new user, or a new password of one. */
export async function addUser(name: string, options: UserAddOptions): Promise<void> {
  const file = await usersFile(options);
  if (options.password !== undefined) {
    process.stderr.write(
      "Warning: a password on the command line can be read by every user of this machine, and stays in the shell's history.\n",
    );
  }
  const password = options.password ?? (await readNewPassword(name));
  await ensureStateDirectory(path.dirname(file));
  const store = await FileAccountStore.openOrCreate(file);
  const known = store.lookup(name) !== undefined;
  await store.set({
    name,
    ntHash: await ntHashOfPassword(password),
    ...(options.admin === undefined ? {} : { admin: options.admin }),
  });
  process.stdout.write(`${known ? "Changed" : "Added"} user ${name} in ${file}.\n`);
  process.stdout.write("A running server takes it over with SIGHUP: systemctl reload tessera\n");
}

/** `tessera user remove`. */
export async function removeUser(name: string, options: UserFileOptions): Promise<void> {
  const store = await existingStore(options);
  await store.remove(name);
  process.stdout.write(`Removed user ${name} from ${store.path}.\n`);
}

/** `tessera user list`: one line a user. */
export async function listUsers(options: UserFileOptions): Promise<void> {
  const store = await existingStore(options);
  for (const { name, rid, admin, disabled } of store.list()) {
    const notes = [admin ? "administrator" : "", disabled ? "disabled" : ""].filter((note) => note !== "");
    process.stdout.write(`${[name, `${store.machineSid}-${rid}`, ...notes].join("\t")}\n`);
  }
}
