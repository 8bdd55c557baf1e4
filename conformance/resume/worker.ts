// SPDX-License-Identifier: Apache-2.0
/** A client that works on one file, comes back after each cut, and knows what the file must hold. */
import { NtStatus } from "../../src/nt/status.ts";
import {
  DurableHandleFlag,
  GlobalCapability,
  HeaderFlag,
  LockFlag,
  OplockLevel,
} from "../../src/smb2/wire/constants.ts";
import { type CreateRequest, decodeCreateResponse } from "../../src/smb2/wire/create.ts";
import {
  durableHandleReconnectV2Context,
  durableHandleRequestV2Context,
} from "../../src/smb2/wire/create-context-data.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { chunk, copyInput, keyOf } from "../../test/support/copychunk-client.ts";
import { type Account, logOn, SmbFile, type SmbTree } from "../../test/support/smb-client.ts";
import { ClientError, type Reply, SmbConnection, StatusError, succeeded } from "../../test/support/smb-connection.ts";
import { type RequestBody, requests } from "../../test/support/smb-requests.ts";
import { connectTcp } from "../../test/support/smb-transport.ts";

/** Bytes of the file. */
export const FILE_SIZE = 2 * 1024 * 1024;
const LARGEST_WRITE = 128 * 1024;
const LARGEST_COPY = 256 * 1024;
/** Milliseconds between attempts. */
const PAUSE = 25;
/** Milliseconds after which a server that does not come back is a failure. */
const PATIENCE = 20_000;
/** Bytes that stay locked for as long as the worker lives. */
export const LOCKED = { offset: BigInt(FILE_SIZE), length: 4096n } as const;

export interface WorkerOptions {
  readonly port: number;
  readonly account: Account;
  readonly share: string;
  readonly name: string;
  readonly persistent: boolean;
  /** 0 to just below 1. */
  readonly random: () => number;
}

export const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

export async function mount(options: Pick<WorkerOptions, "port" | "account" | "share">, clientGuid?: Buffer) {
  const connection = new SmbConnection(await connectTcp(options.port), clientGuid);
  await connection.negotiate({
    capabilities:
      GlobalCapability.LARGE_MTU |
      GlobalCapability.MULTI_CHANNEL |
      GlobalCapability.ENCRYPTION |
      GlobalCapability.PERSISTENT_HANDLES,
  });
  return (await logOn(connection, options.account)).treeConnect(options.share);
}

function guidOf(random: () => number): Buffer {
  return Buffer.from(Array.from({ length: 16 }, () => Math.floor(random() * 256)));
}

