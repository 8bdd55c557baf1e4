// SPDX-License-Identifier: Apache-2.0

import { appendFileSync, chmodSync, mkdirSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { decodeChangeNotifyResponse } from "../../../src/smb2/wire/change-notify.ts";
import { ChangeNotifyFlag, CompletionFilter, CreateOption, LeaseBreakFlag } from "../../../src/smb2/wire/constants.ts";
import { decodeFileNotifyInformation, FileAction } from "../../../src/smb2/wire/fscc/notify-info.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import type { OutsideChange, OutsideChanges } from "../../../src/vfs/outside-changes.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { LeaseClient } from "../../support/lease-client.ts";
import { ServerHarness, settle } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import type { Call, Reply } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";
import { temporaryVolume } from "../../vfs/posix/support.ts";

const ANY = 0xfff;

const actionNames = new Map<number, string>(Object.entries(FileAction).map(([name, value]) => [value, name]));

function changesOf(reply: Reply): string[] {
  const { output } = decodeChangeNotifyResponse(reply.reader);
  return decodeFileNotifyInformation(output).map(({ action, fileName }) => `${actionNames.get(action)} ${fileName}`);
}

const notify = async (file: SmbFile, filter = ANY, flags = 0): Promise<Call> => {
  const call = file.submit(requests.changeNotify(file.fileId, filter, flags, 4096));
  await call.pending;
  return call;
};

const watched = (tree: SmbTree, name = "") => tree.create(name, { desiredAccess: Access.LIST_DIRECTORY });

describe("changes made in the folder behind a share", () => {
  let clock: FakeClock;
  let harness: ServerHarness;
  let tree: SmbTree;
  let root: string;

  beforeEach(async () => {
    clock = new FakeClock();
    const temporary = await temporaryVolume({ after: (ms, action) => clock.after(ms, action) });
    root = temporary.root;
    harness = await ServerHarness.start({ clock, volume: temporary.volume });
    tree = await harness.mount();
  });

  const at = (...names: string[]) => join(root, ...names);
  const pass = async () => {
    clock.advance(250);
    await settle();
  };

  it("answer CHANGE_NOTIFY", async () => {
    const directory = await watched(tree);
    let call = await notify(directory);
    writeFileSync(at("f"), "");
    await pass();
    expect(changesOf(await call.reply)).toEqual(["ADDED f"]);
    call = await notify(directory);
    renameSync(at("f"), at("g"));
    await pass();
    expect(changesOf(await call.reply)).toEqual(["RENAMED_OLD_NAME f", "RENAMED_NEW_NAME g"]);
    call = await notify(directory);
    unlinkSync(at("g"));
    await pass();
    expect(changesOf(await call.reply)).toEqual(["REMOVED g"]);
  });

  it("are those that were asked for", async () => {
    writeFileSync(at("f"), "");
    const filters = [
      CompletionFilter.FILE_NAME,
      CompletionFilter.DIR_NAME,
      CompletionFilter.SIZE | CompletionFilter.LAST_WRITE,
      CompletionFilter.SECURITY,
      CompletionFilter.STREAM_NAME,
    ];
    const calls = await Promise.all(filters.map(async (filter) => notify(await watched(tree), filter)));
    const answered: string[] = [];
    for (const [index, call] of calls.entries()) {
      void call.reply.then((reply) => answered.push(`${index}: ${changesOf(reply).join()}`));
    }
    appendFileSync(at("f"), "x");
    await pass();
    expect(answered.splice(0)).toEqual(["2: MODIFIED f"]);
    chmodSync(at("f"), 0o600);
    await pass();
    expect(answered.splice(0)).toEqual(["3: MODIFIED f"]);
    mkdirSync(at("d"));
    await pass();
    expect(answered.splice(0)).toEqual(["1: ADDED d"]);
    unlinkSync(at("f"));
    await pass();
    expect(answered.splice(0)).toEqual(["0: REMOVED f"]);
  });

  it("are told of beneath a watched tree", async () => {
    mkdirSync(at("a", "b"), { recursive: true });
    const directory = await watched(tree, "a");
    const call = await notify(directory, ANY, ChangeNotifyFlag.WATCH_TREE);
    await pass();
    writeFileSync(at("a", "b", "f"), "");
    await pass();
    expect(changesOf(await call.reply)).toEqual(["ADDED b\\f"]);
  });

  it("are not confused with those that clients make", async () => {
    const directory = await watched(tree);
    const call = await notify(directory, ANY, ChangeNotifyFlag.WATCH_TREE);
    await tree.put("f", "content");
    await pass();
    expect(changesOf(await call.reply)).toEqual(["ADDED f"]);
    const next = directory.submit(requests.changeNotify(directory.fileId, ANY, 0, 4096));
    expect(changesOf(await next.reply)).toEqual(["MODIFIED f"]);
    const last = await notify(directory);
    await pass();
    writeFileSync(at("z"), "");
    await pass();
    expect(changesOf(await last.reply)).toEqual(["ADDED z"]);
  });

  it("end what clients cache of a file", async () => {
    const client = await LeaseClient.mount(harness);
    const { state } = await client.open("f", { key: 1, state: "RWH" });
    expect(state).toBe("RWH");
    appendFileSync(at("f"), "x");
    await pass();
    expect(client.breaks).toEqual([{ key: 1, from: "RWH", to: "", epoch: 2, flags: LeaseBreakFlag.ACK_REQUIRED }]);
  });

  it("end what clients cache of a directory", async () => {
    const client = await LeaseClient.mount(harness);
    mkdirSync(at("d"));
    const directory = await client.open("d", {
      key: 2,
      state: "RH",
      request: { createOptions: CreateOption.DIRECTORY_FILE, desiredAccess: Access.FILE_GENERIC_READ },
    });
    expect(directory.state).toBe("RH");
    writeFileSync(at("d", "f"), "");
    await pass();
    expect(client.breaks.map(({ key, to }) => [key, to])).toEqual([[2, ""]]);
  });

  it("leave alone what a client does beneath its own lease", async () => {
    const client = await LeaseClient.mount(harness);
    const { file } = await client.open("f", { key: 1, state: "RWH" });
    await file.write(0, Buffer.from("own"));
    await pass();
    expect(client.breaks).toEqual([]);
  });

  it("are watched only while somebody cares", async () => {
    await pass();
    expect(clock.pendingTimers).toBe(0);
    const client = await LeaseClient.mount(harness);
    const { file } = await client.open("f", { key: 1, state: "R" });
    const directory = await watched(tree);
    await notify(directory);
    expect(clock.pendingTimers).toBeGreaterThan(0);
    await file.close();
    await directory.close();
    await pass();
    expect(clock.pendingTimers).toBe(0);
  });
});

/** A volume whose test plays the others. */
class TellingVolume extends MemoryVolume {
  tell: (change: OutsideChange) => void = () => {};
  readonly watched = new Set<object>();
  readonly outside: OutsideChanges = {
    listen: (listener) => {
      this.tell = (change) => listener([change]);
    },
    watchDirectory: (file) => this.#watch(file),
    watchData: (file) => this.#watch(file),
  };

  #watch(file: object): () => void {
    this.watched.add(file);
    return () => void this.watched.delete(file);
  }
}

describe("more changes than the storage can tell of", () => {
  it("have everybody look again, and cache nothing", async () => {
    const volume = new TellingVolume();
    const harness = await ServerHarness.start({ volume });
    const client = await LeaseClient.mount(harness);
    await client.open("f", { key: 1, state: "RH" });
    const directory = await watched(client.tree);
    const call = await notify(directory);
    volume.tell({ kind: "lost" });
    expect((await call.reply).status).toBe(NtStatus.NOTIFY_ENUM_DIR);
    expect(client.breaks.map(({ key, to }) => [key, to])).toEqual([[1, ""]]);
    client.close();
    await settle();
    expect(volume.watched.size).toBe(0);
  });
});
