// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus, statusName } from "../../../src/nt/status.ts";
import { decodeChangeNotifyResponse } from "../../../src/smb2/wire/change-notify.ts";
import {
  ChangeNotifyFlag,
  CompletionFilter,
  CreateDisposition,
  CreateOption,
  InfoType,
  SecurityInformation,
} from "../../../src/smb2/wire/constants.ts";
import { Writer } from "../../../src/smb2/wire/cursor.ts";
import { NO_FILE_ID } from "../../../src/smb2/wire/file-id.ts";
import { encodeFileBasicChange } from "../../../src/smb2/wire/fscc/basic-info.ts";
import { FileInformationClass } from "../../../src/smb2/wire/fscc/classes.ts";
import { encodeFullEaList } from "../../../src/smb2/wire/fscc/ea-info.ts";
import { decodeFileNotifyInformation, FileAction } from "../../../src/smb2/wire/fscc/notify-info.ts";
import {
  encodeFileDispositionInformation,
  encodeFileLinkInformation,
  encodeFileRenameInformation,
} from "../../../src/smb2/wire/fscc/rename-info.ts";
import { ServerHarness, settle } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import type { Call, Reply } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const Class = FileInformationClass;
const Filter = CompletionFilter;
const ANY = 0xfff;

const actionNames = new Map<number, string>(Object.entries(FileAction).map(([name, value]) => [value, name]));

function changesOf(reply: Reply): string[] {
  const { output } = decodeChangeNotifyResponse(reply.reader);
  return decodeFileNotifyInformation(output).map(({ action, fileName }) => `${actionNames.get(action)} ${fileName}`);
}

function bytes(encode: (writer: Writer) => void): Buffer {
  const writer = new Writer();
  encode(writer);
  return writer.view();
}

const renameTo = (fileName: string, replaceIfExists = false) =>
  bytes((writer) => encodeFileRenameInformation(writer, { replaceIfExists, rootDirectory: 0n, fileName }));
const linkTo = (fileName: string, replaceIfExists = false) =>
  bytes((writer) => encodeFileLinkInformation(writer, { replaceIfExists, rootDirectory: 0n, fileName }));
const deletion = bytes((writer) => encodeFileDispositionInformation(writer, true));
const u64 = (value: bigint) => bytes((writer) => writer.u64(value));

