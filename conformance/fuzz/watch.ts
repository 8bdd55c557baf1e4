// SPDX-License-Identifier: Apache-2.0
/** Whether the server is well: it answers, it is the same process, it does not grow, and it logs no bug. */
import { closeSync, openSync, readSync, statSync } from "node:fs";
import { peekCommand, peekStatus } from "../../src/smb2/wire/header.ts";
import { memoryKiB } from "../lib/server.ts";
import { buildNegotiate } from "./session.ts";
import { type Target, Wire } from "./wire.ts";

/** An answer to NEGOTIATE takes no longer than this, in milliseconds. */
const NEGOTIATE_LIMIT = 1000;

export interface WatchOptions {
  readonly target: Target;
  /** Process of the server; without it neither the process nor its memory is watched. */
  readonly pid: number | undefined;
  /** Its log, when its lines can be read. */
  readonly logFile: string | undefined;
  /** Growth over the memory after warming up, in MiB, that is a leak. */
  readonly growthLimit: number;
}

/** Log lines of bugs: of the JSON log and of the log for people. */
const BUG_LINE = /"level":"(?:error|fatal)"|^\S+ (?:ERROR|FATAL) /m;

export class Watch {
  readonly #options: WatchOptions;
  #baseline: number | undefined;
  #highest = 0;
  #logRead = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  /** Takes the memory of now as that of a warm server. */
  setBaseline(): void {
    if (this.#options.pid !== undefined) this.#baseline = memoryKiB(this.#options.pid);
  }

  get hasBaseline(): boolean {
    return this.#baseline !== undefined || this.#options.pid === undefined;
  }

  /** For the summary: memory after warming up, and the highest since, in MiB. */
  get memory(): string {
    if (this.#baseline === undefined) return "not watched";
    return `${Math.round(this.#baseline / 1024)} MiB warm, ${Math.round(this.#highest / 1024)} MiB at most`;
  }

  /** What is wrong, or `undefined`. */
  async trouble(): Promise<string | undefined> {
    const { pid } = this.#options;
    if (pid !== undefined && !isRunning(pid)) return `process ${pid} has ended${this.#bugs() ?? ""}`;
    const bugs = this.#bugs();
    if (bugs !== undefined) return `the server logged a bug:\n${bugs}`;
    const negotiate = await this.#negotiate();
    if (negotiate !== undefined) return negotiate;
    if (pid !== undefined && this.#baseline !== undefined) {
      const memory = memoryKiB(pid);
      this.#highest = Math.max(this.#highest, memory);
      if (memory - this.#baseline > this.#options.growthLimit * 1024) {
        return `memory grew from ${this.#baseline} KiB to ${memory} KiB`;
      }
    }
    return undefined;
  }

  async #negotiate(): Promise<string | undefined> {
    const started = performance.now();
    let wire: Wire | undefined;
    try {
      wire = await Wire.open(this.#options.target, undefined, NEGOTIATE_LIMIT);
      const answer = await wire.exchange(buildNegotiate(Buffer.alloc(16, 1)), 0n, NEGOTIATE_LIMIT);
      if (answer.kind !== "answer") return `NEGOTIATE of a new connection: ${answer.kind}`;
      if (peekCommand(answer.message) !== 0 || peekStatus(answer.message) !== 0) {
        return `NEGOTIATE of a new connection: status 0x${peekStatus(answer.message).toString(16)}`;
      }
      const elapsed = performance.now() - started;
      return elapsed > NEGOTIATE_LIMIT ? `NEGOTIATE took ${Math.round(elapsed)} ms` : undefined;
    } catch (error) {
      return `no new connection: ${error instanceof Error ? error.message : String(error)}`;
    } finally {
      wire?.destroy();
    }
  }

  /** New lines of the log from the first bug on. */
  #bugs(): string | undefined {
    const { logFile } = this.#options;
    if (logFile === undefined) return undefined;
    const size = statSync(logFile).size;
    if (size <= this.#logRead) return undefined;
    const buffer = Buffer.alloc(Math.min(size - this.#logRead, 1 << 20));
    const file = openSync(logFile, "r");
    try {
      this.#logRead += readSync(file, buffer, 0, buffer.length, this.#logRead);
    } finally {
      closeSync(file);
    }
    const text = buffer.toString("utf8");
    const at = text.search(BUG_LINE);
    return at < 0 ? undefined : text.slice(at, at + 4000);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
