// SPDX-License-Identifier: Apache-2.0

import { COPY_OPERATIONS } from "../../offload/operations.ts";
import type { Config, OffloadConfig, ShareConfig } from "./schema.ts";
import { formatDuration, formatHostPort, formatSize, isLoopback } from "./units.ts";

/** What a configuration means, a few lines for its author. */
export function describeConfig({ server, offload, shares }: Config): string {
  const lines = [
    `Listens on ${server.listen.map(formatHostPort).join(", ")}.`,
    `Shares: ${shares.map(describeShare).join(", ") || "none"}.`,
    ...describeOffload(offload),
  ];
  if (server.metrics !== undefined) {
    const { listen } = server.metrics;
    const openness = isLoopback(listen.host) ? "" : ", for everybody who reaches that address";
    lines.push(`Metrics on ${formatHostPort(listen)}${openness}.`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function describeShare({ name, readOnly, offload }: ShareConfig): string {
  const notes = [
    ...(readOnly ? ["read-only"] : []),
    ...COPY_OPERATIONS.filter((operation) => !offload[operation]).map((operation) => `no ${operation}`),
  ];
  return notes.length === 0 ? name : `${name} (${notes.join(", ")})`;
}

const SCOPES: Readonly<Record<OffloadConfig["tokenScope"], string>> = {
  user: "the user who asked for them",
  server: "everybody who has them, on this server",
  cluster: "everybody who has them, on every server with the key",
};

function describeOffload({ tokenScope, keyFiles, timeToLive, limits, logInterval }: OffloadConfig): readonly string[] {
  const { tokens, tokensPerSession, tokenBytes, preservedBytes, bytesPerCall, timePerCall } = limits;
  const keys =
    keyFiles.length === 0
      ? "under a key that ends with the process"
      : `under the key of ${keyFiles[0]}${keyFiles.length > 1 ? `, opened by ${keyFiles.length} keys` : ""}`;
  const times = [timeToLive.default, timeToLive.minimum, timeToLive.maximum].map(formatDuration);
  return [
    `Tokens: for ${SCOPES[tokenScope]}, ${keys}; they end ${times[0]} after their last use (clients choose ${times[1]} to ${times[2]}).`,
    `At most ${tokens} tokens, ${tokensPerSession} for a session, for ${formatSize(tokenBytes)} in all; ${formatSize(preservedBytes)} of old data are kept for them.`,
    `One request copies at most ${formatSize(bytesPerCall)}, for ${formatDuration(timePerCall)}. ` +
      (logInterval === 0 ? "Copies are not logged." : `Copies are logged every ${formatDuration(logInterval)}.`),
  ];
}
