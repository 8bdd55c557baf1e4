// SPDX-License-Identifier: Apache-2.0

import { mkdirSync } from "node:fs";
import path from "node:path";
import { destination as openDestination, pino, stdTimeFunctions } from "pino";
import type { Logger } from "../smb2/server-context.ts";
import type { LogLevel } from "./config/schema.ts";
import { formatLogLine } from "./log-text.ts";
import { StartupError } from "./startup-error.ts";

export interface LogOptions {
  readonly level: LogLevel;
  /** `auto` is text on a terminal and JSON elsewhere. */
  readonly format: "auto" | "json" | "text";
  /** `stderr`, `stdout` or the path of a file that is appended to. */
  readonly destination: string;
}

export interface ServerLog extends Logger {
  level: string;
  /** Writes out what is buffered. */
  flush(): void;
  /** Opens the log file anew, after it was moved away by log rotation. */
  reopen(): void;
}

/** Fields whose value must never reach a log, whatever object they come in with. */
const SECRETS = ["password", "ntHash", "sessionKey", "fullSessionKey", "signingKey", "token"];

const descriptors: Readonly<Record<string, 1 | 2>> = { stdout: 1, stderr: 2 };

/** @throws StartupError when the log file cannot be opened */
export function createLog(options: LogOptions): ServerLog {
  const descriptor = descriptors[options.destination];
  let destination: ReturnType<typeof openDestination>;
  try {
    if (descriptor === undefined) {
      mkdirSync(path.dirname(options.destination), { recursive: true });
    }
    destination = openDestination({ dest: descriptor ?? options.destination, sync: true, mode: 0o640 });
  } catch (error) {
    throw new StartupError(
      `The log file ${options.destination} cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const terminal = descriptor === 1 ? process.stdout.isTTY : descriptor === 2 ? process.stderr.isTTY : false;
  const text = options.format === "text" || (options.format === "auto" && terminal === true);
  const stream = text ? { write: (line: string) => void destination.write(formatLogLine(line)) } : destination;
  const log = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: SECRETS.flatMap((name) => [name, `*.${name}`]), remove: true },
    },
    stream,
  );
  return {
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
    get level() {
      return log.level;
    },
    set level(level: string) {
      log.level = level;
    },
    flush: () => destination.flushSync(),
    reopen: () => {
      if (descriptor === undefined) {
        destination.reopen();
      }
    },
  };
}

/** For embedders that want no log. */
export const silentLog: Logger = { debug() {}, info() {}, warn() {}, error() {} };
