// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NtStatus } from "../../../../src/nt/status.ts";
import type { OffloadOptions } from "../../../../src/offload/engine.ts";
import { CreateDisposition, CreateOption } from "../../../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import type { DataPins } from "../../../../src/vfs/offload.ts";
import { PosixVolume } from "../../../../src/vfs/posix/volume.ts";
import type { Volume } from "../../../../src/vfs/volume.ts";
import { offloadRead, offloadWrite } from "../../../support/offload-client.ts";
import { ServerHarness } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { StatusError } from "../../../support/smb-connection.ts";

const SECTOR = 512;
const LIMIT = 24 * 1024;
/** The last one is a named stream of a file that stays. */
const FILES = 3;
const STREAM = FILES - 1;

class VolatileVolume extends MemoryVolume {
  override readonly pins: DataPins | undefined = undefined;
}

type Step =
  | {
      readonly kind: "write";
      readonly file: number;
      readonly offset: number;
      readonly length: number;
      readonly seed: number;
    }
  | { readonly kind: "resize"; readonly file: number; readonly size: number }
  | { readonly kind: "recreate"; readonly file: number; readonly overwrite: boolean }
  | { readonly kind: "rename"; readonly file: number }
  | { readonly kind: "reopen"; readonly file: number }
  | { readonly kind: "sparse"; readonly file: number }
  | { readonly kind: "touch"; readonly file: number }
  | {
      readonly kind: "copy";
      readonly file: number;
      readonly from: number;
      readonly offset: number;
      readonly length: number;
    }
  | { readonly kind: "race"; readonly steps: readonly Step[] }
  /** From here on by the next server of the group, if there is one. */
  | { readonly kind: "move" }
  | { readonly kind: "zero"; readonly file: number; readonly offset: number; readonly length: number }
  | { readonly kind: "take"; readonly file: number; readonly offset: number; readonly length: number }
  | {
      readonly kind: "give";
      readonly file: number;
      readonly token: number;
      readonly offset: number;
      readonly length: number;
      readonly transferOffset: number;
    };

const file = fc.nat(FILES - 1);
const bytes = fc.nat(LIMIT);
/** Often whole blocks, so that blocks can be shared. */
const sectors = fc.oneof(
  fc.nat(LIMIT / SECTOR).map((count) => count * SECTOR),
  fc.nat(LIMIT / 4096).map((count) => count * 4096),
);
const single: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("write"),
      file,
      offset: bytes,
      length: fc.integer({ min: 1, max: 9000 }),
      seed: fc.nat(255),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("resize"), file, size: bytes }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("recreate"), file, overwrite: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("rename"), file }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen"), file }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("sparse"), file }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("touch"), file }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("copy"),
      file,
      from: file,
      offset: bytes,
      length: fc.integer({ min: 1, max: 9000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("zero"), file, offset: bytes, length: bytes }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("take"), file, offset: sectors, length: sectors }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("give"),
      file,
      token: fc.nat(5),
      offset: sectors,
      length: sectors,
      transferOffset: fc.oneof(fc.constant(0), sectors),
    }),
  },
) as fc.Arbitrary<Step>;
/** Steps for different files, all under way at once. */
const race = fc
  .uniqueArray(single, { minLength: 2, maxLength: FILES, selector: fileOf })
  .map((steps): Step => ({ kind: "race", steps }));
const step = fc.oneof(
  { weight: 8, arbitrary: single },
  { weight: 2, arbitrary: race },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: "move" }) },
);

function fileOf(one: Step): number {
  return one.kind === "race" || one.kind === "move" ? -1 : one.file;
}

interface Token {
  readonly bytes: Buffer;
  /** What it stands for, filled up to whole sectors. */
  readonly data: Buffer;
  /** Bytes of that which come from the file. */
  readonly length: number;
}

const roundUp = (value: number) => Math.ceil(value / SECTOR) * SECTOR;

/** Files as they should be, beside files as they are. */
class Run {
  tree: SmbTree;
  readonly #trees: readonly SmbTree[];
  readonly strict: boolean;
  readonly names: string[] = [];
  readonly handles: SmbFile[] = [];
  readonly models: Buffer[] = [];
  readonly tokens: Token[] = [];
  refused = 0;
  #names = 0;

