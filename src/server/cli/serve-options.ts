// SPDX-License-Identifier: Apache-2.0

import { existsSync } from "node:fs";
import path from "node:path";
import { accountNameProblem } from "../../auth/accounts.ts";
import { defaultConfig, loadConfig } from "../config/load.ts";
import { type Config, configSchema, LOG_LEVELS, type LogLevel, type ShareConfig, SMB_PORT } from "../config/schema.ts";
import { type HostPort, parseHostPort } from "../config/units.ts";
import type { User } from "../server.ts";
import { shareKey, shareNameProblem } from "../share-name.ts";
import { UsageError } from "../startup-error.ts";

/** Where a configuration is looked for when the command line names neither one nor a share. */
export const DEFAULT_CONFIG_FILE = "/etc/tessera/tessera.yaml";

/** Options of `tessera serve`, as they stand on the command line. */
export interface ServeOptions {
  readonly config?: string;
  readonly listen?: readonly string[];
  readonly share?: readonly string[];
  readonly user?: readonly string[];
  readonly logLevel?: string;
}

export function parseListenOption(value: string): HostPort {
  const address = parseHostPort(value, SMB_PORT);
  if (address === undefined) {
    throw new UsageError(`--listen ${value}: must be HOST:PORT, such as 127.0.0.1:4445 or [::1]:4445.`);
  }
  return address;
}

/** `NAME=DIR` as a share with all defaults; the folder counts from the current one. */
export function parseShareOption(value: string): ShareConfig {
  const separator = value.indexOf("=");
  const name = value.slice(0, Math.max(separator, 0));
  const folder = value.slice(separator + 1);
  if (separator < 0 || folder === "") {
    throw new UsageError(`--share ${value}: must be NAME=DIR, such as data=/srv/data.`);
  }
  const problem = shareNameProblem(name);
  if (problem !== undefined) {
    throw new UsageError(`--share ${value}: the name ${problem}.`);
  }
  const [share] = configSchema.parse({ shares: [{ name, path: path.resolve(folder) }] }).shares;
  if (share === undefined) {
    throw new UsageError(`--share ${value}: must be NAME=DIR.`);
  }
  return share;
}

/** `NAME:PASSWORD`. Messages do not repeat the value, which may hold a password. */
export function parseUserOption(value: string): User {
  const separator = value.indexOf(":");
  const name = value.slice(0, Math.max(separator, 0));
  const password = value.slice(separator + 1);
  if (separator < 0 || password === "") {
    throw new UsageError(
      "--user: must be NAME:PASSWORD.",
      "To keep passwords out of the command line: tessera user add NAME",
    );
  }
  const problem = accountNameProblem(name);
  if (problem !== undefined) {
    throw new UsageError(`--user: the name ${JSON.stringify(name)} ${problem}.`);
  }
  return { name, password };
}

export function parseLogLevel(value: string): LogLevel {
  const level = LOG_LEVELS.find((name) => name === value);
  if (level === undefined) {
    throw new UsageError(`--log-level ${value}: must be one of ${LOG_LEVELS.join(", ")}.`);
  }
  return level;
}

/** The configuration file that the options mean; `undefined` when the command line says it all. */
function configFileOf(options: ServeOptions): string | undefined {
  if (options.config !== undefined || options.share !== undefined) {
    return options.config;
  }
  if (!existsSync(DEFAULT_CONFIG_FILE)) {
    throw new UsageError(
      "There is nothing to serve: name a folder, or a configuration file.",
      "For example: tessera serve --listen 127.0.0.1:4445 --share data=/srv/data --user alice:secret1",
    );
  }
  return DEFAULT_CONFIG_FILE;
}

/**
 * The configuration that the options describe: the file, if any, with `--listen` and `--log-level` in place of what it
 * says, and the shares of `--share` besides its own.
 * @throws UsageError, StartupError, ConfigError
 */
export async function serveConfig(options: ServeOptions): Promise<Config> {
  const file = configFileOf(options);
  const base = file === undefined ? defaultConfig() : await loadConfig(file);
  const shares = [...base.shares];
  for (const share of (options.share ?? []).map(parseShareOption)) {
    if (shares.some(({ name }) => shareKey(name) === shareKey(share.name))) {
      throw new UsageError(`--share ${share.name}: there is a share with this name already.`);
    }
    shares.push(share);
  }
  const { logging } = base.server;
  return {
    ...base,
    server: {
      ...base.server,
      listen: options.listen === undefined ? base.server.listen : options.listen.map(parseListenOption),
      logging: { ...logging, level: options.logLevel === undefined ? logging.level : parseLogLevel(options.logLevel) },
    },
    shares,
  };
}
