// SPDX-License-Identifier: Apache-2.0
/** CPU profiles of Tessera, one for each measurement, and where the time went. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { RunningServer } from "../conformance/lib/server.ts";
import { delay } from "../conformance/lib/temp.ts";

const hook = new URL("./profile-hook.mjs", import.meta.url);
const root = fileURLToPath(new URL("..", import.meta.url));
/** Lines of the list of functions. */
const LINES = 40;

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds from one sample to the next. */
  readonly timeDeltas: readonly number[];
}

/** Takes profiles of one server into a folder: `NAME.cpuprofile` for DevTools and `NAME.txt` to read. */
export class Profiler {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
  }

  get #file(): string {
    return join(this.#folder, "current.cpuprofile");
  }

  /** What the server has to be started with. */
  get nodeArguments(): readonly string[] {
    return ["--import", hook.href];
  }

  get env(): Readonly<Record<string, string>> {
    return { TESSERA_PROFILE: this.#file };
  }

  async during<T>(server: RunningServer, name: string, body: () => Promise<T>): Promise<T> {
    process.kill(server.pid, "SIGUSR2");
    const result = await body();
    process.kill(server.pid, "SIGUSR2");
    while (!existsSync(this.#file)) {
      if (!server.alive()) throw new Error("the server ended while it was profiled");
      await delay(20);
    }
    const base = join(this.#folder, name.replace(/[^A-Za-z0-9]+/g, "-"));
    renameSync(this.#file, `${base}.cpuprofile`);
    const profile = JSON.parse(readFileSync(`${base}.cpuprofile`, "utf8")) as CpuProfile;
    writeFileSync(`${base}.txt`, selfTimes(profile));
    return result;
  }
}

/** The functions that the processor was in, by the time in themselves. What is idle does not count. */
function selfTimes({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, describe(callFrame)]));
  const times = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const name = names.get(id) ?? "?";
    if (name === "(idle)") return;
    const time = timeDeltas[index] ?? 0;
    total += time;
    times.set(name, (times.get(name) ?? 0) + time);
  });
  const lines = [...times]
    .sort(([, one], [, other]) => other - one)
    .slice(0, LINES)
    .map(
      ([name, time]) =>
        `${((100 * time) / total).toFixed(1).padStart(5)} %  ${(time / 1000).toFixed(0).padStart(6)} ms  ${name}`,
    );
  return `${(total / 1000).toFixed(0)} ms in all\n${lines.join("\n")}\n`;
}

function describe({ functionName, url, lineNumber }: ProfileNode["callFrame"]): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  if (url === "") return name;
  const place = url.startsWith(pathToFileURL(root).href) ? relative(root, fileURLToPath(url)) : url;
  return `${name}  ${place}:${lineNumber + 1}`;
}
