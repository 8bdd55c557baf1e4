// SPDX-License-Identifier: Apache-2.0

/** Where logons are reported. A pino logger is one. */
export interface AuthLogger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}