  /** @param strict a token never ends */
  constructor(trees: readonly SmbTree[], strict: boolean) {
    const [tree] = trees;
    if (tree === undefined) throw new Error("no server");
    this.tree = tree;
    this.#trees = trees;
    this.strict = strict;
  }

  async start(): Promise<void> {
    await (await this.tree.createFile("carrier")).close();
    for (let index = 0; index < FILES; index++) await this.#make(index);
  }

  async #make(index: number): Promise<void> {
    const name = index === STREAM ? `carrier:stream ${this.#names++}` : `file ${this.#names++}`;
    this.names[index] = name;
    this.handles[index] = await this.tree.createFile(name);
    this.models[index] = Buffer.alloc(0);
  }

  handle(index: number): SmbFile {
    const handle = this.handles[index];
    if (handle === undefined) throw new Error("no such file");
    return handle;
  }

  model(index: number): Buffer {
    return this.models[index] ?? Buffer.alloc(0);
  }

  #resize(index: number, size: number): Buffer {
    const next = Buffer.alloc(size);
    this.model(index).copy(next);
    this.models[index] = next;
    return next;
  }

  async step(step: Step): Promise<void> {
    if (step.kind === "race") {
      // A copy reads its source whatever becomes of that meanwhile; the other steps have a file each.
      const touched = new Set(step.steps.flatMap((one) => (one.kind === "copy" ? [one.from] : [])));
      const steps = step.steps.filter((one) => !touched.has(fileOf(one)));
      await Promise.all(steps.map((one) => (one.kind === "give" ? this.#give(one, true) : this.step(one))));
      return;
    }
    if (step.kind === "move") return this.#move();
    const handle = this.handle(step.file);
    const model = this.model(step.file);
    switch (step.kind) {
      case "write": {
        const data = Buffer.alloc(step.length);
        for (let i = 0; i < data.length; i++) data[i] = (i * 3 + step.seed) & 0xff;
        await handle.write(step.offset, data);
        data.copy(this.#resize(step.file, Math.max(model.length, step.offset + data.length)), step.offset);
        return;
      }
      case "resize": {
        const input = Buffer.alloc(8);
        input.writeBigInt64LE(BigInt(step.size));
        await handle.setInfo(FileInformationClass.FileEndOfFileInformation, input);
        this.#resize(step.file, step.size);
        return;
      }
      case "recreate":
        await handle.close();
        if (step.overwrite) {
          const createDisposition = CreateDisposition.OVERWRITE;
          this.handles[step.file] = await this.tree.create(this.names[step.file] ?? "", { createDisposition });
          this.models[step.file] = Buffer.alloc(0);
          return;
        }
        await (
          await this.tree.create(this.names[step.file] ?? "", { createOptions: CreateOption.DELETE_ON_CLOSE })
        ).close();
        return this.#make(step.file);
      case "rename": {
        if (step.file === STREAM) return;
        const name = `file ${this.#names++}`;
        const input = Buffer.alloc(20 + name.length * 2);
        input.writeUInt32LE(name.length * 2, 16);
        input.write(name, 20, "utf16le");
        await handle.setInfo(FileInformationClass.FileRenameInformation, input);
        this.names[step.file] = name;
        return;
      }
      case "reopen":
        await handle.close();
        this.handles[step.file] = await this.tree.create(this.names[step.file] ?? "");
        return;
      case "touch": {
        const basic = Buffer.alloc(40);
        basic.writeBigInt64LE(132_000_000_000_000_000n, 16);
        await handle.setInfo(FileInformationClass.FileBasicInformation, basic);
        return;
      }
      case "copy":
        return this.#copy(step);
      case "sparse":
        await handle.ioctl(Fsctl.SET_SPARSE);
        return;
      case "zero": {
        const input = Buffer.alloc(16);
        input.writeBigInt64LE(BigInt(step.offset), 0);
        input.writeBigInt64LE(BigInt(step.offset + step.length), 8);
        await handle.ioctl(Fsctl.SET_ZERO_DATA, input);
        model.fill(0, Math.min(step.offset, model.length), Math.min(step.offset + step.length, model.length));
        return;
      }
      case "take":
        return this.#take(step.offset, step.length, handle, model);
      case "give":
        return this.#give(step, false);
    }
  }

  async #move(): Promise<void> {
    for (const handle of this.handles) await handle.close();
    const next = this.#trees[(this.#trees.indexOf(this.tree) + 1) % this.#trees.length];
    if (next !== undefined) this.tree = next;
    for (const [index, name] of this.names.entries()) this.handles[index] = await this.tree.create(name);
  }

  async #copy({ file: target, from, offset, length }: Step & { kind: "copy" }): Promise<void> {
    const source = this.model(from);
    if (offset + length > source.length || source.length === 0) return;
    const key = (
      await this.handle(from).ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, Buffer.alloc(0), { maxOutputResponse: 32 })
    ).subarray(0, 24);
    const chunk = Buffer.alloc(24);
    chunk.writeBigInt64LE(BigInt(offset), 0);
    chunk.writeBigInt64LE(0n, 8);
    chunk.writeUInt32LE(length, 16);
    const input = Buffer.concat([key, Buffer.of(1, 0, 0, 0, 0, 0, 0, 0), chunk]);
    const copied = Buffer.from(source.subarray(offset, offset + length));
    await this.handle(target).ioctl(Fsctl.SRV_COPYCHUNK, input, { maxOutputResponse: 12 });
    copied.copy(this.#resize(target, Math.max(this.model(target).length, length)));
  }

  async #take(offset: number, wanted: number, handle: SmbFile, model: Buffer): Promise<void> {
    if (wanted === 0 || offset >= model.length) return;
    const { token, transferLength } = await offloadRead(handle, { offset, length: wanted });
    const length = Math.min(wanted, model.length - offset);
    expect(transferLength).toBe(roundUp(length));
    const data = Buffer.alloc(transferLength);
    model.copy(data, 0, offset, offset + length);
    // A token for zeros holds whole sectors of them.
    const isZero = token.readUInt32BE(0) === 0xffff0001;
    if (isZero) expect(data.equals(Buffer.alloc(data.length))).toBe(true);
    this.tokens.push({ bytes: token, data, length: isZero ? transferLength : length });
    if (this.tokens.length > 6) this.tokens.shift();
  }

  /** @param racing others may change the source meanwhile */
  async #give(step: Step & { kind: "give" }, racing: boolean): Promise<void> {
    const token = this.tokens[this.tokens.length - 1 - (step.token % Math.max(1, this.tokens.length))];
    const model = this.model(step.file);
    if (token === undefined || step.length === 0 || step.transferOffset >= token.data.length) return;
    const { offset, transferOffset } = step;
    // A zero token has no end of its own.
    const asked = Math.min(step.length, token.data.length - transferOffset);
    let written: number;
    try {
      written = await offloadWrite(this.handle(step.file), token.bytes, { offset, length: asked, transferOffset });
    } catch (error) {
      if (!this.strict && error instanceof StatusError && error.status === NtStatus.INVALID_TOKEN) {
        this.refused++;
        // Where nobody else was at work, nothing was written.
        if (racing) await this.#takeOver(step.file, offset, asked);
        return;
      }
      throw error;
    }
    const room = offset < model.length ? Math.min(asked, model.length - offset) : asked;
    expect(written).toBe(Math.min(asked, roundUp(room)));
    const real = Math.min(room, token.length - transferOffset);
    const next = this.#resize(step.file, Math.max(model.length, offset + real));
    token.data.copy(next, offset, transferOffset, transferOffset + Math.min(room, next.length - offset));
  }

  /** A copy that was given up halfway may have changed its range of the target, and nothing else. */
  async #takeOver(index: number, offset: number, length: number): Promise<void> {
    const before = this.model(index);
    const now = await this.read(index);
    expect(now.length).toBeGreaterThanOrEqual(before.length);
    expect(now.length).toBeLessThanOrEqual(Math.max(before.length, offset + length));
    const expected = Buffer.alloc(now.length);
    before.copy(expected);
    if (offset < now.length) now.copy(expected, offset, offset, offset + length);
    expect(now.equals(expected)).toBe(true);
    this.models[index] = now;
  }

  async read(index: number): Promise<Buffer> {
    try {
      return await this.handle(index).read(0, 4 * LIMIT);
    } catch (error) {
      if (error instanceof StatusError && error.status === NtStatus.END_OF_FILE) return Buffer.alloc(0);
      throw error;
    }
  }

  async check(): Promise<void> {
    for (let index = 0; index < FILES; index++) expect((await this.read(index)).equals(this.model(index))).toBe(true);
  }
}

