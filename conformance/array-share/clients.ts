// SPDX-License-Identifier: Apache-2.0
/** Programs that know nothing of arrays, on a share that is on one. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { launchArray } from "../lib/array.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { smbclientOk } from "../lib/smbclient.ts";
import { type Row, readTable, writeTable } from "../lib/table.ts";
import { sha256, writeRandomFile } from "../lib/temp.ts";
import { listSuites, needsAdministrator, shareOf } from "../smbtorture/catalogue.ts";
import { executeSuite } from "../smbtorture/execute.ts";
import { Gateway, shareOn } from "./gateway.ts";

const MiB = 1024 * 1024;
const SHARE = "data";
const expectedFile = fileURLToPath(new URL("../smbtorture/expected.csv", import.meta.url));
const differenceFile = fileURLToPath(new URL("smbtorture.csv", import.meta.url));
const FILES = 2000;
/** Milliseconds for one suite of smbtorture. */
const TIME_LIMIT = 120_000;

async function smbclientCases({ report, workDir }: SuiteContext, gateway: Gateway): Promise<void> {
  const folder = join(workDir, "client");
  mkdirSync(folder, { recursive: true });
  const run = (commands: string) => smbclientOk(gateway.server, SHARE, `lcd ${folder}; ${commands}`);
  const local = (name: string) => join(folder, name);
  await report.check("array-share.smbclient.put-get", async () => {
    await writeRandomFile(local("large"), 150 * MiB + 321);
    await run("put large large; get large large.back");
    expect((await sha256(local("large"))) === (await sha256(local("large.back"))), "the file came back changed");
  });
  await report.check("array-share.smbclient.scopy", async () => {
    const before = await gateway.copied("copychunk", "array");
    await run("scopy large copy; get copy copy.back");
    expect((await sha256(local("large"))) === (await sha256(local("copy.back"))), "the copy is another file");
    const moved = (await gateway.copied("copychunk", "array")) - before;
    expect(moved >= 149 * MiB, `the array copied ${moved} bytes`);
  });
  await report.check("array-share.smbclient.streams", async () => {
    writeFileSync(local("stream"), "the content of a stream");
    await run("put stream small; put stream small:one; get small:one stream.back");
    expect((await sha256(local("stream"))) === (await sha256(local("stream.back"))), "the stream came back changed");
    const told = await run("allinfo small");
    expect(/stream: \[:one:\$DATA\], 23 bytes/.test(told), told);
  });
  await report.check("array-share.smbclient.names", async () => {
    await run(
      "mkdir d; mkdir d/e; put stream d/e/file; rename d/e/file d/other; rmdir d/e; setmode d/other +rh; ls d/other",
    );
    await run("setmode d/other -rh; rm d/other; rmdir d");
  });
  await report.check("array-share.smbclient.many-files", async () => {
    const many = local("many");
    mkdirSync(many);
    for (let index = 0; index < FILES; index += 1) writeFileSync(join(many, `file-${index}`), `${index}`);
    await run("recurse on; prompt off; mput many");
    const listing = await run("cd many; ls");
    expect((listing.match(/^ {2}file-\d+ /gm) ?? []).length === FILES, "files are missing in the listing");
    mkdirSync(local("back"));
    await run("recurse on; prompt off; lcd back; cd many; mget *");
    for (const index of [0, 999, FILES - 1]) {
      expect(existsSync(join(folder, "back", `file-${index}`)), `file-${index} did not come back`);
    }
    await run("deltree many");
  });
}

/** Suites whose results say something of the volume. */
const tortureSuites = ["smb2.read", "smb2.rw", "smb2.create", "smb2.streams", "smb2.ea", "smb2.ioctl", "smb2.dir"];

/** As on a folder, but for what is in the table of differences. */
async function torture({ report }: SuiteContext, gateway: Gateway, update: boolean): Promise<void> {
  const expected = readTable(expectedFile);
  const differences = readTable(differenceFile);
  const found: Row[] = [];
  for (const suite of (await listSuites()).filter(({ name }) => tortureSuites.includes(name))) {
    const only = suite.cases.filter((name) => !needsAdministrator(name));
    const results = await executeSuite(suite, { timeout: TIME_LIMIT, only, server: async () => gateway.server });
    for (const { name, status, detail } of results) {
      const difference = differences.get(name);
      const row = difference ?? expected.get(name);
      if (status !== expected.get(name)?.status) found.push({ name, status, text: difference?.text ?? detail });
      const title = `array-share.${name}`;
      if (row?.status !== status) report.add(title, "fail", `${status}, expected ${row?.status}\n${detail}`);
      else if (status === "pass") report.add(title, "pass");
      else report.add(title, "skip", `expected ${status}: ${row.text}`);
    }
  }
  if (update) writeTable(differenceFile, "case,expected,reason", found);
}

export async function clients(context: SuiteContext): Promise<void> {
  const folder = join(context.workDir, "clients");
  mkdirSync(folder, { recursive: true });
  const array = await launchArray(folder, 1, [
    "--identity",
    "clients",
    "--lun",
    `${join(folder, "lun0")}:2G,id=clients`,
  ]);
  const gateway = await Gateway.launch({
    folder: join(context.workDir, "gateway-clients"),
    shares: [{ ...shareOn(SHARE, array, 0), aliases: tortureSuites.map(shareOf) }],
  });
  try {
    await smbclientCases(context, gateway);
    await torture(context, gateway, context.args.includes("--update"));
    await gateway.stop();
    await context.report.check("array-share.sound-after-clients", async () => void (await gateway.check(SHARE)));
  } finally {
    await gateway.stop();
    await array.stop();
  }
}
