// SPDX-License-Identifier: Apache-2.0
/** The server under test: the built `dist/cli.js` on a free port. */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./process.ts";
import { alice, bob, type RunningServer, type ServerOptions, type ShareSpec } from "./server.ts";
import { freePort, waitForPort } from "./temp.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

const isPlain = (share: ShareSpec) => share.encrypt !== true && share.hideUnreadable !== true;

/** What the command line cannot say, as a configuration file; undefined where nothing is left to say. */
function configuration(options: ServerOptions): string | undefined {
  const shares = options.shares.filter((share) => !isPlain(share));
  if (shares.length === 0 && options.signingRequired !== true && options.allowAnonymous !== true) return undefined;
  // JSON is YAML.
  return JSON.stringify({
    server: {
      signing: options.signingRequired === true ? "required" : "enabled",
      allowAnonymous: options.allowAnonymous === true,
    },
    shares: shares.map(({ name, path, encrypt, hideUnreadable }) => ({
      name,
      path,
      encrypt: encrypt === true ? "required" : "off",
      hideUnreadable: hideUnreadable === true,
    })),
  });
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
  for (const { name, password } of accounts) args.push("--user", `${name}:${password}`);
  const config = configuration(options);
  if (config !== undefined) {
    const file = join(options.workDir, "tessera.yaml");
    writeFileSync(file, config);
    args.push("--config", file);
  }
  const logFile = join(options.workDir, "tessera.out");
  const daemon = start(process.execPath, [cli, ...args], logFile, { XDG_STATE_HOME: join(options.workDir, "state") });
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
