// SPDX-License-Identifier: Apache-2.0
/** Records the conversations that the fuzzer starts from: smbclient, dialect by dialect, through a recording proxy. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRecordingProxy } from "../lib/pcap.ts";
import { run } from "../lib/process.ts";
import type { RunningServer } from "../lib/server.ts";
import { type Dialect, type Protection, smbclient, smbclientArgs } from "../lib/smbclient.ts";
import { conversationsOfPcap, saveConversation } from "./conversation.ts";

const commands = [
  "put small.txt one.txt",
  "ls",
  "allinfo one.txt",
  "mkdir folder",
  "scopy one.txt folder\\two.txt",
  "rename one.txt folder\\three.txt",
  "setmode folder\\three.txt +h",
  "get folder\\two.txt back.txt",
  "put small.txt folder\\two.txt:stream",
  "ls folder\\*",
  "volume",
  "notify nowhere",
  "deltree folder",
].join(";");

/** An old, a newer and the newest dialect, the last of them signed and encrypted. */
const recordings: readonly (readonly [Dialect, Protection])[] = [
  ["SMB2_02", "off"],
  ["SMB3_02", "off"],
  ["SMB3_11", "sign"],
  ["SMB3_11", "encrypt"],
];

/** Records into `folder`, with files made in `workDir`. */
export async function record(server: RunningServer, share: string, workDir: string, folder: string): Promise<void> {
  writeFileSync(join(workDir, "small.txt"), "The quick brown fox jumps over the lazy dog.\n".repeat(10));
  for (const [dialect, protection] of recordings) {
    const name = `${dialect.toLowerCase().replaceAll("_", "-")}-${protection}`;
    const file = join(workDir, `${name}.pcap`);
    const proxy = await startRecordingProxy(server.port, file);
    const options = {
      dialect,
      protection,
      port: proxy.port,
      cwd: workDir,
      // The machine's own name is nobody's business.
      extra: ["--netbiosname=CLIENT", "--workgroup=WORKGROUP"],
    };
    try {
      await run("smbclient", ["-L", "127.0.0.1", ...smbclientArgs(server, options)]);
      await smbclient(server, share, commands, options);
    } finally {
      await proxy.stop();
    }
    for (const conversation of conversationsOfPcap(name, readFileSync(file))) saveConversation(folder, conversation);
  }
}
