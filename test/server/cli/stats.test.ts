// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { describeStats, describeTokens } from "../../../src/server/cli/stats.ts";
import type { ServerStats } from "../../../src/server/control-messages.ts";

const NOTHING: ServerStats = {
  version: "1.2.3",
  pid: 7,
  started: 1_000_000,
  now: 1_000_000 + 93_600_000,
  connections: 1,
  sessions: 0,
  opens: 0,
  requests: 0,
  readBytes: 0,
  writtenBytes: 0,
  copies: [],
  refusals: [],
  tokens: { tokens: 0, bytes: 0, pins: 0, pinnedBytes: 0, preservedBytes: 0 },
  eventLoopDelay: { median: 0, p99: 0.0125, longest: 1.5 },
  residentBytes: 100 * 1024 ** 2,
};

describe("tessera stats", () => {
  it("tells of a server that has done nothing", () => {
    expect(describeStats(NOTHING).split("\n")).toEqual([
      "Server      Tessera 1.2.3, process 7, up 1 d 2 h",
      "Clients     1 connection, 0 sessions, 0 open files",
      "Requests    0",
      "Network     0 B read, 0 B written by clients",
      "Copies      0 B copied on the server, which did not cross the network",
      "Refused     no copy",
      "Tokens      none",
      "Event loop  held up for 0 ms (median), 12.5 ms (99 %), 1.5 s (longest)",
      "Memory      100 MiB",
      "",
    ]);
  });

  it("tells how much was copied by which way, what was refused and why, and what tokens hold", () => {
    const text = describeStats({
      ...NOTHING,
      requests: 1_234_567,
      copies: [
        { operation: "odx", way: "reflink", bytes: 3 * 1024 ** 4 },
        { operation: "copychunk", way: "kernel", bytes: 1024 ** 4 },
      ],
      refusals: [
        { operation: "odx", reason: "expired", count: 1 },
        { operation: "clone", reason: "STATUS_NOT_SUPPORTED", count: 1000 },
      ],
      tokens: { tokens: 2, bytes: 1024 ** 3, pins: 1, pinnedBytes: 1024 ** 2, preservedBytes: 8192 },
    });
    expect(text).toContain("Requests    1,234,567\n");
    expect(text).toContain(
      [
        "Copies      4 TiB copied on the server, which did not cross the network",
        "            odx by reflink: 3 TiB",
        "            copychunk by kernel: 1 TiB",
        "Refused     1,001 requests",
        "            odx, expired: 1",
        "            clone, STATUS_NOT_SUPPORTED: 1,000",
        "Tokens      2 held, which stand for 1 GiB",
        "            8 KiB of old data kept for them",
        "            1 pin file with 1 MiB",
        "",
      ].join("\n"),
    );
  });
});

describe("tessera tokens", () => {
  const token = {
    userName: "alice",
    client: "192.0.2.10",
    share: "data",
    file: "vm\\disk.vhdx",
    offset: 1024 ** 3,
    length: 256 * 1024 ** 2,
    pinned: true,
    issued: 0,
    expires: 300_000,
    inUse: false,
  };

  it("lists them", () => {
    const other = { ...token, pinned: false, inUse: true, file: "x", offset: 0 };
    expect(describeTokens({ now: 90_000, tokens: [token, other] }).split("\n")).toEqual([
      "AGE         ENDS IN     USER   CLIENT      KIND    OFFSET      LENGTH   FILE",
      "1 min 30 s  3 min 30 s  alice  192.0.2.10  pinned  1073741824  256 MiB  \\data\\vm\\disk.vhdx",
      "1 min 30 s  in use      alice  192.0.2.10  live    0           256 MiB  \\data\\x",
      "",
    ]);
    expect(describeTokens({ now: 0, tokens: [] })).toBe("No tokens are held.\n");
  });

  it("lets no name move the cursor", () => {
    const text = describeTokens({ now: 0, tokens: [{ ...token, file: "a\u001b[2Jb\nc" }] });
    expect(text).toContain("\\data\\a\\u001b[2Jb\\u000ac\n");
  });
});
