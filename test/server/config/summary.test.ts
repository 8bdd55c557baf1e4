// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { parseConfig } from "../../../src/server/config/load.ts";
import { describeConfig } from "../../../src/server/config/summary.ts";

const describeText = (text: string) => describeConfig(parseConfig(text, "t.yaml"));

it("says what a configuration means", () => {
  const text = describeText(
    [
      "server: { listen: ['[::1]:4445', 10.0.0.1], metrics: { listen: 0.0.0.0:9445 } }",
      "offload: { tokenScope: cluster, keyFiles: [/etc/a, /etc/b], logInterval: 0 }",
      "shares:",
      "  - { name: a, path: /a }",
      "  - { name: b, path: /b, readOnly: true, offload: { clone: false, odx: false } }",
    ].join("\n"),
  );
  expect(text.split("\n")).toEqual([
    "Listens on [::1]:4445, 10.0.0.1:445.",
    "Shares: a, b (read-only, no odx, no clone).",
    "Tokens: for everybody who has them, on every server with the key, under the key of /etc/a, opened by 2 keys; " +
      "they end 5 min after their last use (clients choose 30 s to 1 h).",
    "At most 4096 tokens, 512 for a session, for 64 TiB in all; 256 MiB of old data are kept for them.",
    "One request copies at most 256 MiB, for 3 s. Copies are not logged.",
    "Metrics on 0.0.0.0:9445, for everybody who reaches that address.",
    "",
  ]);
});

it("does not worry about metrics that nobody else can reach", () => {
  const text = describeText("server: { metrics: {} }");
  expect(text).toContain("Shares: none.\n");
  expect(text).toContain("Metrics on 127.0.0.1:9445.\n");
  expect(text).toContain("under a key that ends with the process; ");
});
