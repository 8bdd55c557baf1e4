// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../src/nt/access-mask.ts";
import { statusName } from "../../src/nt/status.ts";
import { CreateDisposition, LockFlag, OplockLevel } from "../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import { type Choose, everyInterleaving } from "../support/interleavings.ts";
import { ServerHarness, settle } from "../support/server-harness.ts";
import { Gate, slowVolume } from "../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../support/smb-client.ts";
import type { Call } from "../support/smb-connection.ts";
import { requests } from "../support/smb-requests.ts";

/** Calls of a volume that may answer later. */
const METHODS = [
  ...["open", "create", "rename", "link", "unlink", "space", "stat", "setBasic", "security", "setSecurity"],
  ...["extendedAttributes", "setExtendedAttributes", "streams", "openStream", "createStream", "removeStream"],
  ...["renameStream", "readDirectory", "isEmpty", "next", "size", "read", "write", "setEndOfFile", "setAllocation"],
  ...["setSparse", "zero", "allocatedRanges", "flush", "close"],
];

interface Handles {
  readonly tree: SmbTree;
  readonly file: SmbFile;
  readonly directory: SmbFile;
  /** Of another client: a lock on the file, and a batch oplock on "cached". */
  readonly other: SmbTree;
  readonly locked: SmbFile;
  readonly cached: SmbFile;
}

interface Operation {
  readonly name: string;
  readonly begin: (handles: Handles) => Call;
  /** What another client does, at some time. */
  readonly meanwhile?: (handles: Handles) => Promise<unknown>;
  /** Calls of the volume that wait, where all of them would give too many interleavings. */
  readonly holds?: readonly string[];
}

const Class = FileInformationClass;
/** Behind what is read and written. */
const LOCK = { offset: 100n, length: 1n, flags: LockFlag.EXCLUSIVE_LOCK };
const u64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32LE(value);
  return bytes;
};
const basic = Buffer.alloc(40).fill(2, 32, 33);
const rename = (name: string) => {
  const text = Buffer.from(name, "utf16le");
  const info = Buffer.alloc(20 + text.length);
  info.writeUInt32LE(text.length, 16);
  text.copy(info, 20);
  return info;
};

const operations: readonly Operation[] = [
  { name: "CREATE", begin: ({ tree }) => tree.submit(requests.create("other")) },
  {
    name: "CREATE of a file",
    begin: ({ tree }) => tree.submit(requests.create("new", { createDisposition: CreateDisposition.CREATE })),
  },
  {
    name: "CREATE that overwrites",
    begin: ({ tree }) => tree.submit(requests.create("other", { createDisposition: CreateDisposition.OVERWRITE })),
  },
  {
    name: "CREATE of a stream, with an oplock",
    begin: ({ tree }) =>
      tree.submit(
        requests.create("other:stream", {
          createDisposition: CreateDisposition.OPEN_IF,
          requestedOplockLevel: OplockLevel.BATCH,
        }),
      ),
  },
  {
    name: "CREATE that waits for an oplock break",
    begin: ({ tree }) => tree.submit(requests.create("cached")),
    meanwhile: ({ cached }) => cached.close(),
    holds: ["open", "security"],
  },
  { name: "READ", begin: ({ file }) => file.submit(requests.read(file.fileId, 0, 5)) },
  { name: "WRITE", begin: ({ file }) => file.submit(requests.write(file.fileId, 0, Buffer.from("x"))) },
  { name: "FLUSH", begin: ({ file }) => file.submit(requests.flush(file.fileId)) },
  { name: "CLOSE", begin: ({ file }) => file.submit(requests.close(file.fileId, 1)) },
  {
    name: "LOCK",
    begin: ({ file }) => file.submit(requests.lock(file.fileId, [LOCK])),
    meanwhile: ({ locked }) => locked.close(),
  },
  {
    name: "QUERY_DIRECTORY",
    begin: ({ directory }) => directory.submit(requests.queryDirectory(directory.fileId, { fileInformationClass: 37 })),
  },
  {
    name: "CHANGE_NOTIFY",
    begin: ({ directory }) => directory.submit(requests.changeNotify(directory.fileId, 0xfff)),
    meanwhile: ({ other }) => other.put("change", ""),
  },
  {
    name: "QUERY_INFO",
    begin: ({ file }) => file.submit(requests.queryInfo(file.fileId, Class.FileAllInformation)),
  },
  {
    name: "QUERY_INFO of streams",
    begin: ({ file }) => file.submit(requests.queryInfo(file.fileId, Class.FileStreamInformation)),
  },
  {
    name: "SET_INFO of attributes",
    begin: ({ file }) => file.submit(requests.setInfo(file.fileId, Class.FileBasicInformation, basic)),
  },
  {
    name: "SET_INFO of the size",
    begin: ({ file }) => file.submit(requests.setInfo(file.fileId, Class.FileEndOfFileInformation, u64(3))),
  },
  {
    name: "SET_INFO of the name",
    begin: ({ file }) => file.submit(requests.setInfo(file.fileId, Class.FileRenameInformation, rename("moved"))),
  },
  {
    name: "SET_INFO of the disposition",
    begin: ({ file }) => file.submit(requests.setInfo(file.fileId, Class.FileDispositionInformation, Buffer.of(1))),
  },
  {
    name: "IOCTL",
    begin: ({ file }) => file.submit(requests.ioctl(Fsctl.SET_SPARSE, file.fileId, { input: Buffer.of(1) })),
  },
];

