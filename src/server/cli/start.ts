// SPDX-License-Identifier: Apache-2.0

import { randomInt } from "node:crypto";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { defaultConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { createLog } from "../log.ts";
import type { User } from "../server.ts";
import { StartupError, systemErrorCode } from "../startup-error.ts";
import { defaultStateDirectory, ensureStateDirectory, readIfExists, writeSecretFile } from "../state-directory.ts";
import { mountCommands } from "./mount-help.ts";
import { runService } from "./run-service.ts";
import { parseListenOption, parseLogLevel, parseShareOption } from "./serve-options.ts";

const SHARE = "share";
const USER = "tessera";

/** Characters that nobody takes for one another, and that no shell treats as special. */
const PASSWORD_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";
const PASSWORD_LENGTH = 20;

export interface StartOptions {
  readonly listen: readonly string[];
  readonly folder: string;
  readonly logLevel: string;
}

function generatePassword(): string {
  return Array.from({ length: PASSWORD_LENGTH }, () => PASSWORD_ALPHABET[randomInt(PASSWORD_ALPHABET.length)]).join("");
}

/** The user of `tessera start`, made on the first start and kept in a file for its owner alone. */
export async function startUser(stateDirectory: string): Promise<User & { readonly file: string }> {
  const file = path.join(stateDirectory, "start-user");
  const line = (await readIfExists(file))?.split("\n")[0] ?? "";
  const separator = line.indexOf(":");
  if (separator > 0 && separator < line.length - 1) {
    return { name: line.slice(0, separator), password: line.slice(separator + 1), file };
  }
  const password = generatePassword();
  await writeSecretFile(file, `${USER}:${password}\n`);
  return { name: USER, password, file };
}

function startConfig({ listen, folder, logLevel }: StartOptions, stateDirectory: string): Config {
  const base = defaultConfig();
  return {
    ...base,
    server: {
      ...base.server,
      listen: listen.map(parseListenOption),
      stateDirectory,
      logging: { ...base.server.logging, level: parseLogLevel(logLevel) },
    },
    shares: [parseShareOption(`${SHARE}=${folder}`)],
  };
}

/** A host that clients can name, in place of one that stands for every address. */
function reachableHost(host: string): string {
  return host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
}

/** Serves one folder, with a generated user, and says how to reach it. @throws StartupError */
export async function start(options: StartOptions): Promise<void> {
  const stateDirectory = defaultStateDirectory();
  const config = startConfig(options, stateDirectory);
  await ensureStateDirectory(stateDirectory);
  const folder = config.shares[0]?.path ?? options.folder;
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    throw new StartupError(`The folder ${folder} cannot be created: ${systemErrorCode(error) ?? String(error)}.`);
  }
  const user = await startUser(stateDirectory);
  await runService({
    config,
    users: [user],
    log: createLog(config.server.logging),
    load: () => Promise.resolve(config),
    onReady: (service) => {
      const address = service.addresses[0];
      if (address !== undefined) {
        const target = { ...user, host: reachableHost(address.host), port: address.port, share: SHARE };
        process.stdout.write(welcome(folder, user.file, { ...target, user: user.name }));
      }
    },
  });
}

function welcome(folder: string, file: string, target: Parameters<typeof mountCommands>[0]): string {
  const lines = [
    "",
    `Serving ${folder} as //${target.host}:${target.port}/${target.share}`,
    `User ${target.user}, password ${target.password} (kept in ${file})`,
  ];
  for (const { system, commands } of mountCommands(target)) {
    lines.push("", `${system}:`, ...commands.map((command) => `  ${command}`));
  }
  lines.push("", "Stop with Ctrl-C.", "");
  return `${lines.join("\n")}\n`;
}
