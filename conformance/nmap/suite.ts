// SPDX-License-Identifier: Apache-2.0
/** nmap's SMB2 scripts: what an unauthenticated scanner learns from NEGOTIATE. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { must } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { startServer } from "../lib/server.ts";

const scripts = ["smb-protocols", "smb2-capabilities", "smb2-security-mode", "smb2-time"];

export const nmapSuite = {
  name: "nmap",
  tools: ["nmap"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir } = context;
    const share = join(workDir, "share");
    mkdirSync(share);
    const server = await startServer(context.serverKind, {
      shares: [{ name: "data", path: share }],
      workDir: join(workDir, "server"),
    });
    try {
      const { stdout } = await must("nmap", [
        ...["-Pn", "-n", "-p", String(server.port), "--script", scripts.join(",")],
        ...["--script-args", `smbport=${server.port}`, "127.0.0.1"],
      ]);
      for (const [name, pattern] of [
        ["2.0.2", /2(02|:0:2|\.0\.2)/],
        ["2.1", /2(10|:1:0|\.1)/],
        ["3.0", /3(00|:0:0|\.0)/],
        ["3.0.2", /3(02|:0:2|\.0\.2)/],
        ["3.1.1", /3(11|:1:1|\.1\.1)/],
      ] as const) {
        await report.check(`nmap.dialect-${name}`, () => expect(pattern.test(stdout), `not offered\n${stdout}`));
      }
      await report.check("nmap.no-smb1", () => expect(!/NT LM 0\.12/.test(stdout), `SMB1 is offered\n${stdout}`));
      await report.check("nmap.security-mode", () =>
        expect(/Message signing enabled/i.test(stdout), `signing is not enabled\n${stdout}`),
      );
      await report.check("nmap.system-time", () => {
        const date = /date: (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)/.exec(stdout)?.[1];
        expect(date !== undefined, `no system time\n${stdout}`);
        const difference = Math.abs(Date.parse(`${date}Z`) - Date.now());
        expect(difference < 26 * 3_600_000, `the system time ${date} is wrong`);
      });
      await report.check("nmap.large-mtu", () => expect(/Multi-credit operations/i.test(stdout), stdout));
      await report.check("nmap.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
    }
  },
};
