// SPDX-License-Identifier: Apache-2.0
/** What a result has to be read with: the machine, its programs, and what was measured. */
import { cpus, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { run } from "../conformance/lib/process.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

async function firstLine(command: string, args: readonly string[]): Promise<string> {
  try {
    const { status, stdout } = await run(command, args, { cwd: root });
    return status === 0 ? (stdout.split("\n", 1)[0] ?? "").trim() : "unknown";
  } catch {
    return "not installed";
  }
}

export async function describeMachine() {
  const status = await run("git", ["status", "--porcelain", "--untracked-files=no"], { cwd: root });
  return {
    processors: cpus().length,
    processor: cpus()[0]?.model ?? "unknown",
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    openssl: process.versions.openssl,
    samba: (await firstLine("smbd", ["--version"])).replace(/^Version /, ""),
    rclone: await firstLine("rclone", ["version"]),
    commit: await firstLine("git", ["rev-parse", "HEAD"]),
    /** Whether files differ from the commit. */
    changed: status.stdout.trim() !== "",
  };
}

export type Machine = Awaited<ReturnType<typeof describeMachine>>;

export function inWords({ processors, processor, kernel, node, samba, commit, changed }: Machine): string {
  const what = `${commit.slice(0, 12)}${changed ? " with changes" : ""}`;
  return `${processors} × ${processor}, Linux ${kernel}, Node ${node}, Samba ${samba}, Tessera at ${what}`;
}
