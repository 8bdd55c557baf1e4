// SPDX-License-Identifier: Apache-2.0
/**
 * The oracle: a private Debian Samba on a free port. All its folders are its own; its users exist only in a mount
 * namespace of its own with a passwd file of its own, so that it leaves no trace on the machine. Needs root.
 */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, start } from "./process.ts";
import { type Account, alice, bob, type RunningServer, type ServerOptions, type ShareSpec } from "./server.ts";
import { freePort, waitForPort } from "./temp.ts";
import { findTool, missingTools } from "./tools.ts";

/** The first Unix user id given to an account; above the ranges of adduser and of systemd's dynamic users. */
const firstUserId = 90_001;

function sharesSection(share: ShareSpec, options: ServerOptions): string {
  const lines = [
    `[${share.name}]`,
    `path = ${share.path}`,
    "read only = no",
    "vfs objects = acl_xattr streams_xattr",
    "acl_xattr:ignore system acls = yes",
    "ea support = yes",
    "smb2 leases = yes",
    "create mask = 0777",
    "directory mask = 0777",
  ];
  if (options.profile !== "bench") lines.push("kernel share modes = no", "posix locking = no");
  if (share.encrypt === true) lines.push("smb encrypt = required");
  if (share.hiddenNames !== undefined) lines.push(`hide files = /${share.hiddenNames.join("/")}/`);
  if (share.hideUnreadable === true) lines.push("hide unreadable = yes");
  const admins = (options.accounts ?? []).filter(({ admin }) => admin === true).map(({ name }) => name);
  if (admins.length > 0) lines.push(`admin users = ${admins.join(" ")}`);
  return lines.join("\n");
}

function globalSection(port: number, options: ServerOptions, folder: (name: string) => string): string {
  return [
    "[global]",
    "server role = standalone server",
    "workgroup = WORKGROUP",
    "netbios name = ORACLE",
    "disable netbios = yes",
    "disable spoolss = yes",
    "load printers = no",
    "printcap name = /dev/null",
    `smb ports = ${port}`,
    "interfaces = lo",
    "bind interfaces only = yes",
    "server min protocol = SMB2_02",
    "server multi channel support = yes",
    `server signing = ${options.signingRequired === true ? "mandatory" : "default"}`,
    "store dos attributes = yes",
    "map archive = no",
    "kernel oplocks = no",
    "durable handles = yes",
    "map to guest = never",
    `passdb backend = tdbsam:${join(folder("private"), "passdb.tdb")}`,
    `lock directory = ${folder("lock")}`,
    `state directory = ${folder("state")}`,
    `cache directory = ${folder("cache")}`,
    `private dir = ${folder("private")}`,
    `pid directory = ${folder("pid")}`,
    `ncalrpc dir = ${folder("ncalrpc")}`,
    `log file = ${join(folder("log"), "log.%m")}`,
    "logging = file",
    "log level = 0",
    "max log size = 10000",
  ].join("\n");
}

/** The machine's own passwd and group files, with the test's accounts added. */
function writeUserFiles(folder: string, accounts: readonly Account[]): { passwd: string; group: string } {
  const passwd = join(folder, "passwd");
  const group = join(folder, "group");
  const keep = (file: string) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "" && !accounts.some((account) => line.startsWith(`${account.name}:`)));
  const lines = accounts.map((account, index) => ({ account, id: firstUserId + index }));
  writeFileSync(
    passwd,
    `${[...keep("/etc/passwd"), ...lines.map(({ account, id }) => `${account.name}:x:${id}:${id}::/nonexistent:/bin/false`)].join("\n")}\n`,
  );
  writeFileSync(
    group,
    `${[...keep("/etc/group"), ...lines.map(({ account, id }) => `${account.name}:x:${id}:`)].join("\n")}\n`,
  );
  return { passwd, group };
}

/** Starts smbd; the shares' folders are given to the first account. */
export async function startSamba(options: ServerOptions): Promise<RunningServer> {
  const missing = missingTools(["smbd", "smbpasswd", "unshare"]);
  if (missing.length > 0) throw new Error(`missing: ${missing.join(", ")}`);
  if (process.getuid?.() !== 0) throw new Error("a private smbd needs root");
  const accounts = options.accounts ?? [alice, bob];
  const base = join(options.workDir, "samba");
  const folder = (name: string) => join(base, name);
  mkdirSync(base, { recursive: true });
  for (const name of ["lock", "state", "cache", "private", "pid", "ncalrpc", "log"]) {
    mkdirSync(folder(name), { recursive: true, mode: 0o755 });
  }
  const port = options.port ?? (await freePort());
  const configFile = join(base, "smb.conf");
  const sections = options.shares.map((share) => sharesSection(share, options));
  writeFileSync(configFile, `${[globalSection(port, options, folder), ...sections].join("\n\n")}\n`);
  const { passwd, group } = writeUserFiles(base, accounts);
  for (const share of options.shares) {
    if (share.noAccess === true) chmodSync(share.path, 0);
    else {
      chownSync(share.path, firstUserId, firstUserId);
      chmodSync(share.path, 0o777);
    }
  }
  // A process-id namespace ends the helpers that smbd starts (samba-dcerpcd) together with it.
  const inNamespace = (script: string): string[] => [
    ...["--mount", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--", "sh", "-c"],
    `mount --bind ${passwd} /etc/passwd && mount --bind ${group} /etc/group && ${script}`,
  ];
  const addUsers = accounts.map(
    ({ name, password }) =>
      `printf '%s\\n%s\\n' '${password}' '${password}' | smbpasswd -c ${configFile} -L -s -a ${name}`,
  );
  await must("unshare", inNamespace(addUsers.join(" && ")));
  const logFile = join(base, "smbd.out");
  const smbd = findTool("smbd") ?? "smbd";
  const command = `exec ${smbd} --foreground --no-process-group --debug-stdout --configfile=${configFile}`;
  const daemon = start("unshare", inNamespace(command), logFile);
  try {
    await waitForPort(port, 20_000, daemon.alive);
  } catch (error) {
    await daemon.stop(0);
    throw new Error(
      `smbd: ${error instanceof Error ? error.message : String(error)}\n${readFileSync(logFile, "utf8")}`,
    );
  }
  const account = accounts[0] ?? alice;
  return { kind: "samba", port, pid: daemon.pid, account, logFile, alive: daemon.alive, stop: () => daemon.stop(0) };
}