interface Made {
  readonly volume: Volume;
  /** The same storage, as another server has it. */
  readonly beside: () => Promise<Volume>;
  readonly dispose: () => void;
}

function folder(parent: string): () => Promise<Made> {
  return async () => {
    const root = mkdtempSync(join(parent, "tessera-model-"));
    return {
      volume: await PosixVolume.open({ root }),
      beside: () => PosixVolume.open({ root }),
      dispose: () => rmSync(root, { recursive: true, force: true }),
    };
  };
}

function memory(make: () => Volume): () => Promise<Made> {
  return async () => ({
    volume: make(),
    beside: () => Promise.reject(new Error("memory is nobody else's")),
    dispose: () => {},
  });
}

interface Kind {
  readonly name: string;
  readonly offload?: Partial<OffloadOptions>;
  readonly make: () => Promise<Made>;
  readonly strict: boolean;
  readonly runs: number;
  /** Further servers of the same folder, each with a volume of its own. */
  readonly others?: number;
}

const reflinkFolder = process.env["TESSERA_REFLINK_FOLDER"];
/** More for a longer search. */
const effort = Number(process.env["TESSERA_MODEL_EFFORT"] ?? "1");
const kinds: Kind[] = [
  {
    name: "a volume that keeps data",
    make: memory(() => new MemoryVolume()),
    strict: true,
    runs: 300,
  },
  {
    name: "a volume that does not",
    make: memory(() => new VolatileVolume()),
    strict: true,
    runs: 300,
  },
  {
    name: "a volume that does not, with little room for old data",
    make: memory(() => new VolatileVolume()),
    offload: { maxPreservedBytes: 16_384 },
    strict: false,
    runs: 200,
  },
  { name: "a folder without reflinks", make: folder(tmpdir()), strict: true, runs: 8 },
  { name: "two servers without reflinks", make: folder(tmpdir()), strict: false, runs: 6, others: 1 },
];
if (reflinkFolder !== undefined) {
  const make = folder(reflinkFolder);
  kinds.push({ name: "a folder with reflinks", make, strict: true, runs: 60 });
  kinds.push({ name: "two servers with reflinks", make, strict: true, runs: 40, others: 1 });
}

describe("tokens beside a model", () => {
  it.each(kinds)(
    "give what was there when they were taken, on $name",
    async ({ make, strict, runs, offload = {}, others = 0 }) => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
          const { volume, beside, dispose } = await make();
          const volumes = [volume];
          for (let i = 0; i < others; i++) volumes.push(await beside());
          const harnesses: ServerHarness[] = [];
          for (const [index, one] of volumes.entries()) {
            const group = others === 0 ? {} : { tokenKeys: [Buffer.alloc(32, 1)] };
            const started = await ServerHarness.start({
              volume: one,
              offload: { ...offload, ...group },
              randomSeed: index,
            });
            harnesses.push(started);
          }
          const run = new Run(await Promise.all(harnesses.map((harness) => harness.mount())), strict);
          await run.start();
          for (const one of steps) await run.step(one);
          await run.check();
          for (const harness of harnesses) {
            expect(harness.errors).toEqual([]);
            await harness.server.shutdown();
          }
          for (const one of volumes) await one.close();
          dispose();
        }),
        { numRuns: runs * effort },
      );
    },
    120_000 * effort,
  );
});
