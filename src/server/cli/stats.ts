// SPDX-License-Identifier: Apache-2.0

import { existsSync } from "node:fs";
import { defaultConfig, loadConfig } from "../config/load.ts";
import { formatDuration, formatSize } from "../config/units.ts";
import { askServer } from "../control-client.ts";
import { controlSocketOf, type ServerStats, statsSchema, type TokenList, tokensSchema } from "../control-messages.ts";
import { stateDirectoryOf } from "../service.ts";
import { columns } from "./columns.ts";
import { DEFAULT_CONFIG_FILE } from "./serve-options.ts";

export interface AskOptions {
  readonly config?: string;
  readonly json?: boolean;
}

/** The control socket of the server that the options mean. */
async function controlSocket({ config }: AskOptions): Promise<string> {
  const file = config ?? (existsSync(DEFAULT_CONFIG_FILE) ? DEFAULT_CONFIG_FILE : undefined);
  return controlSocketOf(stateDirectoryOf((file === undefined ? defaultConfig() : await loadConfig(file)).server));
}

/** `tessera stats`: what a running server does and has done. */
export async function showStats(options: AskOptions): Promise<void> {
  const stats = await askServer(await controlSocket(options), "/stats", statsSchema);
  process.stdout.write(options.json === true ? json(stats) : describeStats(stats));
}

/** `tessera tokens`: the tokens of offloaded copies that a running server honours. */
export async function showTokens(options: AskOptions): Promise<void> {
  const list = await askServer(await controlSocket(options), "/tokens", tokensSchema);
  process.stdout.write(options.json === true ? json(list) : describeTokens(list));
}

const json = (value: object) => `${JSON.stringify(value, undefined, 2)}\n`;

const number = (value: number) => value.toLocaleString("en-US");

const plural = (value: number, noun: string) => `${number(value)} ${noun}${value === 1 ? "" : "s"}`;

export function describeStats(stats: ServerStats): string {
  const { copies, refusals, tokens, eventLoopDelay } = stats;
  const seconds = (value: number) => formatDuration(value * 1000);
  const copied = copies.reduce((sum, { bytes }) => sum + bytes, 0);
  const refused = refusals.reduce((sum, { count }) => sum + count, 0);
  return columns([
    ["Server", `Tessera ${stats.version}, process ${stats.pid}, up ${formatDuration(stats.now - stats.started)}`],
    [
      "Clients",
      `${plural(stats.connections, "connection")}, ${plural(stats.sessions, "session")}, ${plural(stats.opens, "open file")}`,
    ],
    ["Requests", number(stats.requests)],
    ["Network", `${formatSize(stats.readBytes)} read, ${formatSize(stats.writtenBytes)} written by clients`],
    ["Copies", `${formatSize(copied)} copied on the server, which did not cross the network`],
    ...copies.map(({ operation, way, bytes }) => ["", `${operation} by ${way}: ${formatSize(bytes)}`]),
    ["Refused", refused === 0 ? "no copy" : plural(refused, "request")],
    ...refusals.map(({ operation, reason, count }) => ["", `${operation}, ${reason}: ${number(count)}`]),
    [
      "Tokens",
      tokens.tokens === 0 ? "none" : `${number(tokens.tokens)} held, which stand for ${formatSize(tokens.bytes)}`,
    ],
    ...(tokens.preservedBytes === 0 ? [] : [["", `${formatSize(tokens.preservedBytes)} of old data kept for them`]]),
    ...(tokens.pins === 0 ? [] : [["", `${plural(tokens.pins, "pin file")} with ${formatSize(tokens.pinnedBytes)}`]]),
    [
      "Event loop",
      `held up for ${seconds(eventLoopDelay.median)} (median), ${seconds(eventLoopDelay.p99)} (99 %), ${seconds(eventLoopDelay.longest)} (longest)`,
    ],
    ["Memory", formatSize(stats.residentBytes)],
  ]);
}

export function describeTokens({ now, tokens }: TokenList): string {
  if (tokens.length === 0) return "No tokens are held.\n";
  return columns([
    ["AGE", "ENDS IN", "USER", "CLIENT", "KIND", "OFFSET", "LENGTH", "FILE"],
    ...tokens.map((token) => [
      formatDuration(now - token.issued),
      token.inUse ? "in use" : formatDuration(Math.max(0, token.expires - now)),
      token.userName,
      token.client,
      token.pinned ? "pinned" : "live",
      String(token.offset),
      formatSize(token.length),
      `\\${token.share}\\${token.file}`,
    ]),
  ]);
}
