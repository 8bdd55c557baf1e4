// SPDX-License-Identifier: Apache-2.0
/**
 * SIGKILL of the gateway in the middle of random work: what was acknowledged is there afterwards, what was under way is there or
 * not, and the catalogue is sound.
 */
import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { NtStatus } from "../../src/nt/status.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { offloadRead, offloadWrite } from "../../test/support/offload-client.ts";
import type { SmbFile, SmbTree } from "../../test/support/smb-client.ts";
import { StatusError } from "../../test/support/smb-connection.ts";
import { launchArray } from "../lib/array.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { isCut } from "../resume/worker.ts";
import { content, MiB, withTree } from "./files.ts";
import { Gateway, shareOn } from "./gateway.ts";

const ROUNDS = 15;
const NAMES = ["a", "b", "c", "d"] as const;
const LARGEST_FILE = 2 * MiB;
const LARGEST_WRITE = 256 * 1024;
const SECTOR = 512;
/** Milliseconds of work before a kill, at most. */
const LONGEST_ROUND = 700;

/** A file before and after an operation: `undefined` where it does not exist. */
interface Doubt {
  readonly name: string;
  readonly before: Buffer | undefined;
  readonly after: Buffer | undefined;
}

/** A client that knows what has been acknowledged to it. */
class Worker {
  operations = 0;
  readonly #files = new Map<string, Buffer>();
  /** What the operation at work changes. */
  #doubts: readonly Doubt[] = [];

  /** Works until the connection ends. */
  async work(tree: SmbTree): Promise<void> {
    for (;;) {
      this.#doubts = [];
      await this.#operation(tree);
      for (const { name, after } of this.#doubts) this.#set(name, after);
      this.#doubts = [];
      this.operations += 1;
    }
  }

  #set(name: string, data: Buffer | undefined): void {
    if (data === undefined) this.#files.delete(name);
    else this.#files.set(name, data);
  }

