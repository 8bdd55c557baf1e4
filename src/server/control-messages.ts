// SPDX-License-Identifier: Apache-2.0

import path from "node:path";
import { z } from "zod";

/** What a running server tells on its control socket, as JSON. Sizes are bytes, points in time milliseconds since 1970. */

const bytes = z.number();
const count = z.int();

export const statsSchema = z.object({
  version: z.string(),
  pid: count,
  started: count,
  now: count,
  connections: count,
  sessions: count,
  opens: count,
  requests: count,
  readBytes: bytes,
  writtenBytes: bytes,
  copies: z.array(z.object({ operation: z.string(), way: z.string(), bytes })),
  refusals: z.array(z.object({ operation: z.string(), reason: z.string(), count })),
  tokens: z.object({ tokens: count, bytes, pins: count, pinnedBytes: bytes, preservedBytes: bytes }),
  /** Seconds, since the start or since the metrics were collected last. */
  eventLoopDelay: z.object({ median: z.number(), p99: z.number(), longest: z.number() }),
  residentBytes: bytes,
});

export const tokensSchema = z.object({
  now: count,
  tokens: z.array(
    z.object({
      userName: z.string(),
      client: z.string(),
      share: z.string(),
      file: z.string(),
      offset: bytes,
      length: bytes,
      pinned: z.boolean(),
      issued: count,
      expires: count,
      inUse: z.boolean(),
    }),
  ),
});

export type ServerStats = z.output<typeof statsSchema>;
export type TokenList = z.output<typeof tokensSchema>;

/** Where a server listens for questions about itself. */
export function controlSocketOf(stateDirectory: string): string {
  return path.join(stateDirectory, "control.sock");
}
