// SPDX-License-Identifier: Apache-2.0
/** The server under test: the built `dist/cli.js` on a free port. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { must, start } from "./process.ts";
import { type Account, alice, bob, type RunningServer, type ServerOptions, type ShareSpec } from "./server.ts";
import { freePort, waitForPort } from "./temp.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

const isPlain = (share: ShareSpec) =>
  share.encrypt !== true &&
  share.hideUnreadable !== true &&
  share.hiddenNames === undefined &&
  share.continuousAvailability !== true;

/** What the command line cannot say, as a configuration file; undefined where nothing is left to say. */
function configuration(options: ServerOptions, usersFile: string | undefined): string | undefined {
  const shares = options.shares.filter((share) => !isPlain(share));
  const { limits } = options;
  const special =
    options.signingRequired === true ||
    options.allowAnonymous === true ||
    usersFile !== undefined ||
    limits !== undefined;
  if (shares.length === 0 && !special) return undefined;
  // JSON is YAML.
  return JSON.stringify({
    server: {
      signing: options.signingRequired === true ? "required" : "enabled",
      allowAnonymous: options.allowAnonymous === true,
      ...(usersFile === undefined ? {} : { usersFile }),
      ...(limits === undefined ? {} : { limits }),
    },
    shares: shares.map(({ name, path, encrypt, hideUnreadable, hiddenNames, continuousAvailability }) => ({
      name,
      path,
      encrypt: encrypt === true ? "required" : "off",
      hideUnreadable: hideUnreadable === true,
      hiddenNames: hiddenNames ?? [],
      continuousAvailability: continuousAvailability === true,
    })),
  });
}

/** The accounts in a users file, where one of them is an administrator: those of the command line never are. */
async function usersFileFor(accounts: readonly Account[], workDir: string): Promise<string | undefined> {
  if (!accounts.some(({ admin }) => admin === true)) return undefined;
  const file = join(workDir, "users.json");
  for (const { name, password, admin } of accounts) {
    const flags = admin === true ? ["--admin"] : [];
    await must(process.execPath, [cli, "user", "add", name, ...flags, "--users-file", file], {
      input: `${password}\n`,
    });
  }
  return file;
}

/** Starts `tessera serve`, with all it can on the command line, as a newcomer would. */
export async function startTessera(options: ServerOptions): Promise<RunningServer> {
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run `npm run build` first");
  const accounts = options.accounts ?? [alice, bob];
  const port = options.port ?? (await freePort());
  mkdirSync(options.workDir, { recursive: true });
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--log-level", "warn"];
  for (const share of options.shares) {
    chmodSync(share.path, share.noAccess === true ? 0 : 0o777);
    if (isPlain(share)) args.push("--share", `${share.name}=${share.path}`);
  }
  const usersFile = await usersFileFor(accounts, options.workDir);
  if (usersFile === undefined) {
    for (const { name, password } of accounts) args.push("--user", `${name}:${password}`);
  }
  const config = configuration(options, usersFile);
  if (config !== undefined) {
    const file = join(options.workDir, "tessera.yaml");
    writeFileSync(file, config);
    args.push("--config", file);
  }
  const logFile = join(options.workDir, "tessera.out");
  const env = { ...options.env, XDG_STATE_HOME: join(options.workDir, "state") };
  const daemon = start(process.execPath, [...(options.nodeArguments ?? []), cli, ...args], logFile, env);
  try {
    await waitForPort(port, 20_000, daemon.alive);
  } catch (error) {
    await daemon.stop(0);
    throw new Error(
      `tessera: ${error instanceof Error ? error.message : String(error)}\n${readFileSync(logFile, "utf8")}`,
    );
  }
  const account = accounts[0] ?? alice;
  return { kind: "tessera", port, pid: daemon.pid, account, logFile, alive: daemon.alive, stop: () => daemon.stop() };
}
