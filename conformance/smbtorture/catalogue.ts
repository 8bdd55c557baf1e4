// SPDX-License-Identifier: Apache-2.0
/** Which cases smbtorture has, and what each suite needs besides a share. */
import { fileURLToPath } from "node:url";
import { must } from "../lib/process.ts";

/** No pass or fail to compare: benchmarks, scanners, interactive holds, and what only a Samba with local access can be asked. */
const excluded = new Set([
  ...["bench", "samba3misc", "kernel-oplocks", "hold-oplock", "hold-sharemode", "scan", "aio_delay"],
  ...["change_notify_disabled", "create_no_streams", "notify-inotify", "maxfid", "secleak"],
]);

export interface TortureSuite {
  /** `smb2.read` */
  readonly name: string;
  /** Full names in the order of the run: `smb2.read.eof`. */
  readonly cases: readonly string[];
}

/** The suite a case belongs to: its first two components. */
export function suiteOf(name: string): string {
  return name.split(".", 2).join(".");
}

/**
 * The suites of the installed smbtorture. `--list` repeats the last component of every name
 * (`smb2.read.eof.eof`), and those of a test that is its own suite as well (`smb2.tcon.tcon`).
 */
export async function listSuites(): Promise<TortureSuite[]> {
  const { stdout } = await must("smbtorture", ["--list"]);
  const suites = new Map<string, string[]>();
  for (const line of stdout.split("\n")) {
    const name = /^(smb2\..+)\.[^.]+$/.exec(line.trim())?.[1];
    if (name === undefined || excluded.has(name.split(".")[1] ?? "")) continue;
    const suite = suiteOf(name);
    suites.set(suite, [...(suites.get(suite) ?? []), name]);
  }
  return [...suites].map(([name, cases]) => ({ name, cases }));
}

/**
 * Fits a name as smbtorture prints it (`eof`) to one of the full names that it may be (`smb2.read.eof`): tests of a nested
 * suite are printed without its name where they were asked for one by one, a test that is its own suite is printed alone.
 */
export function caseNamed(suite: string, candidates: readonly string[], printed: string): string | undefined {
  return candidates.find((name) => name === `${suite}.${printed}` || name.endsWith(`.${printed}`));
}

/** The file that set-sparse-ioctl and zero-data-ioctl work on. */
export const presetFile = "preset.bin";

const torture = (name: string, value: string) => `--option=torture:${name}=${value}`;

const options: Record<string, readonly string[]> = {
  // The attribute that holds the security descriptor must be hidden from clients.
  "smb2.ea": [torture("acl_xattr_name", "NTACL")],
  "smb2.set-sparse-ioctl": [torture("filename", presetFile)],
  "smb2.zero-data-ioctl": [
    torture("filename", presetFile),
    torture("offset", "0"),
    torture("beyond_final_zero", "4096"),
  ],
  "smb2.session": [
    torture("user2name", "bob"),
    torture("user2password", "secret2"),
    torture("user2domain", "WORKGROUP"),
  ],
};

/**
 * These cut connections by dropping their packets, each by rules for its own ports in the network namespace that all share. Names of
 * chains have 28 characters at most.
 */
const iptables = fileURLToPath(new URL("settled-iptables", import.meta.url));
for (const [suite, chains] of Object.entries({
  "smb2.multichannel": "channels",
  "smb2.replay": "replay",
  "smb2.oplock": "oplock",
  "smb2.lease": "lease",
})) {
  options[suite] = [
    ...(options[suite] ?? []),
    torture("use_iptables", "yes"),
    torture("iptables_command", `${iptables} ${chains}`),
  ];
}

const administrators = new Set([
  // They make somebody else the owner of a file, which takes SeRestorePrivilege.
  ...["smb2.create.aclfile", "smb2.create.acldir", "smb2.acls.SDFLAGSVSCHOWN"],
]);

/** Whether a case needs an administrator's rights; others fail with them, because they see more rights than they expect. */
export function needsAdministrator(name: string): boolean {
  return administrators.has(name);
}

/** Whether a suite asks for a server that requires signing. */
export function needsSigning(suite: string): boolean {
  return suite === "smb2.session-require-signing";
}

/** Extra arguments of a suite. */
export function suiteOptions(suite: string): readonly string[] {
  return options[suite] ?? [];
}

/** The share that a suite works in. */
export function shareOf(suite: string): string {
  return suite.replace(/^smb2\./, "");
}

/** Seconds that the slow suites take, so that they start first. */
const slow: Readonly<Record<string, number>> = {
  "smb2.multichannel": 245,
  "smb2.lease": 180,
  "smb2.replay": 140,
  "smb2.oplock": 110,
  "smb2.notify": 100,
  "smb2.lock": 60,
  "smb2.timestamps": 17,
  "smb2.create": 11,
  "smb2.dir": 11,
  "smb2.compound_find": 10,
  "smb2.durable-v2-delay": 10,
};

export function expectedSeconds(suite: string): number {
  return slow[suite] ?? 0;
}
