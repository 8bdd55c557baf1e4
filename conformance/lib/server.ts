// SPDX-License-Identifier: Apache-2.0
/** What every suite knows of the server under test, be it Tessera or the oracle. */
import { readdirSync, readFileSync } from "node:fs";
import { startSamba } from "./samba.ts";
import { startTessera } from "./tessera.ts";

export type ServerKind = "tessera" | "samba";

export interface Account {
  readonly name: string;
  readonly password: string;
  /** Member of BUILTIN\Administrators, with its privileges. */
  readonly admin?: boolean;
}

export interface ShareSpec {
  readonly name: string;
  /** An existing folder. */
  readonly path: string;
  /** Sessions must be encrypted on this share. */
  readonly encrypt?: boolean;
  /** Files that the user may not read are left out of listings (access-based enumeration). */
  readonly hideUnreadable?: boolean;
  /** Names that show as hidden. */
  readonly hiddenNames?: readonly string[];
  /** Handles outlive the server (SMB2_SHARE_CAP_CONTINUOUS_AVAILABILITY). */
  readonly continuousAvailability?: boolean;
  /** The folder has mode 0: users may connect, but have no access to anything. */
  readonly noAccess?: boolean;
}

export interface ServerOptions {
  readonly shares: readonly ShareSpec[];
  readonly accounts?: readonly Account[];
  /** Folder for configuration, state and logs. */
  readonly workDir: string;
  readonly signingRequired?: boolean;
  /** Sessions without a user are accepted, as Windows and Samba accept them unless told otherwise. */
  readonly allowAnonymous?: boolean;
  /** Default: one that is free. */
  readonly port?: number;
  /** `bench`: the settings of an administrator who wants speed; `conformance`: those nearest to Windows. */
  readonly profile?: "conformance" | "bench";
  /** `server.limits` of Tessera's configuration; Samba has none by default. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Arguments of the Node process that is Tessera, and additions to its environment. */
  readonly nodeArguments?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

export interface RunningServer {
  readonly kind: ServerKind;
  readonly port: number;
  readonly pid: number;
  readonly account: Account;
  readonly logFile: string;
  readonly alive: () => boolean;
  /** SIGTERM and wait; resolves with the exit status, -1 when it had to be killed. */
  readonly stop: () => Promise<number>;
}

export const alice: Account = { name: "alice", password: "secret1" };
export const bob: Account = { name: "bob", password: "secret2" };
export const administrator: Account = { name: "administrator", password: "secret3", admin: true };

export function startServer(kind: ServerKind, options: ServerOptions): Promise<RunningServer> {
  return kind === "samba" ? startSamba(options) : startTessera(options);
}

/** What /proc says of a process, from its third field on (proc(5), /proc/pid/stat); empty where it has ended. */
function procStat(pid: number | string): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** The process and all its descendants. */
function processTree(pid: number): number[] {
  const children = new Map<number, number[]>();
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const parent = Number(procStat(entry)[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)]);
  }
  const tree = [pid];
  for (let index = 0; index < tree.length; index += 1) tree.push(...(children.get(tree[index] ?? -1) ?? []));
  return tree;
}

/** Memory of the process and all its descendants, in KiB: the sum of PSS, so that pages shared by forks count once. */
export function memoryKiB(pid: number): number {
  let total = 0;
  for (const member of processTree(pid)) {
    try {
      const rollup = readFileSync(`/proc/${member}/smaps_rollup`, "utf8");
      total += Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0);
    } catch {
      // The process ended.
    }
  }
  return total;
}

/** Clock ticks in a second: USER_HZ, the same on every Linux. */
const TICKS = 100;

/** Processor time of the process and all its descendants so far, in seconds; that of those that have ended included. */
export function cpuSeconds(pid: number): number {
  let ticks = 0;
  for (const member of processTree(pid)) {
    // utime, stime, cutime, cstime.
    for (const field of procStat(member).slice(11, 15)) ticks += Number(field);
  }
  return ticks / TICKS;
}
