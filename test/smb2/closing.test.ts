// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../src/nt/status.ts";
import { CreateDisposition, CreateOption } from "../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import { ServerHarness, settle, statusOf } from "../support/server-harness.ts";
import { Gate, slowVolume } from "../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../support/smb-client.ts";
import { ClientError, type Reply } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";

interface Handles {
  readonly tree: SmbTree;
  readonly file: SmbFile;
  readonly directory: SmbFile;
}

/** Requests and the call of the volume that they wait in. */
const operations: readonly [string, string, (handles: Handles) => Promise<Reply>][] = [
  ["READ", "read", ({ file }) => file.exchange(requests.read(file.fileId, 0, 5))],
  ["WRITE", "write", ({ file }) => file.exchange(requests.write(file.fileId, 0, Buffer.from("x")))],
  ["FLUSH", "flush", ({ file }) => file.exchange(requests.flush(file.fileId))],
  ["CLOSE", "stat", ({ file }) => file.exchange(requests.close(file.fileId, 1))],
  ["CREATE", "open", ({ tree }) => tree.exchange(requests.create("file"))],
  ["CREATE", "stat", ({ tree }) => tree.exchange(requests.create("file"))],
  ["CREATE", "security", ({ tree }) => tree.exchange(requests.create("file"))],
  ["CREATE", "openStream", ({ tree }) => tree.exchange(requests.create("other"))],
  [
    "CREATE of a stream",
    "createStream",
    ({ tree }) => tree.exchange(requests.create("file:new", { createDisposition: 2 })),
  ],
  ["CREATE of a file", "create", ({ tree }) => tree.exchange(requests.create("new", { createDisposition: 2 }))],
  [
    "CREATE that overwrites",
    "setEndOfFile",
    ({ tree }) => tree.exchange(requests.create("other", { createDisposition: 5 })),
  ],
  [
    "QUERY_DIRECTORY",
    "next",
    ({ directory }) => directory.exchange(requests.queryDirectory(directory.fileId, { fileInformationClass: 37 })),
  ],
  [
    "QUERY_DIRECTORY",
    "readDirectory",
    ({ directory }) => directory.exchange(requests.queryDirectory(directory.fileId, { fileInformationClass: 37 })),
  ],
  [
    "QUERY_INFO",
    "stat",
    ({ file }) => file.exchange(requests.queryInfo(file.fileId, FileInformationClass.FileBasicInformation)),
  ],
  [
    "SET_INFO",
    "setBasic",
    ({ file }) => {
      const basic = Buffer.alloc(40);
      basic.writeUInt32LE(2, 32);
      return file.exchange(requests.setInfo(file.fileId, FileInformationClass.FileBasicInformation, basic));
    },
  ],
  [
    "IOCTL",
    "setSparse",
    ({ file }) => file.exchange(requests.ioctl(Fsctl.SET_SPARSE, file.fileId, { input: Buffer.from([1]) })),
  ],
];

const endings: readonly [string, (handles: Handles) => Promise<unknown>][] = [
  ["the handle", async ({ file, directory }) => Promise.all([file.close(), directory.close()])],
  ["the tree connect", ({ tree }) => tree.disconnect()],
  ["the session", ({ tree }) => tree.session.logOff()],
  ["the connection", async ({ tree }) => tree.session.connection.close()],
];