export class Worker {
  /** What the server has acknowledged. */
  readonly content = Buffer.alloc(FILE_SIZE);
  operations = 0;
  reconnects = 0;
  readonly #options: WorkerOptions;
  readonly #clientGuid: Buffer;
  readonly #createGuid: Buffer;
  #file: SmbFile | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#clientGuid = guidOf(options.random);
    this.#createGuid = guidOf(options.random);
  }

  get #flags(): number {
    return this.#options.persistent ? DurableHandleFlag.PERSISTENT : 0;
  }

  /** Opens the file anew, fills it and locks a range of it. */
  async start(): Promise<void> {
    const { name, persistent } = this.#options;
    const request: Partial<CreateRequest> = {
      requestedOplockLevel: persistent ? OplockLevel.NONE : OplockLevel.BATCH,
      createDisposition: 5,
      contexts: [durableHandleRequestV2Context({ timeout: 60_000, flags: this.#flags, createGuid: this.#createGuid })],
    };
    const tree = await this.#mount();
    this.#file = await tree.create(name, request);
    if (this.#file.response.contexts.length === 0) throw new Error("the handle is not durable");
    for (let offset = 0; offset < FILE_SIZE; offset += LARGEST_WRITE) await this.#write(offset, LARGEST_WRITE);
    const lock = { ...LOCKED, flags: LockFlag.EXCLUSIVE_LOCK | LockFlag.FAIL_IMMEDIATELY };
    await this.#carryOut((file) => requests.lock(file.fileId, [lock], { number: 1, index: 1 }));
  }

  /** Writes, copies and reads at random until it is told to stop. @throws Error where the server has lost something */
  async work(isOver: () => boolean): Promise<void> {
    const { random } = this.#options;
    const below = (limit: number) => Math.floor(random() * limit);
    while (!isOver()) {
      const kind = below(10);
      const length = 1 + below(kind < 6 ? LARGEST_WRITE : LARGEST_COPY);
      const offset = below(FILE_SIZE - length);
      if (kind < 6) await this.#write(offset, length);
      else if (kind < 8) await this.#copy(offset, below(FILE_SIZE - length), length);
      else await this.#verify(offset, length);
      this.operations += 1;
    }
    for (let offset = 0; offset < FILE_SIZE; offset += LARGEST_COPY) await this.#verify(offset, LARGEST_COPY);
  }

  async close(): Promise<void> {
    await this.#carryOut((file) => requests.close(file.fileId));
  }

  async #write(offset: number, length: number): Promise<void> {
    const data = Buffer.alloc(length, Math.floor(this.#options.random() * 256));
    await this.#carryOut((file) => requests.write(file.fileId, offset, data));
    data.copy(this.content, offset);
  }

  async #copy(from: number, to: number, length: number): Promise<void> {
    const source = Buffer.from(this.content.subarray(from, from + length));
    // A copy that was cut may be done: where the ranges overlap, it would be another one the second time.
    if (Math.abs(from - to) < length) return;
    const chunks = [chunk(from, to, length)];
    await this.#carryOut(async (file) => {
      const input = copyInput(await keyOf(file), chunks);
      return requests.ioctl(Fsctl.SRV_COPYCHUNK, file.fileId, { input });
    });
    source.copy(this.content, to);
  }

  async #verify(offset: number, length: number): Promise<void> {
    const { data } = await this.#read(offset, length);
    const expected = this.content.subarray(offset, offset + length);
    if (data.equals(expected)) return;
    const at = data.findIndex((byte, index) => byte !== expected[index]);
    throw new Error(
      `acknowledged data are lost: byte ${offset + at} is ${data[at]}, not ${expected[at]}, after ${this.operations} operations`,
    );
  }

  async #read(offset: number, length: number): Promise<{ data: Buffer }> {
    const reply = await this.#carryOut((file) => requests.read(file.fileId, offset, length));
    // The response's data begin behind its fixed part, 16 bytes (MS-SMB2 2.2.20).
    const start = reply.message.readUInt8(64 + 2);
    return { data: reply.message.subarray(start, start + length) };
  }

  /** Sends a request until it is answered; after a cut as a replay, on the handle taken up again. */
  async #carryOut(make: (file: SmbFile) => RequestBody | Promise<RequestBody>): Promise<Reply> {
    const giveUp = Date.now() + PATIENCE;
    for (let again = false; ; again = true) {
      try {
        const file = await this.#current();
        const body = await make(file);
        const flags = again ? HeaderFlag.REPLAY_OPERATION : 0;
        return succeeded(await file.exchange(body, { header: { flags } }));
      } catch (error) {
        if (error instanceof StatusError) {
          // The first one is still being carried out.
          if (error.status !== NtStatus.FILE_NOT_AVAILABLE || Date.now() > giveUp) throw error;
        } else if (!isCut(error) || Date.now() > giveUp) throw error;
        await pause(PAUSE);
      }
    }
  }

  async #current(): Promise<SmbFile> {
    const file = this.#file;
    if (file !== undefined && !file.tree.session.connection.isClosed) return file;
    if (file === undefined) throw new Error("nothing was opened");
    const tree = await this.#mount();
    const contexts = [
      durableHandleReconnectV2Context({ fileId: file.fileId, createGuid: this.#createGuid, flags: this.#flags }),
    ];
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const reply = await tree.exchange(requests.create(this.#options.name, { contexts, desiredAccess: 0 }));
      // The server has not noticed yet that the connection before is gone.
      const early = reply.status === NtStatus.OBJECT_NAME_NOT_FOUND && Date.now() < deadline;
      if (reply.status === NtStatus.SUCCESS || !early) {
        this.#file = new SmbFile(tree, decodeCreateResponse(succeeded(reply).reader));
        this.reconnects += 1;
        return this.#file;
      }
      await pause(PAUSE);
    }
  }

  #mount(): Promise<SmbTree> {
    return mount(this.#options, this.#clientGuid);
  }
}

/** The connection is gone, or cannot be had for now. */
export function isCut(error: unknown): boolean {
  if (error instanceof ClientError) return true;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ECONNREFUSED" || code === "ECONNRESET" || code === "EPIPE";
}
