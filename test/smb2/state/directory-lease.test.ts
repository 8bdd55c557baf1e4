// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { breakForOutsideChange } from "../../../src/smb2/state/outside-change.ts";
import { CreateDisposition, CreateOption, Dialect, LeaseBreakFlag } from "../../../src/smb2/wire/constants.ts";
import { Writer } from "../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../src/smb2/wire/fscc/classes.ts";
import { encodeFileLinkInformation, encodeFileRenameInformation } from "../../../src/smb2/wire/fscc/rename-info.ts";
import { LeaseClient, type LeasedFile, type LeaseOpen } from "../../support/lease-client.ts";
import { ServerHarness, settle } from "../../support/server-harness.ts";
import type { SmbFile } from "../../support/smb-client.ts";
import { succeeded } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const DIRECTORY_KEY = 9;
const BREAK = { key: DIRECTORY_KEY, from: "RH", to: "", epoch: 2, flags: LeaseBreakFlag.ACK_REQUIRED };

function asDirectory(options: LeaseOpen): LeaseOpen {
  return {
    ...options,
    request: { createOptions: CreateOption.DIRECTORY_FILE, desiredAccess: Access.FILE_GENERIC_READ },
  };
}

function target(fileName: string): { rootDirectory: bigint; fileName: string; replaceIfExists: boolean } {
  return { rootDirectory: 0n, fileName, replaceIfExists: false };
}

async function setInfo(file: SmbFile, informationClass: number, encode: (writer: Writer) => void): Promise<void> {
  const writer = new Writer(256);
  encode(writer);
  succeeded(await file.exchange(requests.setInfo(file.fileId, informationClass, writer.view())));
}

const rename = (file: SmbFile, name: string) =>
  setInfo(file, FileInformationClass.FileRenameInformation, (writer) =>
    encodeFileRenameInformation(writer, target(name)),
  );
const link = (file: SmbFile, name: string) =>
  setInfo(file, FileInformationClass.FileLinkInformation, (writer) => encodeFileLinkInformation(writer, target(name)));

/** What others do in a directory. */
const changes: readonly [string, (client: LeaseClient, options: LeaseOpen) => Promise<unknown>][] = [
  ["a new file", (client, options) => client.open("dir\\new", options)],
  ["a new directory", (client, { parentKey: _, key: __, ...options }) => client.open("dir\\new", asDirectory(options))],
  ["a deletion", async (client, options) => (await open(client, options, CreateOption.DELETE_ON_CLOSE)).close()],
  ["a rename within", async (client, options) => rename(await open(client, options), "dir\\other")],
  ["a rename out of it", async (client, options) => rename(await open(client, options), "other")],
  ["a further link", async (client, options) => link(await open(client, options), "dir\\link")],
  [
    "another size",
    async (client, options) => {
      const size = Buffer.alloc(8, 1).fill(0, 2);
      const file = await open(client, options);
      succeeded(
        await file.exchange(requests.setInfo(file.fileId, FileInformationClass.FileEndOfFileInformation, size)),
      );
    },
  ],
  [
    "other attributes",
    async (client, options) => {
      const basic = Buffer.alloc(40);
      basic.writeUInt32LE(2, 32);
      const file = await open(client, options);
      succeeded(await file.exchange(requests.setInfo(file.fileId, FileInformationClass.FileBasicInformation, basic)));
    },
  ],
  [
    "the end of a handle that has written",
    async (client, options) => {
      const file = await open(client, options);
      await file.write(0, Buffer.from("x"));
      await file.close();
    },
  ],
];

async function open(client: LeaseClient, options: LeaseOpen, createOptions = 0): Promise<SmbFile> {
  return (await client.open("dir\\file", { ...options, request: { createOptions } })).file;
}

