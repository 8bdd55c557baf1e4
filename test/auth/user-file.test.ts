// SPDX-License-Identifier: Apache-2.0

import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileAccountStore, UserFileError } from "../../src/auth/user-file.ts";

const hash = (byte: number): Buffer => Buffer.alloc(16, byte);

let folder = "";
let file = "";

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "tessera-users-"));
  file = path.join(folder, "users");
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function put(content: unknown, mode = 0o600): Promise<void> {
  await writeFile(file, typeof content === "string" ? content : JSON.stringify(content), { mode });
  await chmod(file, mode);
}

const minimal = { version: 1, machineSid: "S-1-5-21-1-2-3", nextRid: 1001 };
const alice = { name: "alice", rid: 1000, ntHash: "0".repeat(32) };

describe("FileAccountStore", () => {
  it("creates the file with a random machine SID, for its owner only", async () => {
    const random = (size: number): Buffer => Buffer.alloc(size, 0x01);
    const store = await FileAccountStore.openOrCreate(file, random);
    expect(store.machineSid).toBe("S-1-5-21-16843009-16843009-16843009");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await FileAccountStore.openOrCreate(file)).machineSid).toBe(store.machineSid);
    expect(await readdir(folder)).toEqual(["users"]);
  });

  it("keeps what is added, changed and removed, and never gives a RID twice", async () => {
    const store = await FileAccountStore.openOrCreate(file);
    await store.set({ name: "Alice", ntHash: hash(1) });
    await store.set({ name: "bob", ntHash: hash(2), admin: true });
    await store.remove("BOB");
    await store.set({ name: "carol", ntHash: hash(3) });
    await store.set({ name: "ALICE", ntHash: hash(4) });
    await store.set({ name: "carol", disabled: true });
    const again = await FileAccountStore.open(file);
    const summary = again
      .list()
      .map(({ name, rid, ntHash, admin, disabled }) => [name, rid, ntHash[0], admin, disabled]);
    expect(summary).toEqual([
      ["Alice", 1000, 4, false, false],
      ["carol", 1002, 3, false, true],
    ]);
    expect(again.lookupRid(1002)?.name).toBe("carol");
    expect(store.list()).toEqual(again.list());
    expect((await stat(file)).mode & 0o777).toBe(0o600);
  });

  it("takes over changes on reload, and keeps what it had after an error", async () => {
    const running = await FileAccountStore.openOrCreate(file);
    const other = await FileAccountStore.open(file);
    await other.set({ name: "alice", ntHash: hash(1) });
    expect(running.lookup("alice")).toBeUndefined();
    await running.reload();
    expect(running.lookup("alice")?.rid).toBe(1000);
    await put("{");
    await expect(running.reload()).rejects.toThrow("is not JSON");
    await put({ ...minimal, users: [] });
    await expect(running.reload()).rejects.toThrow("machine SID");
    await rm(file);
    await expect(running.reload()).rejects.toThrow("does not exist");
    expect(running.lookup("alice")?.rid).toBe(1000);
  });

  it.each([0o640, 0o604, 0o666])("refuses mode %o, and says what to do", async (mode) => {
    await put({ ...minimal, users: [alice] }, mode);
    await expect(FileAccountStore.open(file)).rejects.toThrow(`chmod 600 ${file}`);
    await expect(FileAccountStore.openOrCreate(file)).rejects.toThrow(UserFileError);
  });

  it.each<[string, unknown, string]>([
    ["a hash that is none", { ...minimal, users: [{ ...alice, ntHash: "secret" }] }, "users.0.ntHash"],
    ["an unknown field", { ...minimal, users: [{ ...alice, password: "x" }] }, "password"],
    ["a name twice", { ...minimal, nextRid: 1002, users: [alice, { ...alice, name: "ALICE", rid: 1001 }] }, "twice"],
    ["a RID twice", { ...minimal, users: [alice, { ...alice, name: "bob" }] }, "twice"],
    ["a RID beyond the next one", { ...minimal, users: [{ ...alice, rid: 1001 }] }, "nextRid"],
    ["a bad machine SID", { ...minimal, machineSid: "S-1-5-18", users: [] }, "machineSid"],
    ["another version", { ...minimal, version: 2, users: [] }, "version"],
  ])("refuses %s", async (_, content, message) => {
    await put(content);
    await expect(FileAccountStore.open(file)).rejects.toThrow(message);
    await expect(FileAccountStore.open(file)).rejects.toThrow(UserFileError);
  });

  it("shows no secret in its errors", async () => {
    await put('{"users": [{"ntHash": "8846f7eaee8fb117ad06bdd830b7586c"');
    await expect(FileAccountStore.open(file)).rejects.not.toThrow("8846f7ea");
  });

  it("refuses names that Windows would not take, new users without a password, and unknown users", async () => {
    const store = await FileAccountStore.openOrCreate(file);
    await expect(store.set({ name: "a\\b", ntHash: hash(1) })).rejects.toThrow(UserFileError);
    await expect(store.set({ name: "alice" })).rejects.toThrow("needs a password");
    await expect(store.remove("alice")).rejects.toThrow("no user alice");
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject({ nextRid: 1000, users: [] });
  });

  it("does not open what is not there, or not a file", async () => {
    await expect(FileAccountStore.open(file)).rejects.toThrow("does not exist");
    await expect(FileAccountStore.open(folder)).rejects.toThrow("not a file");
    await expect(FileAccountStore.openOrCreate(path.join(folder, "no", "users"))).rejects.toThrow("cannot be written");
  });
});
