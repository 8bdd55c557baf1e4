// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { chown, type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import {
  type Account,
  type AccountInput,
  type AccountStore,
  accountNameProblem,
  FIRST_ACCOUNT_RID,
  MemoryAccountStore,
  machineSidFromBytes,
} from "./accounts.ts";

/** The users file cannot be read, or written, or must not be trusted. The message is for the administrator. */
export class UserFileError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UserFileError";
  }
}

const sid = z.string().regex(/^S-1-[0-9]+(-[0-9]+)+$/, "must be a SID, such as S-1-5-32-551");

const userSchema = z.strictObject({
  name: z.string(),
  rid: z.int().min(FIRST_ACCOUNT_RID).max(0x7fffffff),
  ntHash: z.string().regex(/^[0-9a-f]{32}$/i, "must have 32 hexadecimal digits"),
  admin: z.boolean().default(false),
  disabled: z.boolean().default(false),
  groups: z.array(sid).default([]),
  privileges: z.array(z.string()).default([]),
});

const fileSchema = z.strictObject({
  version: z.literal(1),
  machineSid: z.string().regex(/^S-1-5-21(-[0-9]{1,10}){3}$/, "must have the form S-1-5-21-a-b-c"),
  /** RID of the next account: RIDs of removed accounts are not given out again, because descriptors still name them. */
  nextRid: z.int().min(FIRST_ACCOUNT_RID),
  users: z.array(userSchema),
});

interface Content {
  readonly machineSid: string;
  readonly nextRid: number;
  readonly users: readonly Account[];
}

/** What tells that a file is still the one that was read. */
type Version = string;

const ABSENT: Version = "absent";

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** What to change about an account, or to begin one with. */
export interface UserChange {
  readonly name: string;
  /** NT hash of the password; needed for a new account. */
  readonly ntHash?: Buffer;
  readonly admin?: boolean;
  readonly disabled?: boolean;
}

/**
 * Accounts in a JSON file that holds password hashes, so that it must be readable by its owner only. Serves from memory;
 * {@link reload} takes over what was changed in the file.
 */
export class FileAccountStore implements AccountStore {
  readonly path: string;
  #content: Content;
  #store: MemoryAccountStore;

  private constructor(file: string, content: Content) {
    this.path = file;
    this.#content = content;
    this.#store = storeOf(file, content);
  }

  /** @throws UserFileError: missing, readable by others, or not valid */
  static async open(file: string): Promise<FileAccountStore> {
    const { content } = await read(file);
    if (content === undefined) throw new UserFileError(`The users file ${file} does not exist.`);
    return new FileAccountStore(file, content);
  }

  /**
   * The store of this file, which is created with a random machine SID where it does not exist.
   * @throws UserFileError
   */
  static async openOrCreate(file: string, random: (size: number) => Buffer = randomBytes): Promise<FileAccountStore> {
    const { content, version } = await read(file);
    if (content !== undefined) return new FileAccountStore(file, content);
    const empty: Content = { machineSid: machineSidFromBytes(random(12)), nextRid: FIRST_ACCOUNT_RID, users: [] };
    await write(file, empty, version);
    return new FileAccountStore(file, empty);
  }

  get machineSid(): string {
    return this.#content.machineSid;
  }

  lookup(name: string): Account | undefined {
    return this.#store.lookup(name);
  }

  lookupRid(rid: number): Account | undefined {
    return this.#store.lookupRid(rid);
  }

  list(): readonly Account[] {
    return this.#store.list();
  }

  /**
   * Reads the file again; after an error the accounts are what they were.
   * @throws UserFileError, also where the machine SID is another one: it cannot change under a running server
   */
  async reload(): Promise<void> {
    const { content } = await read(this.path);
    if (content === undefined) throw new UserFileError(`The users file ${this.path} does not exist.`);
    if (content.machineSid !== this.machineSid) {
      throw new UserFileError(`The machine SID in ${this.path} has changed; that takes a restart.`);
    }
    this.#use(content);
  }

  /** Adds an account, or changes one. Returns it. @throws UserFileError */
  async set(change: UserChange): Promise<Account> {
    const problem = accountNameProblem(change.name);
    if (problem !== undefined) throw new UserFileError(`The user name ${JSON.stringify(change.name)} ${problem}.`);
    return this.#edit((content, store) => {
      const known = store.lookup(change.name);
      const ntHash = change.ntHash ?? known?.ntHash;
      if (ntHash === undefined) throw new UserFileError(`The new user ${change.name} needs a password.`);
      const account: Account = {
        name: known?.name ?? change.name,
        rid: known?.rid ?? content.nextRid,
        ntHash,
        admin: change.admin ?? known?.admin ?? false,
        disabled: change.disabled ?? known?.disabled ?? false,
        groups: known?.groups ?? [],
        privileges: known?.privileges ?? [],
      };
      const users =
        known === undefined
          ? [...content.users, account]
          : content.users.map((user) => (user.rid === account.rid ? account : user));
      const nextRid = known === undefined ? content.nextRid + 1 : content.nextRid;
      return { content: { ...content, users, nextRid }, result: account };
    });
  }

  /** Removes an account. @throws UserFileError, also where there is no such account */
  async remove(name: string): Promise<Account> {
    return this.#edit((content, store) => {
      const account = store.lookup(name);
      if (account === undefined) throw new UserFileError(`There is no user ${name}.`);
      return {
        content: { ...content, users: content.users.filter((user) => user.rid !== account.rid) },
        result: account,
      };
    });
  }

  #use(content: Content): void {
    this.#store = storeOf(this.path, content);
    this.#content = content;
  }

  async #edit(
    change: (content: Content, store: MemoryAccountStore) => { readonly content: Content; readonly result: Account },
  ): Promise<Account> {
    const { content, version } = await read(this.path);
    if (content === undefined) throw new UserFileError(`The users file ${this.path} does not exist.`);
    const changed = change(content, storeOf(this.path, content));
    await write(this.path, changed.content, version);
    this.#use(changed.content);
    return changed.result;
  }
}

