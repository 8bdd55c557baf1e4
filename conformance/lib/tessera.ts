// SPDX-License-Identifier: Apache-2.0
/** The server under test: the built `dist/cli.js` on a free port. */
import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { start } from "./process.ts";
import { alice, bob, type RunningServer, type ServerOptions } from "./server.ts";
import { freePort, waitForPort } from "./temp.ts";

const cli = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** Starts `tessera serve` with everything on the command line, as a newcomer would. */
export async function startTessera(options: ServerOptions): Promise<RunningServer> {
  if (!existsSync(cli)) throw new Error("dist/cli.js is missing: run `npm run build` first");
  const accounts = options.accounts ?? [alice, bob];
  const port = await freePort();
  mkdirSync(options.workDir, { recursive: true });
  const args = ["serve", "--listen", `127.0.0.1:${port}`, "--log-level", "warn"];
  for (const share of options.shares) {
    chmodSync(share.path, share.noAccess === true ? 0 : 0o777);
    args.push("--share", `${share.name}=${share.path}`);
  }
  for (const { name, password } of accounts) args.push("--user", `${name}:${password}`);
  const logFile = join(options.workDir, "tessera.out");
  const daemon = start(process.execPath, [cli, ...args], logFile);
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
