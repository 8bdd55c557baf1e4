// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { FileAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus, statusName } from "../../../src/nt/status.ts";
import { QueryDirectoryFlag } from "../../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../../src/smb2/wire/fscc/classes.ts";
import { decodeDirectoryEntries, directoryEntryFixedLength } from "../../../src/smb2/wire/fscc/directory-info.ts";
import { decodeOutputBuffer } from "../../../src/smb2/wire/output-buffer.ts";
import type { QueryDirectoryRequest } from "../../../src/smb2/wire/query-directory.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import { ServerHarness, statusOf } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const { RESTART_SCANS, RETURN_SINGLE_ENTRY, INDEX_SPECIFIED, REOPEN } = QueryDirectoryFlag;
const CLASS = FileInformationClass.FileIdBothDirectoryInformation;
const CLASSES = [1, 2, 3, 12, 37, 38, 60];

describe("QUERY_DIRECTORY", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let directory: SmbFile;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    tree = await harness.mount();
    await tree.mkdir("dir");
    for (const name of ["alpha.txt", "Beta.TXT", "gamma", "delta.doc"]) await tree.put(`dir\\${name}`, name);
    await tree.mkdir("dir\\sub");
    directory = await tree.create("dir");
  });

  /** One request: its names, or its status. */
  async function query(request: Partial<QueryDirectoryRequest> = {}, handle = directory): Promise<string[] | string> {
    const full = { fileInformationClass: CLASS as number, ...request };
    const reply = await handle.exchange(requests.queryDirectory(handle.fileId, full));
    if (reply.status !== NtStatus.SUCCESS) return statusName(reply.status).replace("STATUS_", "");
    const output = decodeOutputBuffer(reply.reader, "QUERY_DIRECTORY");
    expect(output.length).toBeLessThanOrEqual(full.outputBufferLength ?? 65_536);
    return decodeDirectoryEntries(full.fileInformationClass, output).map(({ name }) => name);
  }

  const everything = [".", "..", "alpha.txt", "Beta.TXT", "delta.doc", "gamma", "sub"];
  const sorted = (names: string[] | string) => (typeof names === "string" ? names : [...names].sort());

  it.each(CLASSES)(
    "lists everything once in class %i, then says that there is no more",
    async (fileInformationClass) => {
      expect(sorted(await query({ fileInformationClass }))).toEqual([...everything].sort());
      expect(await query({ fileInformationClass })).toBe("NO_MORE_FILES");
      expect(await query({ fileInformationClass })).toBe("NO_MORE_FILES");
    },
  );

  it("shows names as hidden that the share hides, and lets them be overwritten all the same", async () => {
    const hiding = await ServerHarness.start({ share: { hidesName: (name) => name.startsWith(".") } });
    const mounted = await hiding.mount();
    await mounted.put(".profile", "old");
    await mounted.put("plain", "");
    const root = await mounted.create("");
    const reply = await root.exchange(requests.queryDirectory(root.fileId, { fileInformationClass: CLASS }));
    const hidden = decodeDirectoryEntries(CLASS, decodeOutputBuffer(reply.reader, "QUERY_DIRECTORY"))
      .filter(({ stat }) => (stat.attributes & FileAttribute.HIDDEN) !== 0)
      .map(({ name }) => name);
    expect(hidden).toEqual([".profile"]);
    const overwritten = await mounted.createFile(".profile");
    expect(overwritten.response.fileAttributes).toBe(FileAttribute.HIDDEN | FileAttribute.ARCHIVE);
    expect((await mounted.get(".profile")).length).toBe(0);
  });

  it.each([
    ["*.txt", ["Beta.TXT", "alpha.txt"]],
    ["*", everything],
    ["", everything],
    ["?????", ["gamma"]],
    ["*.*", everything],
    ["<.doc", ["delta.doc"]],
    ["ALPHA.txt", ["alpha.txt"]],
    ["sub", ["sub"]],
    [".", ["."]],
    ["*m*", ["gamma"]],
  ])("finds %j", async (fileName, expected) => {
    expect(sorted(await query({ fileName }))).toEqual([...expected].sort());
    expect(await query({ fileName })).toBe("NO_MORE_FILES");
  });

  // MS-FSA 2.1.5.6.3: a scan that starts again is no first query, but on a directory that is opened again (MS-SMB2 <409>).
  it.each(["missing", "*.nothing", "mis?ing"])(
    "says that nothing matches %j, once for each opening",
    async (fileName) => {
      expect(await query({ fileName })).toBe("NO_SUCH_FILE");
      expect(await query({ fileName })).toBe("NO_MORE_FILES");
      expect(await query({ fileName, flags: RESTART_SCANS })).toBe("NO_MORE_FILES");
      expect(await query({ fileName, flags: REOPEN })).toBe("NO_SUCH_FILE");
    },
  );

  it.each(["a|b", "a*|", "a:b", "a:b*", "a\\*", "a/b", "\u0001*", "\u001f", "*".repeat(256), "n".repeat(256)])(
    "refuses %j as a pattern, and goes on where it was",
    async (fileName) => {
      const [first] = await query({ flags: RETURN_SINGLE_ENTRY });
      expect(first).toBe(".");
      expect(await query({ fileName, flags: REOPEN })).toBe("OBJECT_NAME_INVALID");
      expect((await query())[0]).toBe("..");
    },
  );

  it("keeps the pattern that the scan began with", async () => {
    expect(await query({ fileName: "alpha*", flags: RETURN_SINGLE_ENTRY })).toEqual(["alpha.txt"]);
    expect(await query({ fileName: "gamma" })).toBe("NO_MORE_FILES");
    expect(await query({ fileName: "gamma", flags: REOPEN })).toEqual(["gamma"]);
  });

  it.each([RESTART_SCANS, REOPEN, RESTART_SCANS | REOPEN])("begins again with flags %i", async (flags) => {
    await query();
    expect(sorted(await query({ flags }))).toEqual([...everything].sort());
  });

  it("gives one entry at a time", async () => {
    const names: string[] = [];
    for (;;) {
      const found = await query({ flags: RETURN_SINGLE_ENTRY });
      if (typeof found === "string") break;
      expect(found).toHaveLength(1);
      names.push(...found);
    }
    expect(sorted(names)).toEqual([...everything].sort());
  });

  it.each([128, 160, 200, 300, 400])("gives everything once in buffers of %i bytes", async (outputBufferLength) => {
    const names: string[] = [];
    let last: string[] | string = [];
    for (let count = 0; count < 20 && typeof last !== "string"; count += 1) {
      names.push(...last);
      last = await query({ outputBufferLength });
    }
    expect(last).toBe("NO_MORE_FILES");
    expect(sorted(names)).toEqual([...everything].sort());
  });

  it("goes on behind an index", async () => {
    const reply = await directory.exchange(requests.queryDirectory(directory.fileId, { fileInformationClass: CLASS }));
    const entries = decodeDirectoryEntries(CLASS, decodeOutputBuffer(reply.reader, "QUERY_DIRECTORY"));
    const third = entries[2];
    if (third === undefined) throw new Error("too few entries");
    expect(await query({ flags: INDEX_SPECIFIED, fileIndex: third.index })).toEqual(
      entries.slice(3).map(({ name }) => name),
    );
    expect(await query({ flags: INDEX_SPECIFIED, fileIndex: 4000 })).toBe("NO_MORE_FILES");
  });

  it("truncates the one name that has no room, and gives it again", async () => {
    const long = "n".repeat(100);
    await tree.put(`dir\\${long}`, "");
    const fixed = directoryEntryFixedLength(CLASS) ?? 0;
    const request = { fileInformationClass: CLASS, fileName: "nnn*", outputBufferLength: fixed + 20 };
    const reply = await directory.exchange(requests.queryDirectory(directory.fileId, request));
    expect(statusName(reply.status)).toBe("STATUS_BUFFER_OVERFLOW");
    const output = decodeOutputBuffer(reply.reader, "QUERY_DIRECTORY");
    expect(output.length).toBeLessThanOrEqual(fixed + 20);
    expect(output.readUInt32LE(60)).toBe(200);
    expect(await query()).toEqual([long]);
  });

  it.each(CLASSES)("refuses a buffer too small for any entry of class %i", async (fileInformationClass) => {
    const fixed = directoryEntryFixedLength(fileInformationClass) ?? 0;
    for (const outputBufferLength of [0, 1, fixed - 1]) {
      expect(await query({ fileInformationClass, outputBufferLength })).toBe("INFO_LENGTH_MISMATCH");
    }
    expect(await query({ fileInformationClass, fileName: "gamma" })).toEqual(["gamma"]);
  });

  it("refuses what it does not know", async () => {
    for (const fileInformationClass of [0, 4, 5, 255]) {
      expect(await query({ fileInformationClass })).toBe("INVALID_INFO_CLASS");
    }
    expect(await query({ fileName: "a\\b" })).toBe("OBJECT_NAME_INVALID");
    const file = await tree.create("dir\\gamma");
    expect(await query({}, file)).toBe("INVALID_PARAMETER");
    const stream = await tree.createFile("dir:stream");
    expect(await query({}, stream)).toBe("INVALID_PARAMETER");
    const blind = await tree.create("dir", { desiredAccess: Access.READ_ATTRIBUTES });
    expect(await query({}, blind)).toBe("ACCESS_DENIED");
  });

  it("bounds the buffer", async () => {
    const most = harness.server.context.options.maxTransactSize;
    tree.session.connection.creditsAsked = 1000;
    await tree.exchange(requests.echo());
    expect(await query({ outputBufferLength: most + 1 })).toBe("INVALID_PARAMETER");
    expect(sorted(await query({ outputBufferLength: most }))).toEqual([...everything].sort());
  });

  it("keeps handles apart", async () => {
    const other = await tree.create("dir");
    await query({ flags: RETURN_SINGLE_ENTRY });
    expect(sorted(await query({}, other))).toEqual([...everything].sort());
    expect(await query()).toHaveLength(everything.length - 1);
  });

  it("gives each entry to one of several requests at once", async () => {
    const answers = await Promise.all(Array.from({ length: 12 }, () => query({ flags: RETURN_SINGLE_ENTRY })));
    expect(sorted(answers.flatMap((names) => (typeof names === "string" ? [] : names)))).toEqual(
      [...everything].sort(),
    );
  });

  describe("on a slow volume", () => {
    const gate = new Gate();
    let slow: SmbFile;

    beforeEach(async () => {
      gate.release();
      const mounted = await (await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) })).mount();
      for (let index = 0; index < 40; index += 1) await mounted.put(`file-${index}`, "");
      slow = await mounted.create("");
    });

    it("lets requests on one handle begin only when those before have ended", async () => {
      gate.hold("next");
      const answers = Array.from({ length: 4 }, () => query({ outputBufferLength: 1024 }, slow));
      let ended = 0;
      for (const answer of answers) void answer.then(() => (ended += 1));
      const all = Promise.all(answers);
      while (ended < answers.length) {
        await gate.arrival("next");
        expect(gate.waiting).toBe(1);
        gate.letGo(0);
        await new Promise(setImmediate);
      }
      const names = (await all).flat();
      expect(new Set(names).size).toBe(names.length);
    });

    it("refuses what still waits when the handle closes", async () => {
      gate.hold("next");
      const answers = [query({}, slow), query({}, slow)];
      await gate.arrival("next");
      const closing = slow.close();
      gate.release();
      await closing;
      expect((await Promise.all(answers))[1]).toBe("FILE_CLOSED");
    });

    it("leaves nothing open behind a pattern that it refuses", async () => {
      const before = gate.open;
      for (const fileName of ["*".repeat(256), "a|*"]) {
        expect(await query({ fileName }, slow)).toBe("OBJECT_NAME_INVALID");
      }
      expect(gate.open).toBe(before);
    });
  });

  it("lists a directory of many entries", async () => {
    await tree.mkdir("many");
    const names = Array.from({ length: 700 }, (_, index) => `entry-${index}`);
    for (const name of names) await tree.put(`many\\${name}`, "");
    const many = await tree.create("many");
    const found: string[] = [];
    for (let last = await query({}, many); typeof last !== "string"; last = await query({}, many)) found.push(...last);
    expect(found.filter((name) => !name.startsWith(".")).sort()).toEqual([...names].sort());
    expect(new Set(found).size).toBe(702);
  });

  it("ends with the handle", async () => {
    await directory.close();
    expect(await statusOf(directory.queryDirectory({ fileInformationClass: CLASS }))).toBe("STATUS_FILE_CLOSED");
  });
});
