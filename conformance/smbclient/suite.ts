// SPDX-License-Identifier: Apache-2.0
/** Debian's smbclient: every dialect with every protection, data compared by hash, metadata, refusals. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { SuiteContext } from "../lib/report.ts";
import { expect } from "../lib/report.ts";
import { type RunningServer, startServer } from "../lib/server.ts";
import { type Dialect, dialects, type Protection, protections, smbclientOk } from "../lib/smbclient.ts";
import { sha256, writeRandomFile } from "../lib/temp.ts";
import { metadataCases } from "./metadata.ts";
import { refusalCases } from "./refusals.ts";

const transferBytes = 100 * 1024 * 1024;

export interface SmbclientFixture {
  readonly server: RunningServer;
  /** The folder behind the share `data`. */
  readonly shareDir: string;
  /** A folder of the client's. */
  readonly localDir: string;
}

async function transferCases(
  context: SuiteContext,
  fixture: SmbclientFixture,
  source: { path: string; hash: string },
  dialect: Dialect,
  protection: Protection,
): Promise<void> {
  const { server, shareDir, localDir } = fixture;
  const { report } = context;
  const options = { dialect, protection, cwd: localDir };
  const name = `smbclient.${dialect}.${protection}`;
  const file = `${dialect}-${protection}.bin`;
  await report.check(`${name}.put-100MiB`, async () => {
    await smbclientOk(server, "data", `put ${source.path} ${file}`, options);
    expect((await sha256(join(shareDir, file))) === source.hash, "the data on the server differ from what was sent");
  });
  await report.check(`${name}.get-100MiB`, async () => {
    await smbclientOk(server, "data", `get ${file} received.bin`, options);
    expect(
      (await sha256(join(localDir, "received.bin"))) === source.hash,
      "the data received differ from the original",
    );
  });
  await report.check(`${name}.scopy`, async () => {
    await smbclientOk(server, "data", `scopy ${file} copy.bin`, options);
    expect((await sha256(join(shareDir, "copy.bin"))) === source.hash, "the copy differs from its source");
  });
  await report.check(`${name}.files-and-folders`, async () => {
    const commands = [
      ...["mkdir folder", "mkdir folder\\inner", `rename copy.bin folder\\moved.bin`, "ls folder\\*"],
      ...["del folder\\moved.bin", "rmdir folder\\inner", "rmdir folder", `del ${file}`],
    ];
    const output = await smbclientOk(server, "data", commands.join(";"), options);
    expect(output.includes("moved.bin") && output.includes("inner"), `the listing lacks an entry:\n${output}`);
    const left = await smbclientOk(server, "data", "ls", options);
    expect(!left.includes("folder") && !left.includes(file), `something was not deleted:\n${left}`);
  });
}

export const smbclientSuite = {
  name: "smbclient",
  tools: ["smbclient", "setfattr"],
  run: async (context: SuiteContext): Promise<void> => {
    const shareDir = join(context.workDir, "share");
    const localDir = join(context.workDir, "local");
    mkdirSync(shareDir);
    mkdirSync(localDir);
    const server = await startServer(context.serverKind, {
      shares: [{ name: "data", path: shareDir }],
      workDir: join(context.workDir, "server"),
    });
    try {
      const fixture = { server, shareDir, localDir };
      const path = join(localDir, "source.bin");
      await writeRandomFile(path, transferBytes);
      const source = { path, hash: await sha256(path) };
      for (const dialect of dialects) {
        for (const protection of protections(dialect)) {
          await transferCases(context, fixture, source, dialect, protection);
        }
      }
      await metadataCases(context.report, fixture);
      await refusalCases(context.report, fixture);
      await context.report.check("smbclient.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
    }
  },
};
