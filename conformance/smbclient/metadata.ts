// SPDX-License-Identifier: Apache-2.0
/** Names, attributes, streams, times, listings, as smbclient shows them. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, run } from "../lib/process.ts";
import { expect, type Report } from "../lib/report.ts";
import { smbclientArgs, smbclientOk } from "../lib/smbclient.ts";
import type { SmbclientFixture } from "./suite.ts";

const listedFiles = 20_000;

function attributesOf(allinfo: string): string {
  return /^attributes:\s*(\S*)/m.exec(allinfo)?.[1] ?? "";
}

export async function metadataCases(report: Report, fixture: SmbclientFixture): Promise<void> {
  const { server, shareDir, localDir } = fixture;
  const options = { cwd: localDir };
  const client = (commands: string) => smbclientOk(server, "data", commands, options);
  writeFileSync(join(localDir, "small.txt"), "seventeen bytes.\n");

  await report.check("smbclient.list-shares", async () => {
    const result = await must("smbclient", ["-L", "127.0.0.1", ...smbclientArgs(server)]);
    expect(/^\s*data\s+Disk/m.test(result.stdout), `the share data is not listed:\n${result.output}`);
    expect(/^\s*IPC\$\s+IPC/m.test(result.stdout), `IPC$ is not listed:\n${result.output}`);
  });

  await report.check("smbclient.list-shares-grepable-encrypted", async () => {
    const result = await must("smbclient", [
      "-g",
      "-L",
      "127.0.0.1",
      ...smbclientArgs(server, { protection: "encrypt" }),
    ]);
    expect(result.stdout.includes("Disk|data|"), `the share data is not listed:\n${result.output}`);
  });

  await report.check("smbclient.allinfo", async () => {
    const output = await client("put small.txt info.txt; allinfo info.txt");
    for (const line of [
      "create_time:",
      "access_time:",
      "write_time:",
      "change_time:",
      "attributes:",
      "stream: [::$DATA]",
    ]) {
      expect(output.includes(line), `allinfo lacks ${line}\n${output}`);
    }
    expect(/stream: \[::\$DATA\], 17 bytes/.test(output), `wrong size of the data stream\n${output}`);
    const year = new RegExp(`write_time:.* ${new Date().getFullYear()}`);
    expect(year.test(output), `the write time is not of this year\n${output}`);
  });

  await report.check("smbclient.attributes", async () => {
    const set = await client("put small.txt attr.txt; setmode attr.txt +rhs; allinfo attr.txt");
    expect(attributesOf(set).includes("R") && attributesOf(set).includes("H") && attributesOf(set).includes("S"), set);
    const cleared = await client("setmode attr.txt -rhs; allinfo attr.txt");
    expect(!/[RHS]/.test(attributesOf(cleared)), `attributes were not cleared\n${cleared}`);
    await client("del attr.txt");
  });

  await report.check("smbclient.times", async () => {
    const output = await client(
      'put small.txt time.txt; utimes time.txt "2020:01:02-03:04:05" -1 "2021:02:03-04:05:06" -1; allinfo time.txt; del time.txt',
    );
    expect(/create_time:.*2020/.test(output), `the creation time was not set\n${output}`);
    expect(/write_time:.*2021/.test(output), `the write time was not set\n${output}`);
  });

  await report.check("smbclient.streams", async () => {
    const text = "the content of a named stream\n";
    writeFileSync(join(localDir, "stream.txt"), text);
    const commands = [
      ...["put small.txt host.txt", "put stream.txt host.txt:notes", "put small.txt host.txt:second"],
      ...["get host.txt:notes stream.out", "get host.txt host.out", "allinfo host.txt"],
    ];
    const output = await client(commands.join(";"));
    expect(readFileSync(join(localDir, "stream.out"), "utf8") === text, "the stream's content differs");
    expect(readFileSync(join(localDir, "host.out"), "utf8") === "seventeen bytes.\n", "the file's own content changed");
    expect(output.includes(`stream: [:notes:$DATA], ${text.length} bytes`), `the stream is not listed\n${output}`);
    expect(output.includes("stream: [:second:$DATA]"), `the second stream is not listed\n${output}`);
    // smbclient deletes only what a listing shows, so streams go with their file here.
    await client("del host.txt");
    expect(!(await client("ls")).includes("host.txt"), "the file with streams was not deleted");
  });

  await report.check("smbclient.stream-on-folder", async () => {
    const output = await client(
      "mkdir marked; put small.txt marked:mark; allinfo marked; get marked:mark mark.out; rmdir marked",
    );
    expect(output.includes("stream: [:mark:$DATA], 17 bytes"), output);
    expect(readFileSync(join(localDir, "mark.out"), "utf8") === "seventeen bytes.\n", "the stream's content differs");
  });

  await report.check("smbclient.unicode-names", async () => {
    const names = ["größe.txt", "日本語.txt", "naïve café.txt", "𝄞 clef.txt", "смета.txt"];
    for (const name of names) await client(`put small.txt "${name}"`);
    const listing = await client("ls");
    for (const name of names) expect(listing.includes(name), `${name} is not listed\n${listing}`);
    for (const name of names) {
      expect(
        readFileSync(join(shareDir, name), "utf8") === "seventeen bytes.\n",
        `${name} is not on the disk by that name`,
      );
      await client(`get "${name}" name.out; del "${name}"`);
    }
  });

  await report.check("smbclient.names-without-regard-to-case", async () => {
    await client('put small.txt "MixedCase.txt"; get "mixedcase.TXT" case.out');
    const listing = await client("ls mixed*");
    expect(listing.includes("MixedCase.txt"), `the case was not preserved\n${listing}`);
    await client("del MIXEDCASE.TXT");
  });

  await report.check("smbclient.deep-folders", async () => {
    const parts = Array.from({ length: 20 }, (_, index) => `level-${index}`);
    const paths = parts.map((_, index) => parts.slice(0, index + 1).join("\\"));
    const deepest = paths[paths.length - 1] ?? "";
    const make = paths.map((path) => `mkdir ${path}`);
    const output = await client([...make, `put small.txt ${deepest}\\leaf.txt`, `ls ${deepest}\\*`].join(";"));
    expect(output.includes("leaf.txt"), output);
    await client("deltree level-0");
    expect(!(await client("ls")).includes("level-0"), "deltree left something");
  });

  await report.check("smbclient.resumed-get", async () => {
    const text = "0123456789".repeat(10_000);
    writeFileSync(join(localDir, "whole.txt"), text);
    writeFileSync(join(localDir, "part.txt"), text.slice(0, 12_345));
    // reput of smbclient 4.17 writes the rest of the file at offset 0: a defect of the client.
    await client("put whole.txt whole-remote.txt; reget whole-remote.txt part.txt; del whole-remote.txt");
    expect(readFileSync(join(localDir, "part.txt"), "utf8") === text, "reget gave other data");
  });

  await report.check("smbclient.free-space", async () => {
    const output = await client("du; volume");
    const blocks = /(\d+) blocks of size (\d+)\. (\d+) blocks available/.exec(await client("ls info.txt"));
    expect(blocks !== null && Number(blocks[1]) > 0 && Number(blocks[3]) > 0, `no free space is reported\n${output}`);
    expect(/Volume: \|.*\| serial number 0x[0-9a-f]+/i.test(output), `no volume information\n${output}`);
  });

  await report.check("smbclient.security-descriptor", async () => {
    const output = await client("showacls; ls info.txt");
    expect(/owner:|OWNER|revision:/i.test(output), `no descriptor is shown\n${output.slice(0, 2000)}`);
  });

  await report.check("smbclient.hard-link", async () => {
    const result = await run("smbclient", [
      ...[
        "//127.0.0.1/data",
        ...smbclientArgs(server),
        "-c",
        "hardlink info.txt linked.txt; allinfo linked.txt; del linked.txt",
      ],
    ]);
    expect(/17 bytes/.test(result.output), result.output);
  });

  await report.check("smbclient.list-20000-files", async () => {
    const folder = join(shareDir, "many");
    mkdirSync(folder, { mode: 0o777 });
    for (let index = 0; index < listedFiles; index += 1) {
      writeFileSync(join(folder, `file-${String(index).padStart(5, "0")}.txt`), "");
    }
    const listing = await client("cd many; ls");
    const seen = new Set(listing.match(/file-\d{5}\.txt/g) ?? []);
    const lines = listing.split("\n").filter((line) => line.includes("file-"));
    expect(seen.size === listedFiles, `${seen.size} different names of ${listedFiles} were listed`);
    expect(lines.length === listedFiles, `${lines.length} lines for ${listedFiles} files`);
    const some = await client("cd many; ls *-0012?.txt");
    expect((some.match(/file-0012\d\.txt/g) ?? []).length === 10, `the pattern did not select ten files\n${some}`);
  });
}
