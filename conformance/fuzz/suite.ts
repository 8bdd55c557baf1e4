// SPDX-License-Identifier: Apache-2.0
/**
 * Conversation fuzzer: changed recordings and changed requests of a logged-on client against a running server. After
 * each batch the server must answer a new NEGOTIATE, be the same process, not have grown, and have logged no bug.
 */
import { randomBytes, randomInt } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { mountImage } from "../lib/image.ts";
import type { Suite, SuiteContext } from "../lib/report.ts";
import { type Account, alice, type RunningServer, startServer } from "../lib/server.ts";
import { loadConversations } from "./conversation.ts";
import { Player } from "./player.ts";
import { Random } from "./random.ts";
import { record } from "./record.ts";
import { NtlmConnector } from "./session.ts";
import { Watch } from "./watch.ts";
import type { Target } from "./wire.ts";

const usage = `options of the fuzz suite:
  --rounds N            rounds to play (10000)
  --minutes N           play until the time is up instead
  --seed N              choices to repeat (a new one, printed)
  --first N             round to begin with (0)
  --batch N             rounds between two looks at the server (100)
  --growth N            MiB that the server may grow after warming up (192)
  --corpus FOLDER       recordings: *.json and *.pcap (conformance/fuzz/corpus)
  --target HOST:PORT    a server that runs already, instead of starting one
  --pid N               its process, to be watched
  --user NAME:PASSWORD  account on it; without one, only recordings are played
  --share NAME          share on it (data)
  --record FOLDER       record smbclient into FOLDER instead of fuzzing
`;

/** Rounds after which the memory of the server counts as that of a warm one. */
const WARM_UP_ROUNDS = 1000;
/** Size of the share's file system, so that a changed size cannot fill the machine. */
const SHARE_MIB = 256;

interface Settings {
  readonly rounds: number;
  readonly deadline: number;
  readonly seed: number;
  readonly first: number;
  readonly batch: number;
  readonly growth: number;
  readonly corpus: string;
}

function parse(args: readonly string[]) {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: "string" },
      minutes: { type: "string" },
      seed: { type: "string" },
      first: { type: "string" },
      batch: { type: "string" },
      growth: { type: "string" },
      corpus: { type: "string" },
      target: { type: "string" },
      pid: { type: "string" },
      user: { type: "string" },
      share: { type: "string" },
      record: { type: "string" },
      help: { type: "boolean" },
    },
  });
  return values;
}

function natural(name: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d{1,10}$/.test(text)) throw new Error(`--${name} ${text} is no number`);
  return Number(text);
}

function parseTarget(text: string): Target {
  const match = /^(.+):(\d{1,5})$/.exec(text);
  if (match?.[1] === undefined) throw new Error(`--target ${text} is not HOST:PORT`);
  return { host: match[1], port: Number(match[2]) };
}

function parseAccount(text: string | undefined): Account | undefined {
  if (text === undefined) return undefined;
  const at = text.indexOf(":");
  if (at < 1) throw new Error("--user wants NAME:PASSWORD");
  return { name: text.slice(0, at), password: text.slice(at + 1) };
}

async function fuzz(context: SuiteContext, player: Player, watch: Watch, settings: Settings): Promise<void> {
  const { seed, batch } = settings;
  process.stdout.write(`# fuzz: seed ${seed}\n`);
  const started = performance.now();
  let round = settings.first;
  const end = settings.first + settings.rounds;
  let trouble = await watch.trouble();
  if (trouble !== undefined) throw new Error(`before the first round: ${trouble}`);
  while (trouble === undefined && round < end && performance.now() < settings.deadline) {
    const from = round;
    player.reset();
    for (; trouble === undefined && round < Math.min(from + batch, end); round += 1) {
      try {
        trouble = await player.play(Random.ofRound(seed, round), round);
      } catch (error) {
        trouble = error instanceof Error ? error.message : String(error);
      }
    }
    // The server's own state says more than what the client saw of it.
    trouble = (await watch.trouble()) ?? trouble;
    if (trouble !== undefined) {
      const again = `--seed ${seed} --first ${from} --rounds ${round - from}`;
      context.report.add("fuzz.rounds", "fail", `in rounds ${from} to ${round - 1}, again with ${again}:\n${trouble}`);
    } else if (!watch.hasBaseline && round - settings.first >= Math.min(WARM_UP_ROUNDS, settings.rounds / 2)) {
      watch.setBaseline();
    }
  }
  player.reset();
  if (trouble === undefined) context.report.add("fuzz.rounds", "pass");
  const { conversations, messages, logins, ended, refused } = player.tally;
  process.stdout.write(
    `# fuzz: ${round - settings.first} rounds in ${((performance.now() - started) / 1000).toFixed(0)} s, ` +
      `${conversations} conversations, ${messages} messages, ${logins} logons, ${ended} connections ended, ` +
      `${refused} rounds without an open; ` +
      `memory ${watch.memory}\n`,
  );
}

/** A folder to share: on a small file system of its own where we may mount one. */
async function makeShare(workDir: string): Promise<{ path: string; release: () => Promise<void> }> {
  const path = join(workDir, "share");
  if (process.getuid?.() === 0) {
    try {
      const image = await mountImage("ext4", workDir, SHARE_MIB);
      return { path: image.path, release: image.unmount };
    } catch (error) {
      process.stdout.write(`# fuzz: no file system of its own: ${error instanceof Error ? error.message : error}\n`);
    }
  }
  mkdirSync(path);
  return { path, release: async () => {} };
}

async function runFuzz(context: SuiteContext): Promise<void> {
  const values = parse(context.args);
  if (values.help === true) {
    process.stdout.write(usage);
    return;
  }
  const minutes = natural("minutes", values.minutes, 0);
  const settings: Settings = {
    rounds: minutes > 0 ? Number.MAX_SAFE_INTEGER / 2 : natural("rounds", values.rounds, 10_000),
    deadline: minutes > 0 ? performance.now() + minutes * 60_000 : Number.POSITIVE_INFINITY,
    seed: natural("seed", values.seed, randomInt(2 ** 32)),
    first: natural("first", values.first, 0),
    batch: Math.max(1, natural("batch", values.batch, 100)),
    growth: natural("growth", values.growth, 192),
    corpus: values.corpus ?? fileURLToPath(new URL("./corpus", import.meta.url)),
  };
  const share = values.share ?? "data";
  const play = async (target: Target, account: Account | undefined, pid: number | undefined, logFile?: string) => {
    const connector = account === undefined ? undefined : new NtlmConnector(account, share, () => randomBytes(16));
    const player = new Player(target, loadConversations(settings.corpus), connector);
    await fuzz(context, player, new Watch({ target, pid, logFile, growthLimit: settings.growth }), settings);
  };
  if (values.target !== undefined) {
    const pid = values.pid === undefined ? undefined : natural("pid", values.pid, 0);
    await play(parseTarget(values.target), parseAccount(values.user), pid);
    return;
  }
  const folder = await makeShare(context.workDir);
  let server: RunningServer | undefined;
  try {
    server = await startServer(context.serverKind, {
      shares: [{ name: share, path: folder.path }],
      workDir: join(context.workDir, "server"),
    });
    if (values.record !== undefined) {
      await record(server, share, context.workDir, values.record);
      context.report.add("fuzz.record", "pass");
      return;
    }
    const logFile = server.kind === "tessera" ? server.logFile : undefined;
    await play({ host: "127.0.0.1", port: server.port }, alice, server.pid, logFile);
  } finally {
    await server?.stop();
    await folder.release();
  }
}

export const fuzzSuite: Suite = { name: "fuzz", tools: [], run: runFuzz };
