// SPDX-License-Identifier: Apache-2.0
/** Child processes with a time limit, and a clean-up that also runs when the run is interrupted. */
import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";

export interface RunOptions {
  /** Milliseconds; the process group is killed afterwards. Default: 120,000. */
  readonly timeout?: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

export interface RunResult {
  /** Exit status; 128 + signal number is not computed: a killed process has -1. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** stdout and stderr in order of arrival. */
  readonly output: string;
  readonly timedOut: boolean;
  /** Wall time in milliseconds. */
  readonly elapsed: number;
}

type Cleanup = () => void;
const cleanups = new Set<Cleanup>();

/** Registers a synchronous clean-up that runs if the program ends before `release` is called. */
export function onExit(cleanup: Cleanup): () => void {
  cleanups.add(cleanup);
  return () => {
    cleanups.delete(cleanup);
  };
}

function cleanUpAll(): void {
  for (const cleanup of [...cleanups].reverse()) {
    cleanups.delete(cleanup);
    try {
      cleanup();
    } catch (error) {
      process.stderr.write(`clean-up: ${error instanceof Error ? error.message : String(error)}\n`);
    }
  }
}

process.once("exit", cleanUpAll);
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.once(signal, () => process.exit(130));
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
}

/** Runs a command to its end. A command that cannot be started rejects; any exit status resolves. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const spawnOptions: SpawnOptions = {
      detached: true,
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      env: { ...process.env, LC_ALL: "C.UTF-8", ...options.env },
    };
    if (options.cwd !== undefined) spawnOptions.cwd = options.cwd;
    const child = spawn(command, [...args], spawnOptions);
    const release = onExit(() => killGroup(child, "SIGKILL"));
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const all: Buffer[] = [];
    let timedOut = false;
    child.stdout?.on("data", (chunk: Buffer) => {
      out.push(chunk);
      all.push(chunk);
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      err.push(chunk);
      all.push(chunk);
    });
    const timer = setTimeout(() => {
      timedOut = true;
      killGroup(child, "SIGKILL");
    }, options.timeout ?? 120_000);
    child.once("error", (error) => {
      clearTimeout(timer);
      release();
      reject(error);
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      release();
      const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString("utf8");
      resolve({
        status: code ?? -1,
        stdout: text(out),
        stderr: text(err),
        output: text(all),
        timedOut,
        elapsed: performance.now() - started,
      });
    });
    if (options.input !== undefined) child.stdin?.end(options.input);
  });
}

/** Like `run`, but any exit status other than 0, and a time-out, is an error that shows the output. */
export async function must(command: string, args: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const result = await run(command, args, options);
  if (result.status !== 0 || result.timedOut) {
    const why = result.timedOut ? "timed out" : `exit status ${result.status}`;
    throw new Error(`${command} ${args.join(" ")}: ${why}\n${result.output.slice(-4000)}`);
  }
  return result;
}

/** Runs a command and ignores what becomes of it: for clean-ups. */
export function attemptSync(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, [...args], { stdio: "ignore" });
  } catch {
    // A clean-up of something that is gone already.
  }
}

export interface Daemon {
  readonly pid: number;
  /** True until the process has ended. */
  readonly alive: () => boolean;
  /** SIGTERM, then SIGKILL for the group after `graceMs`; resolves with the exit status, -1 when killed. */
  readonly stop: (graceMs?: number) => Promise<number>;
}

/** Starts a long-running process in a process group of its own, its output appended to `logFile`. */
export function start(
  command: string,
  args: readonly string[],
  logFile: string,
  env: Readonly<Record<string, string>> = {},
): Daemon {
  const log = openSync(logFile, "a");
  const child = spawn(command, [...args], {
    detached: true,
    stdio: ["ignore", log, log],
    env: { ...process.env, ...env },
  });
  closeSync(log);
  let ended = false;
  const release = onExit(() => killGroup(child, "SIGKILL"));
  const exit = new Promise<number>((resolve) => {
    child.once("error", () => {
      ended = true;
      resolve(-1);
    });
    child.once("exit", (code) => {
      ended = true;
      resolve(code ?? -1);
    });
  });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${command}: cannot be started`);
  return {
    pid,
    alive: () => !ended,
    stop: async (graceMs = 5000) => {
      if (!ended) {
        child.kill("SIGTERM");
        const timer = setTimeout(() => killGroup(child, "SIGKILL"), graceMs);
        await exit;
        clearTimeout(timer);
      }
      killGroup(child, "SIGKILL");
      release();
      return exit;
    },
  };
}
