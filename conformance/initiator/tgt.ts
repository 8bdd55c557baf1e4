// SPDX-License-Identifier: Apache-2.0
/** tgt, the target of Debian that runs in user space. */
import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, run, start } from "../lib/process.ts";
import { delay, freePort, waitForPort } from "../lib/temp.ts";

export interface TgtTarget {
  readonly name: string;
  /** The file behind LUN 1. */
  readonly file: string;
}

export interface TgtAccount {
  readonly user: string;
  readonly password: string;
}

export interface Tgt {
  readonly port: number;
  /** A second portal of the same portal group. */
  readonly otherPort: number;
  /** Adds a target with one LUN, number 1; parameters are text keys, accounts those who may log in, or prove themselves. */
  addTarget(options: {
    readonly topic: string;
    readonly bytes: number;
    readonly parameters?: Readonly<Record<string, string>>;
    readonly incoming?: TgtAccount;
    readonly outgoing?: TgtAccount;
  }): Promise<TgtTarget>;
  stop(): Promise<void>;
}

/** Numbers that tgtadm knows daemons by; one for each process, so that two runs do not meet. */
const controlPort = () => 1000 + (process.pid % 30_000);

export async function startTgt(workDir: string): Promise<Tgt> {
  const port = await freePort();
  const otherPort = await freePort();
  const control = String(controlPort());
  const daemon = start(
    "tgtd",
    ["-f", "-C", control, "--iscsi", `portal=127.0.0.1:${port},portal=127.0.0.1:${otherPort}`],
    join(workDir, "tgtd.log"),
  );
  const admin = (...args: readonly string[]) => must("tgtadm", ["-C", control, "--lld", "iscsi", ...args]);
  const system = (...args: readonly string[]) => run("tgtadm", ["-C", control, ...args]);
  try {
    await waitForPort(port, 10_000, daemon.alive);
    for (let tries = 0; (await system("--op", "show", "--mode", "system")).status !== 0; tries++) {
      if (tries === 50) throw new Error("tgtd does not answer tgtadm");
      await delay(100);
    }
  } catch (error) {
    await daemon.stop();
    throw error;
  }
  let targets = 0;
  return {
    port,
    otherPort,
    addTarget: async ({ topic, bytes, parameters = {}, incoming, outgoing }) => {
      targets += 1;
      const tid = String(targets);
      const name = `iqn.2026-01.test:${topic}`;
      const file = join(workDir, `${topic}.img`);
      writeFileSync(file, "");
      truncateSync(file, bytes);
      await admin("--op", "new", "--mode", "target", "--tid", tid, "-T", name);
      await admin("--op", "new", "--mode", "logicalunit", "--tid", tid, "--lun", "1", "-b", file);
      for (const [key, value] of Object.entries(parameters)) {
        await admin("--op", "update", "--mode", "target", "--tid", tid, "-n", key, "-v", value);
      }
      for (const [account, flags] of [
        [incoming, []],
        [outgoing, ["--outgoing"]],
      ] as const) {
        if (account === undefined) continue;
        const { user, password } = account;
        await admin("--op", "new", "--mode", "account", "--user", user, "--password", password);
        await admin("--op", "bind", "--mode", "account", "--tid", tid, "--user", user, ...flags);
      }
      await admin("--op", "bind", "--mode", "target", "--tid", tid, "-I", "ALL");
      return { name, file };
    },
    stop: async () => {
      for (let tid = 1; tid <= targets; tid++) {
        await run("tgtadm", [
          "-C",
          control,
          "--lld",
          "iscsi",
          "--op",
          "delete",
          "--force",
          "--mode",
          "target",
          "--tid",
          String(tid),
        ]);
      }
      await system("--op", "delete", "--mode", "system");
      await daemon.stop(2000);
    },
  };
}