describe("CHANGE_NOTIFY", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let other: SmbTree;
  let root: SmbFile;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    other = await harness.mount();
    root = await watched("");
  });

  /** A handle that is in nobody's way. */
  const watched = (name: string) => tree.create(name, { desiredAccess: Access.LIST_DIRECTORY });
  const notify = (file: SmbFile, filter = ANY, flags = 0, length = 4096) =>
    file.submit(requests.changeNotify(file.fileId, filter, flags, length));

  /** Has the interim response of a request arrived? */
  const waiting = async (call: Call): Promise<Call> => {
    await call.pending;
    return call;
  };
  const begin = (file: SmbFile, filter = ANY, flags = 0, length = 4096) => waiting(notify(file, filter, flags, length));
  const status = async (call: Call) => statusName((await call.reply).status);

  /** Everything that the handle hears of while `change` runs. */
  const heard = async (change: () => Promise<unknown>, filter = ANY, flags: number = ChangeNotifyFlag.WATCH_TREE) => {
    const call = await begin(root, filter, flags);
    await change();
    await settle();
    const collected: string[] = [];
    if (harness.server.fileTable(harness.volume).watchers.isEmpty) throw new Error("nobody watches");
    for (let current = call; ; ) {
      const done = await Promise.race([current.reply, settle().then(() => undefined)]);
      if (done === undefined) {
        tree.session.connection.cancel(current);
        expect(await status(current)).toBe("STATUS_CANCELLED");
        return collected;
      }
      expect(done.status).toBe(NtStatus.SUCCESS);
      collected.push(...changesOf(done));
      current = notify(root);
    }
  };

  describe("refuses", () => {
    it("files", async () => {
      await tree.put("file", "x");
      expect(await status(notify(await tree.create("file")))).toBe("STATUS_INVALID_PARAMETER");
    });

    it("handles that may not list", async () => {
      const file = await tree.create("", { desiredAccess: Access.READ_ATTRIBUTES });
      expect(await status(notify(file))).toBe("STATUS_ACCESS_DENIED");
    });

    it("more output than MaxTransactSize", async () => {
      harness = await ServerHarness.start({ protocol: { maxTransactSize: 65_536 } });
      tree = await harness.mount();
      root = await watched("");
      expect(await status(notify(root, ANY, 0, 65_537))).toBe("STATUS_INVALID_PARAMETER");
      await begin(root, ANY, 0, 65_536);
    });

    it("directories that are to be deleted", async () => {
      const d = await tree.createDirectory("d");
      const second = await tree.create("d");
      await second.setInfo(Class.FileDispositionInformation, deletion);
      expect(await status(notify(d))).toBe("STATUS_DELETE_PENDING");
      const marked = await tree.create("e", {
        createDisposition: CreateDisposition.CREATE,
        createOptions: CreateOption.DIRECTORY_FILE | CreateOption.DELETE_ON_CLOSE,
      });
      expect(await status(notify(marked))).toBe("STATUS_DELETE_PENDING");
    });

    it("to wait in a frame that is filled up, which would have to be kept", async () => {
      const plain = requests.changeNotify(root.fileId, ANY);
      const encode = (writer: Writer) => {
        plain.encode(writer);
        writer.zeros(65_536);
      };
      expect(await status(root.submit({ ...plain, encode }))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    });

    it("to wait in the middle of a compound, and waits at its end", async () => {
      const open = requests.create("", { createOptions: CreateOption.DIRECTORY_FILE });
      const inMiddle = await tree.compound([open, requests.changeNotify(NO_FILE_ID, ANY), requests.close()]);
      expect(inMiddle.map((reply) => statusName(reply.status))).toEqual([
        "STATUS_SUCCESS",
        "STATUS_INTERNAL_ERROR",
        "STATUS_SUCCESS",
      ]);
      const [created, last] = tree.submitCompound([open, requests.changeNotify(NO_FILE_ID, ANY)]);
      if (created === undefined || last === undefined) throw new Error("two requests give two calls");
      expect(await status(created)).toBe("STATUS_SUCCESS");
      await waiting(last);
      await other.mkdir("new");
      expect(changesOf(await last.reply)).toEqual(["ADDED new"]);
    });

    it("more waiting requests than a connection may have", async () => {
      harness = await ServerHarness.start({ protocol: { maxAsyncPerConnection: 2 } });
      tree = await harness.mount();
      root = await watched("");
      await begin(root);
      await begin(root);
      expect(await status(notify(root))).toBe("STATUS_INSUFFICIENT_RESOURCES");
    });
  });

  describe("reports", () => {
    it("new files, directories and streams", async () => {
      const changes = await heard(async () => {
        await other.mkdir("d");
        await (await other.createFile("d\\file:stream")).close();
        await (await other.createFile("d\\file:second")).close();
      });
      expect(changes).toEqual([
        "ADDED d",
        "ADDED d\\file",
        "ADDED_STREAM d\\file:stream",
        "ADDED_STREAM d\\file:second",
      ]);
    });

    it("names that go with their last handle, not with the wish", async () => {
      await tree.put("file", "x");
      const file = await other.create("file");
      const stream = await other.createFile("file:s");
      const changes = await heard(async () => {
        await stream.setInfo(Class.FileDispositionInformation, deletion);
        await stream.close();
        await file.setInfo(Class.FileDispositionInformation, deletion);
      });
      expect(changes).toEqual(["REMOVED_STREAM file:s"]);
      expect(await heard(() => file.close())).toEqual(["REMOVED file"]);
    });

    it("names of files apart from those of directories", async () => {
      const change = async (name: string) => {
        await other.mkdir(`${name}-directory`);
        await other.put(`${name}-file`, "");
      };
      expect(await heard(() => change("a"), Filter.FILE_NAME)).toEqual(["ADDED a-file"]);
      root = await watched("");
      expect(await heard(() => change("b"), Filter.DIR_NAME)).toEqual(["ADDED b-directory"]);
    });

    it("renames within a directory as a pair, moves as an end and a beginning", async () => {
      await tree.mkdir("d");
      await tree.put("a", "x");
      const file = await other.create("a");
      const names = Filter.FILE_NAME | Filter.DIR_NAME;
      const rename = (to: string) => () => file.setInfo(Class.FileRenameInformation, renameTo(to));
      expect(await heard(rename("b"), names)).toEqual(["RENAMED_OLD_NAME a", "RENAMED_NEW_NAME b"]);
      expect(await heard(rename("d\\c"), names)).toEqual(["REMOVED b", "ADDED d\\c"]);
    });

    it("each parent its part of a move", async () => {
      await tree.mkdir("d");
      await tree.put("a", "x");
      const d = await watched("d");
      const [above, below] = [await begin(root), await begin(d)];
      const file = await other.create("a");
      await file.setInfo(Class.FileRenameInformation, renameTo("d\\b"));
      expect(changesOf(await above.reply)).toEqual(["REMOVED a"]);
      expect(changesOf(await below.reply)).toEqual(["ADDED b"]);
    });

    it("what a rename replaces", async () => {
      for (const name of ["a", "b", "c"]) await tree.put(name, "x");
      const file = await other.create("a");
      const rename = (to: string) => () => file.setInfo(Class.FileRenameInformation, renameTo(to, true));
      expect(await heard(rename("b"))).toEqual(["REMOVED a", "MODIFIED b"]);
      expect(await heard(rename("C"))).toEqual(["REMOVED c", "RENAMED_OLD_NAME b", "RENAMED_NEW_NAME C"]);
    });

    it("hard links, also over others", async () => {
      await tree.put("a", "x");
      await tree.put("c", "x");
      const file = await other.create("a");
      const link = (to: string) => () => file.setInfo(Class.FileLinkInformation, linkTo(to, true));
      expect(await heard(link("b"))).toEqual(["ADDED b"]);
      expect(await heard(link("c"))).toEqual(["MODIFIED c"]);
    });

    it("renames of streams", async () => {
      const file = await other.createFile("a:s");
      const rename = () => file.setInfo(Class.FileRenameInformation, renameTo(":t"));
      expect(await heard(rename)).toEqual(["REMOVED_STREAM a:s", "ADDED_STREAM a:t"]);
    });

    it("a directory that has moved keeps its watchers", async () => {
      await tree.mkdir("d");
      root = await watched("d");
      const changes = await heard(async () => {
        const d = await other.create("d");
        await d.setInfo(Class.FileRenameInformation, renameTo("e"));
        await other.put("e\\file", "");
      });
      expect(changes).toEqual(["ADDED file"]);
    });

    const basic = { creationTime: 0n, lastAccessTime: 0n, lastWriteTime: 0n, changeTime: 0n, attributes: 0 };
    const setBasic = (change: Partial<typeof basic>) => (file: SmbFile) =>
      file.setInfo(
        Class.FileBasicInformation,
        bytes((writer) => encodeFileBasicChange(writer, { ...basic, ...change })),
      );
    const time = 133_000_000_000_000_000n;

    it.each<[string, number, (file: SmbFile) => Promise<unknown>]>([
      ["attributes", Filter.ATTRIBUTES, setBasic({ attributes: FileAttribute.HIDDEN })],
      ["LastWriteTime", Filter.LAST_WRITE, setBasic({ lastWriteTime: time })],
      ["LastAccessTime", Filter.LAST_ACCESS, setBasic({ lastAccessTime: time })],
      ["CreationTime", Filter.CREATION, setBasic({ creationTime: time })],
      ["ChangeTime", 0, setBasic({ changeTime: time })],
      ["end of file", Filter.SIZE | Filter.ATTRIBUTES, (file) => file.setInfo(Class.FileEndOfFileInformation, u64(1n))],
      ["allocation", Filter.SIZE | Filter.ATTRIBUTES, (file) => file.setInfo(Class.FileAllocationInformation, u64(0n))],
      [
        "extended attributes",
        Filter.EA | Filter.ATTRIBUTES,
        (file) =>
          file.setInfo(
            Class.FileFullEaInformation,
            bytes((writer) => encodeFullEaList(writer, [{ name: "X", flags: 0, value: Buffer.from("1") }])),
          ),
      ],
      [
        "the descriptor",
        Filter.SECURITY,
        async (file) => {
          const input = await file.queryInfo(0, {
            infoType: InfoType.SECURITY,
            additionalInformation: SecurityInformation.DACL,
          });
          await file.setInfo(0, input, {
            infoType: InfoType.SECURITY,
            additionalInformation: SecurityInformation.DACL,
          });
        },
      ],
      [
        "overwriting",
        Filter.ATTRIBUTES | Filter.SIZE | Filter.LAST_WRITE,
        (file) => file.tree.createFile("file").then((again) => again.close()),
      ],
    ])("a change of %s to exactly those who want it", async (_, filter, change) => {
      await tree.put("file", "content");
      for (let bit = 1; bit <= Filter.STREAM_WRITE; bit *= 2) {
        const file = await other.create("file");
        root = await watched("");
        expect([bit, await heard(() => change(file), bit)]).toEqual([
          bit,
          (filter & bit) === 0 ? [] : ["MODIFIED file"],
        ]);
        await file.close();
        await root.close();
      }
    });

    it("what was written when the handle is flushed or closed, once", async () => {
      await tree.put("file", "x");
      const file = await other.create("file");
      const stream = await other.createFile("file:s");
      const writes = async (target: SmbFile) => {
        await target.write(0, "one");
        await target.write(3, "two");
      };
      expect(await heard(() => writes(file))).toEqual([]);
      expect(await heard(() => file.flush())).toEqual(["MODIFIED file"]);
      expect(await heard(() => file.close())).toEqual([]);
      expect(await heard(() => writes(stream))).toEqual([]);
      expect(await heard(() => stream.close())).toEqual(["MODIFIED_STREAM file:s"]);
    });
  });

  describe("between requests", () => {
    it("keeps what happens, and answers the next request at once", async () => {
      tree.session.connection.cancel(await begin(root));
      await other.mkdir("a");
      await other.mkdir("b");
      const call = notify(root);
      expect(changesOf(await call.reply)).toEqual(["ADDED a", "ADDED b"]);
      await expect(call.pending).rejects.toThrow();
    });

    it("goes by the filter, depth and size of the first request", async () => {
      tree.session.connection.cancel(await begin(root, Filter.DIR_NAME, 0, 40));
      await other.mkdir("a");
      await other.mkdir("a\\deep");
      await other.put("file", "");
      expect(changesOf(await notify(root, ANY, ChangeNotifyFlag.WATCH_TREE).reply)).toEqual(["ADDED a"]);
      for (const name of ["b", "c", "d"]) await other.mkdir(name);
      const reply = await notify(root).reply;
      expect(statusName(reply.status)).toBe("STATUS_NOTIFY_ENUM_DIR");
      expect(changesOf(reply)).toEqual([]);
    });

    it("tells no more than that something has changed, where no output is wanted", async () => {
      const call = await begin(root, ANY, 0, 0);
      await other.mkdir("a");
      expect(await status(call)).toBe("STATUS_NOTIFY_ENUM_DIR");
    });
  });

  describe("a waiting request", () => {
    it("is served in its turn", async () => {
      const calls = [await begin(root), await begin(root)];
      await other.mkdir("a");
      await other.mkdir("b");
      const replies = await Promise.all(calls.map((call) => call.reply));
      expect(replies.map(changesOf)).toEqual([["ADDED a"], ["ADDED b"]]);
    });

    it("ends with CANCEL, and the ones behind it go on", async () => {
      const [first, second] = [await begin(root), await begin(root)];
      tree.session.connection.cancel(first);
      expect(await status(first)).toBe("STATUS_CANCELLED");
      await other.mkdir("a");
      expect(changesOf(await second.reply)).toEqual(["ADDED a"]);
    });

    it.each<[string, () => Promise<unknown>]>([
      ["the handle", () => root.close()],
      ["the tree connect", () => tree.disconnect()],
      ["the session", () => tree.session.logOff()],
    ])("ends with %s: NOTIFY_CLEANUP", async (_, end) => {
      const calls = [await begin(root), await begin(root)];
      await end();
      for (const call of calls) expect(await status(call)).toBe("STATUS_NOTIFY_CLEANUP");
      expect(harness.server.fileTable(harness.volume).watchers.isEmpty).toBe(true);
      expect(harness.errors).toEqual([]);
    });

    it("leaves nothing behind when the connection ends", async () => {
      await begin(root);
      for (const connection of harness.server.connections) {
        if (connection.sessions.has(tree.session.sessionId)) connection.disconnect();
      }
      await settle();
      expect(harness.server.fileTable(harness.volume).watchers.isEmpty).toBe(true);
      await other.mkdir("a");
      expect(harness.errors).toEqual([]);
    });

    it.each<[string, (directory: SmbFile) => Promise<unknown>]>([
      ["marked", (directory) => directory.setInfo(Class.FileDispositionInformation, deletion)],
      [
        "closed by who deletes on close",
        async () => {
          const options = { createOptions: CreateOption.DIRECTORY_FILE | CreateOption.DELETE_ON_CLOSE };
          await (await other.create("d", options)).close();
        },
      ],
    ])("ends when its directory is %s for deletion: DELETE_PENDING", async (_, remove) => {
      const d = await tree.createDirectory("d");
      const second = await other.create("d");
      const call = await begin(d);
      await remove(second);
      expect(await status(call)).toBe("STATUS_DELETE_PENDING");
    });

    it("pays for one answer with one credit charge, and not for the interim one again", async () => {
      const call = await begin(root);
      await other.mkdir("a");
      const [interim, final] = [await call.pending, await call.reply];
      expect(interim.header.credits).toBeGreaterThan(0);
      expect(final.header.credits).toBe(0);
    });
  });
});
