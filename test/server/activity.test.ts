// SPDX-License-Identifier: Apache-2.0

import { beforeEach, expect, it } from "vitest";
import { Access } from "../../src/nt/access-mask.ts";
import { listOpenFiles, listSessions } from "../../src/server/activity.ts";
import { cut, durable, mountAs } from "../support/durable-client.ts";
import { ServerHarness } from "../support/server-harness.ts";

let harness: ServerHarness;

beforeEach(async () => {
  harness = await ServerHarness.start();
});

it("lists sessions with how long they have been there", async () => {
  const { server, clock } = harness;
  const tree = await harness.mount();
  await tree.createFile("file");
  clock.advance(5000);
  await tree.tryCreate("other");
  clock.advance(2000);
  const session = { userName: "Alice", guest: false, opens: 1, connectedFor: 7000, idleFor: 2000 };
  expect(listSessions(server, clock.now())).toEqual([{ client: expect.stringMatching(/^192\.0\.2\./), ...session }]);
  await tree.session.logOff();
  expect(listSessions(server, clock.now())).toEqual([]);
});

it("lists what is open, also for clients that are cut off", async () => {
  const tree = await mountAs(harness, 1);
  await tree.mkdir("dir");
  await tree.create("dir", { desiredAccess: Access.LIST_DIRECTORY });
  const file = await tree.createFile("dir\\file", durable.v1());
  await file.lock(0, 1);
  await tree.createFile("dir\\file:stream", { desiredAccess: Access.APPEND_DATA | Access.WRITE_DAC });
  await (await tree.session.treeConnect("IPC$")).create("srvsvc");
  const userName = "Alice";
  const everything = 0x7f;
  expect(listOpenFiles(harness.server)).toEqual([
    { id: expect.any(Number), permissions: 0x01, locks: 0, path: "C:\\data\\dir", userName },
    { id: expect.any(Number), permissions: everything, locks: 1, path: "C:\\data\\dir\\file", userName },
    { id: expect.any(Number), permissions: 0x44, locks: 0, path: "C:\\data\\dir\\file:stream", userName },
    { id: expect.any(Number), permissions: everything, locks: 0, path: "\\PIPE\\srvsvc", userName },
  ]);
  await cut(tree);
  expect(listOpenFiles(harness.server)).toMatchObject([{ path: "C:\\data\\dir\\file", locks: 1, userName: "" }]);
});