function storeOf(file: string, { machineSid, nextRid, users }: Content): MemoryAccountStore {
  const beyond = users.find((user) => user.rid >= nextRid);
  if (beyond !== undefined) throw new UserFileError(`nextRid in ${file} is not above the RID of ${beyond.name}.`);
  try {
    return new MemoryAccountStore(machineSid, users satisfies readonly AccountInput[]);
  } catch (error) {
    if (error instanceof RangeError) throw new UserFileError(`The users file ${file} is not valid: ${error.message}.`);
    throw error;
  }
}

async function versionOf(handle: FileHandle): Promise<Version> {
  const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
  return [dev, ino, size, mtimeNs].join(":");
}

async function openExisting(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, "r");
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new UserFileError(`The users file ${file} cannot be read: ${errorCode(error) ?? String(error)}.`);
  }
}

async function read(file: string): Promise<{ readonly content: Content | undefined; readonly version: Version }> {
  const handle = await openExisting(file);
  if (handle === undefined) return { content: undefined, version: ABSENT };
  try {
    const { mode } = await handle.stat();
    if ((mode & 0o170000) !== 0o100000) throw new UserFileError(`${file} is not a file.`);
    if ((mode & 0o077) !== 0) {
      const octal = (mode & 0o777).toString(8).padStart(4, "0");
      throw new UserFileError(
        `The users file ${file} holds password hashes but is open to others (mode ${octal}). Run: chmod 600 ${file}`,
      );
    }
    const version = await versionOf(handle);
    return { content: parse(file, await handle.readFile("utf8")), version };
  } finally {
    await handle.close();
  }
}

function parse(file: string, text: string): Content {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The message of the parser quotes the text, which is secret.
    throw new UserFileError(`The users file ${file} is not JSON.`);
  }
  const parsed = fileSchema.safeParse(json);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(({ path: at, message }) => `${at.join(".") || "file"}: ${message}`);
    throw new UserFileError(`The users file ${file} is not valid: ${problems.join("; ")}.`);
  }
  const { machineSid, nextRid, users } = parsed.data;
  return { machineSid, nextRid, users: users.map((user) => ({ ...user, ntHash: Buffer.from(user.ntHash, "hex") })) };
}

function serialize({ machineSid, nextRid, users }: Content): string {
  const plain = users.map(({ name, rid, ntHash, admin, disabled, groups, privileges }) => ({
    name,
    rid,
    ntHash: ntHash.toString("hex"),
    ...(admin ? { admin } : {}),
    ...(disabled ? { disabled } : {}),
    ...(groups.length > 0 ? { groups } : {}),
    ...(privileges.length > 0 ? { privileges } : {}),
  }));
  return `${JSON.stringify({ version: 1, machineSid, nextRid, users: plain }, undefined, 2)}\n`;
}

/** Replaces the file as a whole, unless it is no longer the version that the change began with. */
async function write(file: string, content: Content, expected: Version): Promise<void> {
  const temporary = `${file}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    const handle = await open(temporary, "wx", 0o600);
    try {
      await handle.writeFile(serialize(content));
      await handle.sync();
    } finally {
      await handle.close();
    }
    const folder = path.dirname(file);
    if (process.getuid?.() === 0) {
      // An administrator edits what a service without privileges has to read.
      const { uid, gid } = await stat(expected === ABSENT ? folder : file);
      await chown(temporary, uid, gid);
    }
    if ((await currentVersion(file)) !== expected) {
      throw new UserFileError(`The users file ${file} was changed by somebody else meanwhile. Try again.`);
    }
    await rename(temporary, file);
    const directory = await open(folder, "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  } catch (error) {
    await rm(temporary, { force: true });
    if (error instanceof UserFileError) throw error;
    throw new UserFileError(`The users file ${file} cannot be written: ${errorCode(error) ?? String(error)}.`);
  }
}

async function currentVersion(file: string): Promise<Version> {
  const handle = await openExisting(file);
  if (handle === undefined) return ABSENT;
  try {
    return await versionOf(handle);
  } finally {
    await handle.close();
  }
}
