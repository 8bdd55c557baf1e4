// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { NtStatus } from "../../../src/nt/status.ts";
import { ChangeNotifyList, type NotifyOutcome, type WatchParameters } from "../../../src/smb2/state/notify.ts";
import { CompletionFilter } from "../../../src/smb2/wire/constants.ts";
import { FileAction, fileNotifyInformationLength } from "../../../src/smb2/wire/fscc/notify-info.ts";

const { FILE_NAME, DIR_NAME, ATTRIBUTES } = CompletionFilter;
const ANY = 0xfff;

describe("ChangeNotifyList", () => {
  let list: ChangeNotifyList;

  beforeEach(() => {
    list = new ChangeNotifyList();
  });

  /** A watched directory that can be moved. */
  const watch = (path: string, parameters: Partial<WatchParameters> = {}) => {
    const open = { path: split(path) };
    const entry = list.add(open, open, { completionFilter: ANY, watchTree: false, bufferSize: 4096, ...parameters });
    return { open, entry };
  };
  const split = (path: string) => (path === "" ? [] : path.split("\\"));
  const added = (path: string, filter: number = FILE_NAME) =>
    list.report({ action: FileAction.ADDED, filter, path: split(path) });
  const modified = (path: string) =>
    list.report({ action: FileAction.MODIFIED, filter: ATTRIBUTES, path: split(path) });
  const names = (outcome: NotifyOutcome | undefined) => outcome?.changes.map(({ fileName }) => fileName);

  describe("who hears of a change", () => {
    it("only the directory that holds the name, without WATCH_TREE", () => {
      const root = watch("");
      const a = watch("a");
      const b = watch("a\\b");
      added("a\\file");
      expect(root.entry.take(4096)).toBeUndefined();
      expect(names(a.entry.take(4096))).toEqual(["file"]);
      expect(b.entry.take(4096)).toBeUndefined();
    });

    it("every directory above, with WATCH_TREE, each by its own relative path", () => {
      const root = watch("", { watchTree: true });
      const a = watch("a", { watchTree: true });
      const b = watch("a\\b", { watchTree: true });
      const other = watch("c", { watchTree: true });
      added("a\\b\\file");
      expect(names(root.entry.take(4096))).toEqual(["a\\b\\file"]);
      expect(names(a.entry.take(4096))).toEqual(["b\\file"]);
      expect(names(b.entry.take(4096))).toEqual(["file"]);
      expect(other.entry.take(4096)).toBeUndefined();
    });

    it("not the directory that is changed itself", () => {
      const a = watch("a", { watchTree: true });
      const root = watch("", { watchTree: true });
      modified("a");
      expect(a.entry.take(4096)).toBeUndefined();
      expect(names(root.entry.take(4096))).toEqual(["a"]);
      modified("");
      expect(root.entry.take(4096)).toBeUndefined();
    });

    it("who has asked for this kind of change", () => {
      const files = watch("", { completionFilter: FILE_NAME });
      const directories = watch("", { completionFilter: DIR_NAME });
      const nothing = watch("", { completionFilter: 0 });
      added("d", DIR_NAME);
      expect(files.entry.take(4096)).toBeUndefined();
      expect(names(directories.entry.take(4096))).toEqual(["d"]);
      expect(nothing.entry.take(4096)).toBeUndefined();
    });

    it("without regard to case", () => {
      const { entry } = watch("Straße\\Ärger");
      added("STRAßE\\äRGER\\File");
      expect(names(entry.take(4096))).toEqual(["File"]);
    });

    it("several handles of one directory", () => {
      const first = watch("a");
      const second = watch("a");
      added("a\\file");
      expect(names(first.entry.take(4096))).toEqual(["file"]);
      expect(names(second.entry.take(4096))).toEqual(["file"]);
    });

    it("a directory that has moved, at its new place", () => {
      const moved = watch("a\\b");
      moved.open.path = ["c"];
      list.moved(moved.open);
      added("a\\b\\old");
      added("c\\new");
      expect(names(moved.entry.take(4096))).toEqual(["new"]);
    });

    it("nobody, once a watch has ended, while others go on", () => {
      const inner = watch("a\\b");
      const outer = watch("a");
      list.remove(outer.open, NtStatus.NOTIFY_CLEANUP);
      added("a\\file");
      added("a\\b\\file");
      expect(outer.entry.take(4096)).toBeUndefined();
      expect(names(inner.entry.take(4096))).toEqual(["file"]);
      list.remove(inner.open, NtStatus.NOTIFY_CLEANUP);
      expect(list.isEmpty).toBe(true);
      expect(list.find(inner.open)).toBeUndefined();
    });

    it("with the name of the stream behind that of the file", () => {
      const { entry } = watch("");
      const filter = CompletionFilter.STREAM_NAME;
      list.report({ action: FileAction.ADDED_STREAM, filter, path: ["file"], stream: "s" });
      expect(entry.take(4096)?.changes).toEqual([{ action: FileAction.ADDED_STREAM, fileName: "file:s" }]);
    });
  });

  describe("what is kept between requests", () => {
    it("all changes in their order, once", () => {
      const { entry } = watch("");
      added("a");
      added("b");
      expect(names(entry.take(4096))).toEqual(["a", "b"]);
      expect(entry.take(4096)).toBeUndefined();
    });

    it("one of several equal modifications in a row", () => {
      const { entry } = watch("");
      for (const path of ["a", "a", "b", "a"]) modified(path);
      expect(names(entry.take(4096))).toEqual(["a", "b", "a"]);
      added("x");
      added("x");
      expect(names(entry.take(4096))).toEqual(["x", "x"]);
    });

    it("as much as the first request has room for, else only that something was lost", () => {
      const length = fileNotifyInformationLength("a");
      const exact = watch("", { bufferSize: 2 * length });
      const short = watch("", { bufferSize: 2 * length - 1 });
      added("a");
      added("b");
      expect(names(exact.entry.take(2 * length))).toEqual(["a", "b"]);
      expect(short.entry.take(4096)).toEqual({ status: NtStatus.NOTIFY_ENUM_DIR, changes: [] });
      expect(short.entry.take(4096)).toBeUndefined();
      added("c");
      expect(names(short.entry.take(4096))).toEqual(["c"]);
    });

    it("nothing for a later request that has less room than is needed", () => {
      const { entry } = watch("");
      added("a");
      expect(entry.take(fileNotifyInformationLength("a") - 1)?.status).toBe(NtStatus.NOTIFY_ENUM_DIR);
      expect(entry.take(4096)).toBeUndefined();
    });

    it("1 MiB, however large the client's buffer", () => {
      const { entry } = watch("", { bufferSize: 8 * 1024 * 1024 });
      const name = "n".repeat(200);
      const fit = Math.floor((1024 * 1024) / fileNotifyInformationLength(name));
      for (let count = 0; count < fit; count++) added(name);
      expect(entry.take(8 * 1024 * 1024)?.changes.length).toBe(fit);
      for (let count = 0; count <= fit; count++) added(name);
      expect(entry.take(8 * 1024 * 1024)?.status).toBe(NtStatus.NOTIFY_ENUM_DIR);
    });

    it("32 MiB of all handles together, given back when they are read or closed", () => {
      const watches = Array.from({ length: 40 }, () => watch("", { bufferSize: 1024 * 1024 }));
      const name = "n".repeat(255);
      for (let count = 0; count < 1900; count++) added(name);
      const outcomes = watches.map(({ entry }) => entry.take(1024 * 1024)?.status);
      expect(outcomes).toContain(NtStatus.NOTIFY_ENUM_DIR);
      expect(outcomes).toContain(NtStatus.SUCCESS);
      for (const { open } of watches.slice(1)) list.remove(open, NtStatus.NOTIFY_CLEANUP);
      for (let round = 0; round < 50; round++) {
        for (let count = 0; count < 1900; count++) added(name);
        expect(watches[0]?.entry.take(1024 * 1024)?.status).toBe(NtStatus.SUCCESS);
      }
    });
  });

  describe("requests that wait", () => {
    const waiter = (outputBufferLength = 4096) => {
      const outcomes: NotifyOutcome[] = [];
      return { outputBufferLength, outcomes, complete: (outcome: NotifyOutcome) => void outcomes.push(outcome) };
    };

    it("are answered in their order, one for each report", () => {
      const { entry } = watch("");
      const [first, second] = [waiter(), waiter()];
      entry.wait(first);
      entry.wait(second);
      added("a");
      expect(first.outcomes.map(names)).toEqual([["a"]]);
      expect(second.outcomes).toEqual([]);
      added("b");
      added("c");
      expect(first.outcomes.length).toBe(1);
      expect(second.outcomes.map(names)).toEqual([["b"]]);
      expect(names(entry.take(4096))).toEqual(["c"]);
    });

    it("get what belongs together in one answer", () => {
      const { entry } = watch("");
      const request = waiter();
      entry.wait(request);
      list.report(
        { action: FileAction.RENAMED_OLD_NAME, filter: FILE_NAME, path: ["a"] },
        { action: FileAction.RENAMED_NEW_NAME, filter: FILE_NAME, path: ["b"] },
      );
      expect(request.outcomes.map(names)).toEqual([["a", "b"]]);
    });

    it("hear that the client has to look for itself, where nothing fits", () => {
      const { entry } = watch("", { bufferSize: 0 });
      const request = waiter(0);
      entry.wait(request);
      added("a");
      expect(request.outcomes).toEqual([{ status: NtStatus.NOTIFY_ENUM_DIR, changes: [] }]);
    });

    it("all end with the watch", () => {
      const { entry, open } = watch("");
      const [first, second] = [waiter(), waiter()];
      entry.wait(first);
      entry.wait(second);
      list.remove(open, NtStatus.DELETE_PENDING);
      const ended = [{ status: NtStatus.DELETE_PENDING, changes: [] }];
      expect(first.outcomes).toEqual(ended);
      expect(second.outcomes).toEqual(ended);
    });

    it("leave the queue when they are withdrawn", () => {
      const { entry } = watch("");
      const [first, second] = [waiter(), waiter()];
      entry.wait(first);
      entry.wait(second);
      entry.withdraw(first);
      entry.withdraw(first);
      expect(entry.waiting).toBe(1);
      added("a");
      expect(first.outcomes).toEqual([]);
      expect(second.outcomes.map(names)).toEqual([["a"]]);
    });
  });
});