/** How things end while a request runs. */
const endings: readonly [string, (handles: Handles, call: Call, harness: ServerHarness) => Promise<unknown>][] = [
  ["the handle closes", async ({ file, directory }) => Promise.all([file.close(), directory.close()])],
  ["the tree connect ends", ({ tree }) => tree.disconnect()],
  ["the client logs off", ({ tree }) => tree.session.logOff()],
  ["the server ends the session", (_, __, { server }) => server.endSessions(({ userName }) => userName === "Alice")],
  ["the client cancels", async ({ tree }, call) => tree.session.connection.cancel(call)],
  ["the connection is lost", async ({ tree }) => tree.session.connection.close()],
];

/** What an answer may say besides success. */
const REFUSALS = new Set([
  "STATUS_CANCELLED",
  "STATUS_FILE_CLOSED",
  "STATUS_NETWORK_NAME_DELETED",
  "STATUS_USER_SESSION_DELETED",
  "STATUS_NOTIFY_CLEANUP",
  "STATUS_NOTIFY_ENUM_DIR",
  "STATUS_RANGE_NOT_LOCKED",
]);

describe("whatever happens while a volume takes its time", () => {
  let gate: Gate;
  let harness: ServerHarness;
  let memory: MemoryVolume;

  beforeEach(async () => {
    gate = new Gate();
    memory = new MemoryVolume();
    harness = await ServerHarness.start({ volume: slowVolume(memory, gate) });
  });

  const prepare = async (): Promise<Handles> => {
    const tree = await harness.mount();
    const other = await harness.mount("data", { account: { userName: "Bob", password: "Пароль-2" } });
    for (const name of ["file", "other", "cached"]) await tree.put(name, "content");
    const locked = await other.create("file");
    await locked.exchange(requests.lock(locked.fileId, [LOCK]));
    return {
      tree,
      file: await tree.create("file"),
      directory: await tree.create("", { desiredAccess: Access.LIST_DIRECTORY }),
      other,
      locked,
      cached: await other.create("cached", { requestedOplockLevel: OplockLevel.BATCH }),
    };
  };

  const run = async (choose: Choose, operation: Operation, ending: (typeof endings)[number]): Promise<void> => {
    const [name, end] = ending;
    const handles = await prepare();
    const { connection } = handles.tree.session;
    // A credit for each request, so that none may be lost or given away.
    connection.creditsAsked = 1;
    const { credits } = connection;
    const { begin, meanwhile } = operation;
    for (const method of operation.holds ?? METHODS) gate.hold(method);
    const call = begin(handles);
    const answered = call.reply.then(
      (reply) => statusName(reply.status),
      () => "silence",
    );
    const script = [() => end(handles, call, harness)];
    if (meanwhile !== undefined) script.push(() => meanwhile(handles));
    const running: Promise<unknown>[] = [];
    for (;;) {
      await settle();
      const count = gate.waiting + script.length;
      if (count === 0) break;
      const choice = choose(count);
      if (choice < gate.waiting) gate.letGo(choice);
      else for (const step of script.splice(choice - gate.waiting, 1)) running.push(step().catch(() => {}));
    }
    gate.release();
    const status = await Promise.race([answered, settle().then(() => "no answer")]);
    expect(status).not.toBe("no answer");
    await Promise.all(running);
    const lost = name === "the connection is lost";
    expect(lost ? ["silence", "STATUS_SUCCESS"] : ["STATUS_SUCCESS", ...REFUSALS]).toContain(status);
    if (!lost) expect(connection.credits).toBe(credits);
    connection.close();
    handles.other.session.connection.close();
    await settle();
    const { server } = harness;
    expect(harness.errors).toEqual([]);
    expect([server.sessions.size, server.connections.size, server.leases.size]).toEqual([0, 0, 0]);
    expect(server.fileTable(harness.volume).size).toBe(0);
    expect(server.fileTable(harness.volume).watchers.isEmpty).toBe(true);
    expect(gate.open).toBe(0);
    for (const name of ["file", "other", "cached", "new", "moved", "change"]) {
      const left = await memory.open([name]);
      if (left !== undefined) await memory.unlink(left.file, [name]);
    }
  };

  for (const ending of endings) {
    it.each(operations)(`$name, ${ending[0]}`, { timeout: 60_000 }, async (operation) => {
      const runs = await everyInterleaving((choose) => run(choose, operation, ending));
      // The end comes before or after whatever the request waits for, at least.
      expect(runs).toBeGreaterThan(1);
    });
  }
});
