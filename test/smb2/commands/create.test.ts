// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus, statusName } from "../../../src/nt/status.ts";
import { CreateDisposition, CreateOption, OplockLevel, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import { type CreateRequest, decodeCreateResponse } from "../../../src/smb2/wire/create.ts";
import { CreateContextName } from "../../../src/smb2/wire/create-contexts.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { bob, ServerHarness, statusOf } from "../../support/server-harness.ts";
import { SmbFile, type SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const { DIRECTORY_FILE, NON_DIRECTORY_FILE, DELETE_ON_CLOSE } = CreateOption;
const { CREATE, OPEN, OPEN_IF, OVERWRITE, OVERWRITE_IF, SUPERSEDE } = CreateDisposition;
const ACTIONS = ["superseded", "opened", "created", "overwritten"];
const NAMES = Object.entries(CreateDisposition).map(([name]) => name);

/** What a CREATE does: its action, or its status. */
async function outcome(tree: SmbTree, name: string, request: Partial<CreateRequest> = {}): Promise<string> {
  const reply = await tree.exchange(requests.create(name, request));
  if (reply.status !== NtStatus.SUCCESS) return statusName(reply.status).replace("STATUS_", "");
  const response = decodeCreateResponse(reply.reader);
  await new SmbFile(tree, response).close();
  return ACTIONS[response.createAction] ?? "?";
}

async function freshTree(): Promise<{ harness: ServerHarness; tree: SmbTree }> {
  const harness = await ServerHarness.start();
  const tree = await harness.mount();
  await tree.put("file", "content");
  await tree.put("file:stream", "stream");
  await tree.mkdir("dir");
  return { harness, tree };
}

describe("the disposition of a CREATE (MS-FSA 2.1.5.1)", () => {
  const NF = "OBJECT_NAME_NOT_FOUND";
  const PNF = "OBJECT_PATH_NOT_FOUND";
  const COLL = "OBJECT_NAME_COLLISION";
  const IP = "INVALID_PARAMETER";
  const NAD = "NOT_A_DIRECTORY";
  const IAD = "FILE_IS_A_DIRECTORY";
  const AD = "ACCESS_DENIED";
  const all = (status: string) => [status, status, status, status, status, status];
  const made = ["created", NF, "created", "created", NF, "created"];
  const kept = ["superseded", "opened", COLL, "opened", "overwritten", "overwritten"];

  //                                        SUPERSEDE OPEN      CREATE     OPEN_IF    OVERWRITE OVERWRITE_IF
  const table: [string, number, string[]][] = [
    ["missing", 0, made],
    ["missing", NON_DIRECTORY_FILE, made],
    ["missing", DIRECTORY_FILE, /*       */ [IP, NF, "created", "created", IP, IP]],
    ["file", 0, kept],
    ["FILE", NON_DIRECTORY_FILE, kept],
    ["file", DIRECTORY_FILE, /*          */ [IP, NAD, COLL, NAD, IP, IP]],
    ["dir", 0, /*                        */ [COLL, "opened", COLL, "opened", COLL, COLL]],
    ["dir", NON_DIRECTORY_FILE, all(IAD)],
    ["dir", DIRECTORY_FILE, /*           */ [IP, "opened", COLL, "opened", IP, IP]],
    ["", 0, /*                           */ [AD, "opened", AD, "opened", AD, AD]],
    ["", DIRECTORY_FILE, /*              */ [IP, "opened", AD, "opened", IP, IP]],
    ["", NON_DIRECTORY_FILE, all(IAD)],
    ["dir\\new", 0, made],
    ["nowhere\\new", 0, all(PNF)],
    ["file\\new", 0, all(PNF)],
    ["file:stream", 0, kept],
    ["file:STREAM:$DATA", NON_DIRECTORY_FILE, kept],
    ["file::$DATA", 0, kept],
    ["file:new", 0, made],
    ["missing:new", 0, made],
    ["dir:new", 0, made],
    ["dir:new", NON_DIRECTORY_FILE, made],
    ["file:stream", DIRECTORY_FILE, /*   */ [IP, NAD, NAD, NAD, IP, IP]],
    ["dir::$INDEX_ALLOCATION", 0, /*     */ [COLL, "opened", COLL, "opened", COLL, COLL]],
    ["dir::$DATA", 0, all(IAD)],
  ];
  const cases = table.flatMap(([name, options, expected]) =>
    expected.map((result, disposition) => ({ name, options, disposition, result })),
  );

  it.each(cases)(
    "of $disposition on $name with options $options: $result",
    async ({ name, options, disposition, result }) => {
      const { harness, tree } = await freshTree();
      const kind = { createOptions: options, createDisposition: disposition };
      expect(`${NAMES[disposition]}: ${await outcome(tree, name, kind)}`).toBe(`${NAMES[disposition]}: ${result}`);
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
      expect(harness.errors).toEqual([]);
    },
  );

  it("empties what it overwrites or supersedes, and nothing else", async () => {
    const { tree } = await freshTree();
    for (const disposition of [OPEN_IF, OPEN]) await outcome(tree, "file", { createDisposition: disposition });
    expect((await tree.get("file")).toString()).toBe("content");
    for (const disposition of [OVERWRITE, OVERWRITE_IF, SUPERSEDE]) {
      await tree.put("file", "content");
      await outcome(tree, "file", { createDisposition: disposition });
      expect(await tree.get("file")).toHaveLength(0);
      expect((await tree.get("file:stream")).toString()).toBe("stream");
    }
  });

  it("overwrites hidden and system files only for who says so", async () => {
    const { tree } = await freshTree();
    for (const bit of [FileAttribute.HIDDEN, FileAttribute.SYSTEM]) {
      await (await tree.createFile("special", { fileAttributes: bit, createDisposition: CREATE })).close();
      for (const createDisposition of [OVERWRITE, OVERWRITE_IF, SUPERSEDE]) {
        expect(await outcome(tree, "special", { createDisposition })).toBe("ACCESS_DENIED");
      }
      const knowing = { createDisposition: OVERWRITE, fileAttributes: bit, createOptions: DELETE_ON_CLOSE };
      expect(await outcome(tree, "special", knowing)).toBe("overwritten");
    }
  });

  it("opens read-only files for reading alone", async () => {
    const { tree } = await freshTree();
    await (await tree.createFile("ro", { fileAttributes: FileAttribute.READONLY, createDisposition: CREATE })).close();
    expect(await outcome(tree, "ro", { desiredAccess: Access.GENERIC_READ })).toBe("opened");
    for (const desiredAccess of [Access.WRITE_DATA, Access.APPEND_DATA, Access.GENERIC_ALL]) {
      expect(await outcome(tree, "ro", { desiredAccess })).toBe("ACCESS_DENIED");
    }
    expect(await outcome(tree, "ro", { createDisposition: OVERWRITE, desiredAccess: Access.READ_DATA })).toBe(
      "ACCESS_DENIED",
    );
    const deleting = { desiredAccess: Access.DELETE, createOptions: DELETE_ON_CLOSE };
    expect(await outcome(tree, "ro", deleting)).toBe("CANNOT_DELETE");
    expect(
      await outcome(tree, "new", { ...deleting, fileAttributes: FileAttribute.READONLY, createDisposition: CREATE }),
    ).toBe("CANNOT_DELETE");
    const most = await tree.create("ro", { desiredAccess: Access.MAXIMUM_ALLOWED });
    expect(await statusOf(most.write(0, "x"))).toBe("STATUS_ACCESS_DENIED");
  });

  it("changes nothing on a read-only volume", async () => {
    const volume = new MemoryVolume({
      readOnly: true,
      populate: (target) => void target.create(["file"], { directory: false, attributes: 0 }),
    });
    const tree = await (await ServerHarness.start({ volume })).mount();
    expect(await outcome(tree, "file", { desiredAccess: Access.READ_DATA })).toBe("opened");
    for (const createDisposition of [CREATE, OPEN_IF, OVERWRITE_IF, SUPERSEDE]) {
      expect(await outcome(tree, "new", { createDisposition })).toBe("MEDIA_WRITE_PROTECTED");
    }
    for (const createDisposition of [OVERWRITE, OVERWRITE_IF, SUPERSEDE]) {
      expect(await outcome(tree, "file", { createDisposition })).toBe("MEDIA_WRITE_PROTECTED");
    }
  });
});

describe("the parameters of a CREATE", () => {
  it.each<[string, string, Partial<CreateRequest>]>([
    ["no access", "ACCESS_DENIED", { desiredAccess: 0 }],
    ["reserved access bits", "ACCESS_DENIED", { desiredAccess: 0x0000_0200 | Access.READ_DATA }],
    ["an unknown disposition", "INVALID_PARAMETER", { createDisposition: 6 }],
    ["unknown share access", "INVALID_PARAMETER", { shareAccess: 8 }],
    ["unknown options", "INVALID_PARAMETER", { createOptions: 0x0100_0000 }],
    ["directory and file", "INVALID_PARAMETER", { createOptions: DIRECTORY_FILE | NON_DIRECTORY_FILE }],
    ["unknown attributes", "INVALID_PARAMETER", { fileAttributes: 0x8000_0000 }],
    ["an unknown impersonation level", "BAD_IMPERSONATION_LEVEL", { impersonationLevel: 4 }],
    ["opening by file id", "NOT_SUPPORTED", { createOptions: CreateOption.OPEN_BY_FILE_ID }],
    ["the opportunistic filter", "NOT_SUPPORTED", { createOptions: CreateOption.RESERVE_OPFILTER }],
    ["delete on close without DELETE", "INVALID_PARAMETER", { createOptions: DELETE_ON_CLOSE, desiredAccess: 1 }],
    ["the SACL without its privilege", "PRIVILEGE_NOT_HELD", { desiredAccess: Access.ACCESS_SYSTEM_SECURITY }],
  ])("%s: %s", async (_, expected, request) => {
    const { tree } = await freshTree();
    expect(await outcome(tree, "file", request)).toBe(expected);
  });

  it.each([
    ["\\file", "INVALID_PARAMETER"],
    ["file\\", "OBJECT_NAME_INVALID"],
    ["dir\\", "opened"],
    ["dir\\\\file", "OBJECT_NAME_INVALID"],
    ["dir\\..\\file", "opened"],
    ["dir\\..\\..\\file", "OBJECT_PATH_SYNTAX_BAD"],
    [".", "OBJECT_NAME_INVALID"],
    ["..", "OBJECT_PATH_SYNTAX_BAD"],
    ["dir/file", "OBJECT_NAME_NOT_FOUND"],
    ["dir/../file", "opened"],
    ["fi*e", "OBJECT_NAME_INVALID"],
    ["file:", "OBJECT_NAME_INVALID"],
    ["file::", "OBJECT_NAME_INVALID"],
    ["file::$BITMAP", "OBJECT_NAME_INVALID"],
    ["file:a:b:c", "OBJECT_NAME_INVALID"],
    ["dir:x\\file", "OBJECT_NAME_INVALID"],
    ["nul\0byte", "OBJECT_NAME_INVALID"],
    ["x".repeat(256), "OBJECT_NAME_INVALID"],
  ])("of the name %j: %s", async (name, expected) => {
    const { tree } = await freshTree();
    expect(await outcome(tree, name)).toBe(expected);
  });

  it("of the name: a backslash at its end is not for files, whether there is one or not", async () => {
    const { tree } = await freshTree();
    for (const name of ["dir\\", "file\\", "missing\\"]) {
      for (const createDisposition of [OPEN, CREATE]) {
        const request = { createOptions: NON_DIRECTORY_FILE, createDisposition };
        expect(await outcome(tree, name, request)).toBe("OBJECT_NAME_INVALID");
      }
    }
  });

  it.each(["MxAc", "TWrp", "AlSi", "DHnQ", "DH2Q", "RqLs", "ExtA", "AAPL", CreateContextName.APP_INSTANCE_ID])(
    "of a context %s of a wrong length is found before anything is opened",
    async (name) => {
      const { harness, tree } = await freshTree();
      const request = {
        createDisposition: OPEN_IF,
        requestedOplockLevel: OplockLevel.LEASE,
        contexts: [{ name, data: Buffer.alloc(5) }],
      };
      expect(await outcome(tree, "new", request)).not.toBe("created");
      expect(await outcome(tree, "new")).toBe("OBJECT_NAME_NOT_FOUND");
      expect(harness.server.fileTable(harness.volume).size).toBe(0);
    },
  );

  it("grants what is asked for and no more", async () => {
    const { tree } = await freshTree();
    const reader = await tree.create("file", { desiredAccess: Access.GENERIC_READ });
    expect(await statusOf(reader.write(0, "x"))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(reader.flush())).toBe("STATUS_ACCESS_DENIED");
    const appender = await tree.create("file", { desiredAccess: Access.APPEND_DATA });
    expect(await statusOf(appender.write(0, "x"))).toBe("STATUS_ACCESS_DENIED");
    expect(await statusOf(appender.write(7, "!"))).toBe("STATUS_SUCCESS");
    expect(await statusOf(appender.read(0, 1))).toBe("STATUS_ACCESS_DENIED");
    const overwriter = await tree.create("file", {
      desiredAccess: Access.READ_ATTRIBUTES,
      createDisposition: OVERWRITE,
    });
    expect(await statusOf(overwriter.write(0, "x"))).toBe("STATUS_ACCESS_DENIED");
    const executor = await tree.create("file", { desiredAccess: Access.EXECUTE });
    expect(await statusOf(executor.read(0, 1))).toBe("STATUS_END_OF_FILE");
  });

  it("has a bound: handles per session", async () => {
    const tree = await (await ServerHarness.start({ protocol: { maxOpensPerSession: 2 } })).mount();
    await tree.createFile("a");
    await tree.createFile("b");
    expect(await outcome(tree, "c", { createDisposition: CREATE })).toBe("TOO_MANY_OPENED_FILES");
    expect(await outcome(tree, "")).toBe("TOO_MANY_OPENED_FILES");
  });
});

describe("share modes", () => {
  const rights = [Access.READ_DATA, Access.WRITE_DATA, Access.DELETE];
  const subset = (bits: number, of: readonly number[]) =>
    of.reduce((sum, bit, at) => (bits & (1 << at) ? sum | bit : sum), 0);
  const sharing = [ShareAccess.READ, ShareAccess.WRITE, ShareAccess.DELETE];

  it.each(["file", "file:stream"])("of %s follow the whole truth table", async (name) => {
    const { tree } = await freshTree();
    const wrong: string[] = [];
    for (let first = 0; first < 64; first += 1) {
      const [access, share] = [first >> 3, first & 7];
      const held = await tree.create(name, {
        desiredAccess: Access.READ_ATTRIBUTES | subset(access, rights),
        shareAccess: subset(share, sharing),
      });
      for (let second = 0; second < 64; second += 1) {
        const [access2, share2] = [second >> 3, second & 7];
        const data = access !== 0 && access2 !== 0;
        const conflict = data && ((access & ~share2) !== 0 || (access2 & ~share) !== 0);
        const request = {
          desiredAccess: Access.READ_ATTRIBUTES | subset(access2, rights),
          shareAccess: subset(share2, sharing),
        };
        const [reply] = await tree.compound([requests.create(name, request), requests.close()]);
        if (reply?.status === (conflict ? NtStatus.SHARING_VIOLATION : NtStatus.SUCCESS)) continue;
        wrong.push(`${access}/${share} then ${access2}/${share2}: ${statusName(reply?.status ?? 0)}`);
      }
      await held.close();
    }
    expect(wrong).toEqual([]);
  });

  it("concern each stream by itself, but for deleting the file", async () => {
    const { tree } = await freshTree();
    const stream = await tree.create("file:stream", { shareAccess: 0 });
    expect(await outcome(tree, "file", { desiredAccess: Access.WRITE_DATA, shareAccess: 0 })).toBe("opened");
    expect(await outcome(tree, "file", { desiredAccess: Access.DELETE })).toBe("SHARING_VIOLATION");
    await stream.close();
    expect(await outcome(tree, "file", { desiredAccess: Access.DELETE })).toBe("opened");
  });

  it("see the handles of other sessions and other shares on the same volume", async () => {
    const harness = await ServerHarness.start({ shares: { again: {} } });
    const tree = await harness.mount();
    await tree.createFile("file", { shareAccess: ShareAccess.READ });
    const other = await harness.mount("again", { account: bob });
    expect(await outcome(other, "file", { desiredAccess: Access.WRITE_DATA })).toBe("SHARING_VIOLATION");
    expect(await outcome(other, "file", { desiredAccess: Access.READ_ATTRIBUTES })).toBe("opened");
  });

  it("hold an overwrite back before anything is lost", async () => {
    const { tree } = await freshTree();
    const reader = await tree.create("file", { desiredAccess: Access.READ_DATA, shareAccess: ShareAccess.READ });
    const access = { desiredAccess: Access.READ_DATA, createDisposition: OVERWRITE };
    expect(await outcome(tree, "file", access)).toBe("SHARING_VIOLATION");
    expect((await reader.read(0, 7)).toString()).toBe("content");
  });
});

describe("delete on close", () => {
  const deleting = { createOptions: DELETE_ON_CLOSE };
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    ({ harness, tree } = await freshTree());
  });

  it("removes the file with its last handle, in every order of closing", async () => {
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      await tree.put("file", "x");
      const handles = [await tree.create("file", deleting), await tree.create("file"), await tree.create("file")];
      let marked = false;
      for (const [count, index] of order.entries()) {
        await handles[index]?.close();
        marked ||= index === 0;
        const last = count === 2;
        expect(await outcome(tree, "file")).toBe(last ? "OBJECT_NAME_NOT_FOUND" : marked ? "DELETE_PENDING" : "opened");
      }
    }
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  it("leaves the data to the handles that remain", async () => {
    const reader = await tree.create("file");
    await (await tree.create("file", deleting)).close();
    expect((await reader.read(0, 7)).toString()).toBe("content");
    await reader.write(0, "CONTENT");
    expect(await outcome(tree, "file", { createDisposition: CREATE })).toBe("DELETE_PENDING");
    await reader.close();
    expect(await outcome(tree, "file", { createDisposition: CREATE })).toBe("created");
    expect(await outcome(tree, "file:stream")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("of a new file removes it", async () => {
    expect(await outcome(tree, "temporary", { ...deleting, createDisposition: CREATE })).toBe("created");
    expect(await outcome(tree, "temporary")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("of a stream removes the stream alone", async () => {
    await (await tree.create("file:stream", deleting)).close();
    expect(await outcome(tree, "file:stream")).toBe("OBJECT_NAME_NOT_FOUND");
    expect((await tree.get("file")).toString()).toBe("content");
  });

  it("of a stream with several handles refuses new ones meanwhile", async () => {
    const kept = await tree.create("file:stream");
    await (await tree.create("file:stream", deleting)).close();
    expect(await outcome(tree, "file:stream")).toBe("DELETE_PENDING");
    expect(await outcome(tree, "file")).toBe("opened");
    expect((await kept.read(0, 6)).toString()).toBe("stream");
    await kept.close();
    expect(await outcome(tree, "file:stream")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("of the file waits for handles of its streams too", async () => {
    const stream = await tree.create("file:stream");
    await (await tree.create("file", deleting)).close();
    expect(await outcome(tree, "file")).toBe("DELETE_PENDING");
    expect((await stream.read(0, 6)).toString()).toBe("stream");
    await stream.close();
    expect(await outcome(tree, "file")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("of a directory removes it, if it is empty then", async () => {
    const directory = { createOptions: DIRECTORY_FILE | DELETE_ON_CLOSE };
    await (await tree.create("dir", directory)).close();
    expect(await outcome(tree, "dir")).toBe("OBJECT_NAME_NOT_FOUND");
    await tree.mkdir("full");
    const handle = await tree.create("full", directory);
    await tree.put("full\\file", "x");
    await handle.close();
    expect(await outcome(tree, "full\\file")).toBe("opened");
    expect(harness.errors).toEqual([]);
  });

  it("of a directory with something in it leaves those alone who use it", async () => {
    await tree.mkdir("full");
    const user = await tree.create("full");
    const handle = await tree.create("full", { createOptions: DIRECTORY_FILE | DELETE_ON_CLOSE });
    await tree.put("full\\file", "x");
    await handle.close();
    expect(await outcome(tree, "full")).toBe("opened");
    expect(await outcome(tree, "full\\more", { createDisposition: CREATE })).toBe("created");
    await user.close();
    expect(await outcome(tree, "full")).toBe("opened");
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  it("of an empty directory waits for those who use it", async () => {
    const user = await tree.create("dir");
    await (await tree.create("dir", { createOptions: DIRECTORY_FILE | DELETE_ON_CLOSE })).close();
    expect(await outcome(tree, "dir")).toBe("DELETE_PENDING");
    await user.close();
    expect(await outcome(tree, "dir")).toBe("OBJECT_NAME_NOT_FOUND");
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
  });

  it.each([
    ["the tree", (own: SmbTree) => own.disconnect()],
    ["the session", (own: SmbTree) => own.session.logOff()],
    ["the connection", async (own: SmbTree) => own.session.connection.close()],
  ])("happens at the end of %s as well", async (_, end) => {
    const own = await harness.mount();
    await own.create("file", deleting);
    await end(own);
    expect(await outcome(tree, "file")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("by disposition can be taken back", async () => {
    const handle = await tree.create("file");
    await handle.setInfo(13, Buffer.from([1]));
    expect(await outcome(tree, "file")).toBe("DELETE_PENDING");
    await handle.setInfo(13, Buffer.from([0]));
    expect(await outcome(tree, "file")).toBe("opened");
    await handle.setInfo(13, Buffer.from([1]));
    await handle.close();
    expect(await outcome(tree, "file")).toBe("OBJECT_NAME_NOT_FOUND");
  });

  it("lets nothing be made in a directory that is about to go", async () => {
    const handle = await tree.create("dir");
    await handle.setInfo(13, Buffer.from([1]));
    expect(await outcome(tree, "dir\\new", { createDisposition: CREATE })).toBe("DELETE_PENDING");
    await handle.close();
    expect(await outcome(tree, "dir\\new", { createDisposition: CREATE })).toBe("OBJECT_PATH_NOT_FOUND");
  });

  it("goes on with a name that was taken again, by another file", async () => {
    const handle = await tree.create("file", deleting);
    await handle.close();
    await tree.put("file", "another");
    expect((await tree.get("file")).toString()).toBe("another");
    expect(await outcome(tree, "file", { createDisposition: OPEN })).toBe("opened");
  });
});