describe("while a volume takes its time", () => {
  let gate: Gate;
  let harness: ServerHarness;
  let handles: Handles;

  beforeEach(async () => {
    gate = new Gate();
    harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const tree = await harness.mount();
    await tree.put("file", "content");
    await tree.put("other", "content");
    handles = { tree, file: await tree.create("file"), directory: await tree.create("") };
  });

  /** Nothing is left of whatever went on, and all files can be had alone. */
  const expectClean = async () => {
    await settle();
    expect(harness.errors).toEqual([]);
    handles.tree.session.connection.close();
    await settle();
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
    expect(gate.open).toBe(0);
    const again = await harness.mount();
    for (const name of ["file", "other"]) {
      expect(statusName(await again.tryCreate(name, { shareAccess: 0 }))).toBe("STATUS_SUCCESS");
    }
  };

  for (const [ending, end] of endings) {
    it.each(operations)(`%s may find, behind the volume's %s, ${ending} gone`, async (_, method, operate) => {
      gate.hold(method);
      const answer = operate(handles).catch((error: unknown) => error);
      await gate.arrival(method);
      // The end itself may wait in the volume as well.
      const ended = end(handles).catch((error: unknown) => error);
      await settle();
      gate.release();
      const result = await answer;
      await ended;
      const gone = result instanceof ClientError;
      expect(gone).toBe(ending === "the connection");
      await expectClean();
    });
  }

  it.each(operations)("%s that waits in %s ends with the server", async (_, method, operate) => {
    gate.hold(method);
    const answer = operate(handles).catch((error: unknown) => error);
    await gate.arrival(method);
    const down = harness.server.shutdown();
    await settle();
    gate.release();
    await Promise.all([down, answer]);
    await settle();
    expect(harness.server.connections.size).toBe(0);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
    expect(gate.open).toBe(0);
    expect(harness.errors).toEqual([]);
  });

  it("a CREATE whose tree has gone opens nothing", async () => {
    gate.hold("security");
    const answer = handles.tree.exchange(requests.create("other", { shareAccess: 0 }));
    await gate.arrival("security");
    const disconnected = handles.tree.disconnect();
    gate.release();
    await disconnected;
    expect(statusName((await answer).status)).not.toBe("STATUS_SUCCESS");
    await expectClean();
  });

  it("two CREATEs that share nothing do not both succeed", async () => {
    gate.hold("stat");
    const request = { shareAccess: 0 };
    const answers = [0, 1, 2].map(() => handles.tree.exchange(requests.create("other", request)));
    await gate.arrival("stat");
    await settle();
    gate.release();
    const statuses = (await Promise.all(answers)).map(({ status }) => statusName(status)).sort();
    expect(statuses).toEqual(["STATUS_SHARING_VIOLATION", "STATUS_SHARING_VIOLATION", "STATUS_SUCCESS"]);
    await expectClean();
  });

  it("two CREATEs of one name make one file", async () => {
    gate.hold("create");
    const request = { createDisposition: CreateDisposition.OPEN_IF };
    const answers = [0, 1].map(() => handles.tree.exchange(requests.create("twin", request)));
    await gate.arrival("create");
    await settle();
    gate.release();
    const replies = await Promise.all(answers);
    expect(replies.map(({ status }) => status)).toEqual([0, 0]);
    expect(replies.map(({ message }) => message.readUInt32LE(68)).sort()).toEqual([1, 2]);
    await expectClean();
  });

  it("a name that is being deleted cannot be opened, and is free when it is gone", async () => {
    const doomed = await handles.tree.create("other", { createOptions: CreateOption.DELETE_ON_CLOSE });
    gate.hold("unlink");
    const closed = doomed.close();
    await gate.arrival("unlink");
    expect(await statusOf(handles.tree.create("other"))).toBe("STATUS_DELETE_PENDING");
    gate.release();
    await closed;
    expect(await statusOf(handles.tree.create("other"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    await handles.tree.put("other", "again");
    await expectClean();
  });

  it("a second CLOSE finds the handle closed", async () => {
    gate.hold("stat");
    const { file } = handles;
    const first = file.exchange(requests.close(file.fileId, 1));
    await gate.arrival("stat");
    const second = file.exchange(requests.close(file.fileId));
    await settle();
    gate.release();
    const statuses = (await Promise.all([first, second])).map(({ status }) => statusName(status));
    expect(statuses).toContain("STATUS_SUCCESS");
    await expectClean();
  });

  it("answers requests in the order in which they are done, and all of them", async () => {
    gate.hold("read");
    const { file } = handles;
    const slow = file.exchange(requests.read(file.fileId, 0, 3));
    const quick = await file.exchange(requests.echo());
    expect(quick.status).toBe(0);
    gate.release();
    expect((await slow).status).toBe(0);
  });
});
