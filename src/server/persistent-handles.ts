// SPDX-License-Identifier: Apache-2.0

import path from "node:path";
import { open, type RootDatabase } from "lmdb";
import { z } from "zod";
import type { Logger } from "../smb2/server-context.ts";
import type { PersistentOpen, PersistentOpenStore } from "../smb2/state/persistent-open.ts";
import { StartupError } from "./startup-error.ts";

/** Of the records' form; records of another one are not understood. */
const FORM = 1;

const u64 = z.string().regex(/^\d+$/).transform(BigInt);
const bytes = z
  .string()
  .regex(/^([0-9a-f]{2})*$/)
  .transform((text) => Buffer.from(text, "hex"));
const guid = bytes.refine((value) => value.length === 16);
const u32 = z.int().min(0).max(0xffff_ffff);

/** A record as it is stored: 64-bit numbers as decimal text, bytes as hexadecimal text. */
const recordSchema = z.object({
  form: z.literal(FORM),
  persistentId: u64,
  share: z.string(),
  path: z.array(z.string()),
  stream: z.string(),
  fileId: u64,
  reference: bytes.optional(),
  owner: z.string(),
  timeout: u32,
  clientGuid: guid,
  createGuid: guid,
  fileName: z.string(),
  desiredAccess: u32,
  grantedAccess: u32,
  maximalAccess: u32,
  shareMaximalAccess: u32,
  shareAccess: u32,
  createOptions: u32,
  createAction: u32,
  mode: u32,
  deleteOnClose: z.boolean(),
  deletePending: z.boolean(),
  position: u64,
  oplockLevel: u32,
  lease: z
    .object({
      leaseKey: guid,
      version: z.union([z.literal(1), z.literal(2)]),
      parentLeaseKey: guid.optional(),
      state: u32,
      epoch: u32,
    })
    .transform(({ parentLeaseKey, ...lease }) => ({ ...lease, parentLeaseKey }))
    .optional(),
  appInstance: z
    .object({ id: guid, version: z.object({ high: u64, low: u64 }).optional() })
    .transform(({ id, version }) => ({ id, version }))
    .optional(),
  locks: z.array(z.object({ offset: u64, length: u64, exclusive: z.boolean() })),
  lockSequences: bytes.optional(),
});

function encode(record: PersistentOpen): string {
  return JSON.stringify({ form: FORM, ...record }, function (this: Record<string, unknown>, key, value: unknown) {
    // A Buffer has turned itself into an object by the time that `value` is made.
    const original = this[key];
    if (typeof original === "bigint") return original.toString();
    return original instanceof Uint8Array ? Buffer.from(original).toString("hex") : value;
  });
}

function decode(text: string): PersistentOpen {
  const { form: _, lease, appInstance, lockSequences, ...record } = recordSchema.parse(JSON.parse(text));
  return { ...record, lease, appInstance, lockSequences };
}

/** Persistent handles in an embedded store in the state directory: transactions that outlive the process and the machine. */
export class PersistentHandles implements PersistentOpenStore {
  readonly #database: RootDatabase<string, string>;
  readonly #log: Logger;

  private constructor(database: RootDatabase<string, string>, log: Logger) {
    this.#database = database;
    this.#log = log;
  }

  /** @throws StartupError */
  static open(stateDirectory: string, log: Logger): PersistentHandles {
    const folder = path.join(stateDirectory, "persistent-handles");
    try {
      const database = open<string, string>({ path: folder, encoding: "string" });
      return new PersistentHandles(database, log);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new StartupError(`The persistent handles in ${folder} cannot be read: ${reason}.`);
    }
  }

  load(): readonly PersistentOpen[] {
    const records: PersistentOpen[] = [];
    for (const { key, value } of this.#database.getRange()) {
      try {
        records.push(decode(value));
      } catch (err) {
        this.#log.error({ handle: key, err }, "a persistent handle cannot be read, and is given up");
        void this.#database.remove(key);
      }
    }
    return records;
  }

  async put(record: PersistentOpen): Promise<void> {
    await this.#database.put(record.persistentId.toString(), encode(record));
    await this.#database.flushed;
  }

  async remove(persistentId: bigint): Promise<void> {
    await this.#database.remove(persistentId.toString());
  }

  close(): Promise<void> {
    return this.#database.close();
  }
}