  async #operation(tree: SmbTree): Promise<void> {
    const name = pick(NAMES);
    const before = this.#files.get(name);
    switch (before === undefined ? 0 : below(10)) {
      case 0: {
        this.#doubts = [{ name, before, after: Buffer.alloc(0) }];
        return await (await tree.createFile(name)).close();
      }
      case 1:
        return await this.#resize(tree, name, below(LARGEST_FILE));
      case 2:
        return await this.#remove(tree, name);
      case 3:
      case 4:
        return await this.#copy(tree, name, pick(NAMES));
      default:
        return await this.#write(tree, name);
    }
  }

  async #write(tree: SmbTree, name: string): Promise<void> {
    const before = this.#files.get(name) ?? Buffer.alloc(0);
    const data = randomBytes(1 + below(LARGEST_WRITE));
    const offset = below(Math.min(before.length + LARGEST_WRITE, LARGEST_FILE));
    const after = Buffer.alloc(Math.max(before.length, offset + data.length));
    before.copy(after);
    data.copy(after, offset);
    await withFile(tree, name, async (file) => {
      this.#doubts = [{ name, before, after }];
      await file.write(offset, data);
    });
  }

  async #resize(tree: SmbTree, name: string, size: number): Promise<void> {
    const before = this.#files.get(name) ?? Buffer.alloc(0);
    const after = Buffer.alloc(size);
    before.copy(after);
    const input = Buffer.alloc(8);
    input.writeBigUInt64LE(BigInt(size));
    await withFile(tree, name, async (file) => {
      this.#doubts = [{ name, before, after }];
      await file.setInfo(FileInformationClass.FileEndOfFileInformation, input);
    });
  }

  async #remove(tree: SmbTree, name: string): Promise<void> {
    await withFile(tree, name, async (file) => {
      this.#doubts = [{ name, before: this.#files.get(name), after: undefined }];
      await file.setInfo(FileInformationClass.FileDispositionInformation, Buffer.of(1));
    });
  }

  /** By the array: a sector range of one file over, or behind, the data of another. */
  async #copy(tree: SmbTree, from: string, to: string): Promise<void> {
    const source = this.#files.get(from);
    const before = this.#files.get(to);
    if (from === to || before === undefined || source === undefined || source.length < 2 * SECTOR) return;
    const sectors = Math.floor(source.length / SECTOR);
    const first = below(sectors);
    const length = (1 + below(sectors - first)) * SECTOR;
    const at = below(Math.floor(before.length / SECTOR) + 1) * SECTOR;
    await withFile(tree, from, (input) =>
      withFile(tree, to, async (output) => {
        const { token, transferLength } = await offloadRead(input, { offset: first * SECTOR, length });
        const wanted = Math.min(length, transferLength);
        // A write that begins before the end of a file does not extend it.
        const room = at < before.length ? Math.min(wanted, before.length - at) : wanted;
        const after = Buffer.alloc(Math.max(before.length, at + room));
        before.copy(after);
        source.copy(after, at, first * SECTOR, first * SECTOR + room);
        this.#doubts = [{ name: to, before, after }];
        const written = await offloadWrite(output, token, { offset: at, length: wanted });
        expect(written >= room, `${written} of ${room} bytes were copied`);
      }),
    );
  }

  /** Compares everything with what has been acknowledged, and goes on from what is there. */
  async verify(tree: SmbTree): Promise<void> {
    for (const name of NAMES) {
      const found = await contentOf(tree, name);
      const doubt = this.#doubts.find((one) => one.name === name);
      if (doubt === undefined) expect(same(found, this.#files.get(name)), `${name} has lost acknowledged data`);
      else expectEither(found, doubt);
      this.#set(name, found);
    }
    this.#doubts = [];
  }
}

const below = (limit: number) => Math.floor(Math.random() * Math.max(1, limit));

function pick<T>(list: readonly T[]): T {
  return list[below(list.length)] as T;
}

async function withFile(tree: SmbTree, name: string, use: (file: SmbFile) => Promise<void>): Promise<void> {
  const file = await tree.create(name);
  await use(file);
  await file.close();
}

async function contentOf(tree: SmbTree, name: string): Promise<Buffer | undefined> {
  try {
    return await content(tree, name);
  } catch (error) {
    if (error instanceof StatusError && error.status === NtStatus.OBJECT_NAME_NOT_FOUND) return undefined;
    throw error;
  }
}

function same(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

/** Each byte is the old or the new one: an operation that was cut off may be done in part, but brings nothing else. */
function expectEither(found: Buffer | undefined, { name, before, after }: Doubt): void {
  if (same(found, before) || same(found, after)) return;
  expect(found !== undefined && before !== undefined && after !== undefined, `${name} is neither there nor gone`);
  const [shorter, longer] = [Math.min(before.length, after.length), Math.max(before.length, after.length)];
  expect(found.length >= shorter && found.length <= longer, `${name} has ${found.length} bytes`);
  for (const [at, byte] of found.entries()) {
    const old = at < before.length ? before[at] : 0;
    const isKnown = byte === old || byte === after[at] || (at >= shorter && byte === 0);
    expect(isKnown, `byte ${at} of ${name} is neither old nor new`);
  }
}

export async function kill(context: SuiteContext): Promise<void> {
  const folder = join(context.workDir, "kill");
  mkdirSync(folder, { recursive: true });
  const luns = [0, 1].flatMap((lun) => ["--lun", `${join(folder, `lun${lun}`)}:64M,id=kill${lun}`]);
  const array = await launchArray(folder, 1, ["--identity", "kill", ...luns]);
  const options = { folder: join(context.workDir, "gateway-kill"), shares: [shareOn("san", array, 0, 1)] };
  const gateway = await Gateway.launch(options);
  const worker = new Worker();
  try {
    await context.report.check("array-share.killed", async () => {
      for (let round = 0; round < ROUNDS; round += 1) {
        await withTree(gateway, "san", async (tree) => {
          const working = worker.work(tree).catch((error: unknown) => {
            if (!isCut(error)) throw error;
          });
          const killing = new Promise((resolve) => setTimeout(resolve, below(LONGEST_ROUND))).then(() =>
            gateway.kill(),
          );
          await Promise.all([working, killing]);
        });
        await gateway.check("san");
        await gateway.start();
        await withTree(gateway, "san", (tree) => worker.verify(tree));
      }
      await gateway.stop();
      await gateway.check("san");
      process.stdout.write(`# ${worker.operations} operations, ${ROUNDS} kills\n`);
    });
  } finally {
    await gateway.stop();
    await array.stop();
  }
}