describe("a lease on a directory", () => {
  let harness: ServerHarness;
  let holder: LeaseClient;
  let other: LeaseClient;
  let held: LeasedFile;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    holder = await LeaseClient.mount(harness);
    other = await LeaseClient.mount(harness);
    await (await other.open("dir", asDirectory({}))).file.close();
    await (await other.open("dir\\file", {})).file.close();
    held = await holder.open("dir", asDirectory({ key: DIRECTORY_KEY, state: "RWH" }));
  });

  it("lets reads and handles be cached, never writes", () => {
    expect(held).toMatchObject({ state: "RH", epoch: 1 });
  });

  it("is not had with version 1", async () => {
    const { state } = await other.open("dir", asDirectory({ key: 1, state: "RH", version: 1 }));
    expect(state).toBeUndefined();
    const old = await LeaseClient.mount(harness, { dialects: [Dialect.SMB_2_1] });
    expect((await old.open("dir", asDirectory({ key: 1, state: "RH", version: 1 }))).state).toBeUndefined();
  });

  it.each(changes)("breaks at %s", async (_name, change) => {
    await change(other, {});
    expect(holder.breaks).toEqual([BREAK]);
    await holder.acknowledge(DIRECTORY_KEY, "");
  });

  it.each(changes.filter(([name]) => name !== "a new directory"))(
    "stays at %s by who names it as his own",
    async (_name, change) => {
      await change(holder, { key: 5, state: "R", parentKey: DIRECTORY_KEY });
      expect(holder.breaks).toEqual([]);
    },
  );

  it("is one client's own, not that of another who names the same key", async () => {
    await other.open("dir\\new", { key: 5, state: "R", parentKey: DIRECTORY_KEY });
    expect(holder.breaks).toEqual([BREAK]);
  });

  it("does not break where nothing shows, or somewhere else", async () => {
    const { file } = await other.open("dir\\file", {});
    await file.read(0, 1).catch(() => {});
    await file.close();
    await other.open("elsewhere", {});
    await other.open("dir", asDirectory({}));
    expect(holder.breaks).toEqual([]);
  });

  it("follows the directory to its new name", async () => {
    const mover = await other.open("dir", { request: { createOptions: CreateOption.DIRECTORY_FILE } });
    const renaming = rename(mover.file, "moved");
    await settle();
    expect(holder.breaks).toEqual([{ ...BREAK, to: "R" }]);
    await holder.acknowledge(DIRECTORY_KEY, "R");
    await renaming;
    await other.open("dir", asDirectory({ disposition: CreateDisposition.CREATE }));
    await other.open("dir\\new", {});
    expect(holder.breaks).toHaveLength(1);
    await other.open("moved\\new", {});
    expect(holder.breaks.at(-1)).toEqual({ ...BREAK, from: "R", epoch: 3, flags: 0 });
  });

  it("breaks at changes made outside of the server, as those on files do", async () => {
    const file = await other.open("dir\\file", { key: 1, state: "RH" });
    const files = harness.server.fileTable(harness.volume);
    const opened = await harness.volume.open(["dir", "file"]);
    breakForOutsideChange(files, ["dir", "file"], opened?.file.fileId);
    await settle();
    expect(holder.breaks).toEqual([BREAK]);
    expect(other.breaks).toEqual([{ ...BREAK, key: 1 }]);
    await file.file.close();
    await opened?.file.close();
  });

  it("makes way for a rename into the directory where its handle would forbid that", async () => {
    await held.file.close();
    const createOptions = CreateOption.DIRECTORY_FILE;
    const deleting = await holder.open("dir", { key: DIRECTORY_KEY, state: "RH", request: { createOptions } });
    const { file } = await other.open("file", {});
    const renaming = rename(file, "dir\\moved");
    await settle();
    expect(holder.breaks).toEqual([{ ...BREAK, to: "R" }]);
    await deleting.file.close();
    await renaming;
  });

  it("leaves nothing behind", async () => {
    const { directoryLeases } = harness.server.fileTable(harness.volume);
    expect(directoryLeases.size).toBe(1);
    await held.file.close();
    expect(directoryLeases.size).toBe(0);
    expect(harness.server.leases.size).toBe(0);
  });
});
