// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { open } from "lmdb";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../src/server/log.ts";
import { PersistentHandles } from "../../src/server/persistent-handles.ts";
import { StartupError } from "../../src/server/startup-error.ts";
import type { PersistentOpen } from "../../src/smb2/state/persistent-open.ts";

const record: PersistentOpen = {
  persistentId: 0xffff_ffff_ffff_fffen,
  share: "data",
  path: ["Übung", "b.txt"],
  stream: "s",
  fileId: 1n << 63n,
  reference: Buffer.from("0400aabb", "hex"),
  owner: "S-1-5-21-1-2-3-1001",
  timeout: 60_000,
  clientGuid: Buffer.alloc(16, 1),
  createGuid: Buffer.alloc(16, 2),
  fileName: "übung\\B.TXT",
  desiredAccess: 0x8000_0000,
  grantedAccess: 0x0012_0089,
  maximalAccess: 0x001f_01ff,
  shareMaximalAccess: 0x001f_01ff,
  shareAccess: 7,
  createOptions: 0x42,
  createAction: 1,
  mode: 2,
  deleteOnClose: true,
  deletePending: false,
  position: 3n,
  oplockLevel: 0xff,
  lease: { leaseKey: Buffer.alloc(16, 3), version: 2, parentLeaseKey: undefined, state: 7, epoch: 9 },
  appInstance: { id: Buffer.alloc(16, 4), version: { high: 5n, low: 0xffff_ffff_ffff_ffffn } },
  locks: [{ offset: 0xffff_ffff_ffff_fff0n, length: 16n, exclusive: true }],
  lockSequences: Uint8Array.from(Buffer.alloc(64, 7)),
};

describe("PersistentHandles", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-"));
  });

  afterEach(() => rm(folder, { recursive: true, force: true }));

  it("gives back what was put, to the next process", async () => {
    const first = PersistentHandles.open(folder, silentLog);
    expect(first.load()).toEqual([]);
    await first.put(record);
    const plain = { ...record, persistentId: 5n, lease: undefined, appInstance: undefined, lockSequences: undefined };
    await first.put({ ...plain, locks: [...record.locks, ...record.locks] });
    await first.put(plain);
    await first.close();
    const second = PersistentHandles.open(folder, silentLog);
    const loaded = [...second.load()].sort((a, b) => (a.persistentId < b.persistentId ? -1 : 1));
    expect(loaded[0]).toEqual(plain);
    const { lockSequences, ...rest } = loaded[1] ?? record;
    const { lockSequences: expected, ...others } = record;
    expect(rest).toEqual(others);
    expect(Buffer.from(lockSequences ?? [])).toEqual(Buffer.from(expected ?? []));
    await second.remove(5n);
    await second.close();
    const third = PersistentHandles.open(folder, silentLog);
    expect(third.load().map(({ persistentId }) => persistentId)).toEqual([record.persistentId]);
    await third.close();
  });

  it.each(["", "{}", '{"form":2}', "not JSON"])("gives up a record that it does not understand: %j", async (text) => {
    const database = open<string, string>({ path: path.join(folder, "persistent-handles"), encoding: "string" });
    await database.put("1", text);
    await database.close();
    const logged: string[] = [];
    const log = { ...silentLog, error: (_: object, message: string) => void logged.push(message) };
    const handles = PersistentHandles.open(folder, log);
    expect(handles.load()).toEqual([]);
    expect(logged).toHaveLength(1);
    await handles.close();
  });

  it("says plainly that the folder cannot be used", () => {
    expect(() => PersistentHandles.open("/dev/null", silentLog)).toThrow(StartupError);
  });
});
