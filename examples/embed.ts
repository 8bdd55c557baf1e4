// SPDX-License-Identifier: Apache-2.0

/**
 * An SMB server inside of another program: one share on a folder, one in memory.
 *
 *     npx tsx examples/embed.ts /srv/data
 *     smbclient -p 4455 -U alice%secret1 //127.0.0.1/data
 *
 * Outside of this repository the import reads `from "tessera-smb"`.
 */

import { MemoryVolume, PosixVolume, Server } from "../src/index.ts";

const folder = process.argv[2] ?? ".";
const data = await PosixVolume.open({ root: folder });
const scratch = new MemoryVolume({ label: "scratch" });

const server = new Server({
  listen: "127.0.0.1:4455",
  users: [
    { name: "alice", password: "secret1" },
    { name: "bob", password: "secret2" },
  ],
  shares: [
    { name: "data", volume: data, users: { readWrite: ["alice"], readOnly: ["*"] } },
    { name: "scratch", volume: scratch, comment: "Gone when the program ends" },
  ],
});

await server.listen();
for (const { host, port } of server.addresses) {
  console.log(`Listening on ${host}:${port}`);
}

process.once("SIGINT", () => process.emit("SIGTERM"));
process.once("SIGTERM", async () => {
  await server.close();
  await Promise.all([data.close(), scratch.close()]);
});
