// SPDX-License-Identifier: Apache-2.0
/** Runs Debian's smbclient with one dialect and one protection. */
import { type RunResult, run } from "./process.ts";
import type { RunningServer } from "./server.ts";

export const dialects = ["SMB2_02", "SMB2_10", "SMB3_00", "SMB3_02", "SMB3_11"] as const;
export type Dialect = (typeof dialects)[number];
export type Protection = "off" | "sign" | "encrypt";

/** The protections that a dialect has; encryption came with SMB 3.0 (MS-SMB2 1.7). */
export function protections(dialect: Dialect): readonly Protection[] {
  return dialect.startsWith("SMB2") ? ["off", "sign"] : ["off", "sign", "encrypt"];
}

export interface SmbclientOptions {
  readonly dialect?: Dialect;
  readonly protection?: Protection;
  readonly user?: string;
  readonly password?: string;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly cwd?: string;
  readonly extra?: readonly string[];
  /** Connects here instead of to the server's own port: for a recording proxy. */
  readonly port?: number;
}

/** The arguments that every call shares; `commands` may be empty for `-L`. */
export function smbclientArgs(server: RunningServer, options: SmbclientOptions = {}): string[] {
  const dialect = options.dialect ?? "SMB3_11";
  return [
    ...["-s", "/dev/null", "-p", String(options.port ?? server.port)],
    ...["-U", `${options.user ?? server.account.name}%${options.password ?? server.account.password}`],
    ...["-m", dialect, `--option=client min protocol=${dialect}`],
    `--client-protection=${options.protection ?? "off"}`,
    ...(options.extra ?? []),
  ];
}

/** Runs commands on a share, separated by semicolons as `-c` takes them. */
export function smbclient(
  server: RunningServer,
  share: string,
  commands: string,
  options: SmbclientOptions = {},
): Promise<RunResult> {
  const args = [`//127.0.0.1/${share}`, ...smbclientArgs(server, options), "-c", commands];
  return run("smbclient", args, {
    timeout: options.timeout ?? 120_000,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
}

/** smbclient says NT_STATUS_… for every command that fails but ends with status 0 after most of them. */
export async function smbclientOk(
  server: RunningServer,
  share: string,
  commands: string,
  options: SmbclientOptions = {},
): Promise<string> {
  const result = await smbclient(server, share, commands, options);
  if (result.timedOut) throw new Error(`smbclient timed out: ${commands}\n${result.output.slice(-2000)}`);
  if (result.status !== 0 || /NT_STATUS_(?!OK)/.test(result.output)) {
    throw new Error(`smbclient -c '${commands}': exit status ${result.status}\n${result.output.slice(-3000)}`);
  }
  return result.output;
}

/** Runs commands that have to fail with this status name. */
export async function smbclientFails(
  server: RunningServer,
  share: string,
  commands: string,
  status: RegExp,
  options: SmbclientOptions = {},
): Promise<void> {
  const result = await smbclient(server, share, commands, options);
  if (!status.test(result.output)) {
    throw new Error(`expected ${status}, got exit status ${result.status}\n${result.output.slice(-2000)}`);
  }
}
