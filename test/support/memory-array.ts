// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { type RodTokenLimits, RodType, type ThirdPartyCopy } from "../../src/scsi/commands/vpd-third-party-copy.ts";
import { ScsiError, ScsiStatus, TransportError } from "../../src/scsi/errors.ts";
import type {
  BlockRange,
  CommandOptions,
  CopyNexus,
  LogicalUnit,
  LogicalUnitDescription,
  LogicalUnitEvent,
  PopulatedToken,
  PopulateTokenRequest,
  WriteUsingTokenRequest,
} from "../../src/scsi/logical-unit.ts";
import { SenseKey } from "../../src/scsi/sense.ts";

const PAGE = 64 * 1024;

/** An array in memory whose units know each other's tokens. They hold a copy of the data, whatever kind they say they are. */
export class MemoryArray {
  readonly tokens = new Map<string, Buffer>();
  readonly thirdPartyCopy: ThirdPartyCopy;
  readonly #rodType: number;
  #made = 0;

  constructor(
    limits: Partial<RodTokenLimits> = {},
    { rodType = RodType.POINT_IN_TIME }: { readonly rodType?: number } = {},
  ) {
    this.#rodType = rodType;
    this.thirdPartyCopy = {
      limits: {
        maximumRanges: 64,
        maximumInactivityTimeout: 3600,
        defaultInactivityTimeout: 300,
        maximumTokenTransfer: Number.POSITIVE_INFINITY,
        optimalTransfer: 0,
        ...limits,
      },
      features: undefined,
      rodTypes: [],
      commands: undefined,
    };
  }

  newToken(data: Buffer, creator: string): Buffer {
    const token = Buffer.alloc(512);
    token[16] = 0xe4;
    createHash("sha256").update(creator).digest().copy(token, 20, 0, 20);
    token.writeBigUInt64BE(BigInt(data.length), 56);
    token.writeUInt32BE(this.#rodType, 0);
    token.writeUInt16BE(0x01f8, 6);
    token.writeUInt32BE(++this.#made, 8);
    this.tokens.set(token.toString("latin1"), data);
    return token;
  }
}

export interface MemoryUnitOptions {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly blockSize?: number;
  readonly array?: MemoryArray;
}

/** A logical unit in memory: what is not written reads as 0xa5, so that nobody takes it for zeros. */
export class MemoryUnit implements LogicalUnit {
  readonly address: string;
  state: LogicalUnit["state"] = "online";
  description: LogicalUnitDescription;
  /** Called before each command that changes the medium; may throw, or wait. */
  beforeWrite: (lba: number, blocks: number) => void | Promise<void> = () => {};
  beforePopulate: () => void | Promise<void> = () => {};
  beforeCopy: () => void | Promise<void> = () => {};
  /** WRITE USING TOKEN commands so far. */
  copies = 0;
  beforeUnmap: (ranges: readonly BlockRange[]) => void | Promise<void> = () => {};
  beforeRead: (lba: number, blocks: number) => void | Promise<void> = () => {};
  /** Bytes that commands have moved between the unit and its initiator. */
  bytesRead = 0;
  bytesWritten = 0;
  readonly #array: MemoryArray | undefined;
  readonly #pages = new Map<number, Buffer>();
  readonly #listeners = new Set<(event: LogicalUnitEvent) => void>();

  constructor({ name, size, blockSize = 512, array }: MemoryUnitOptions) {
    this.address = `memory://${name}`;
    this.#array = array;
    this.description = {
      identity: {
        name,
        designators: [],
        vendor: "TESSERA",
        product: "MEMORY",
        revision: "1",
        serialNumber: name,
      },
      capacity: { blocks: size / blockSize, blockSize, physicalBlockSize: 4096, lowestAlignedLba: 0 },
      limits: {
        maximumTransfer: Number.POSITIVE_INFINITY,
        optimalTransfer: 0,
        optimalGranularity: 1,
        maximumWriteSame: Number.POSITIVE_INFINITY,
        maximumUnmap: Number.POSITIVE_INFINITY,
        maximumUnmapRanges: Number.POSITIVE_INFINITY,
        unmapGranularity: 1,
        unmapAlignment: 0,
      },
      provisioning: { kind: "thin", unmap: true, writeSameUnmap: true, readsZeros: true },
      thirdPartyCopy: array?.thirdPartyCopy,
      readOnly: false,
    };
  }

  async ready(): Promise<LogicalUnitDescription> {
    if (this.state !== "online") throw new TransportError("no path leads to the unit");
    return this.description;
  }

  listen(listener: (event: LogicalUnitEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Gives the unit another size, or another name. */
  become(change: { readonly size?: number; readonly name?: string }): void {
    const previous = this.description;
    const { capacity, identity } = previous;
    const size = change.size ?? capacity.blocks * capacity.blockSize;
    this.description = {
      ...previous,
      capacity: { ...capacity, blocks: size / capacity.blockSize },
      identity: { ...identity, name: change.name ?? identity.name },
    };
    this.#tell({ kind: "changed", description: this.description, previous });
  }

  vanish(): void {
    this.state = "missing";
    this.#tell({ kind: "missing", reason: new TransportError("unplugged") });
  }

  comeBack(): void {
    this.state = "online";
    this.#tell({ kind: "online", description: this.description });
  }

  #tell(event: LogicalUnitEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  async read(lba: number, target: readonly Buffer[]): Promise<void> {
    const blocks = this.#blocks(lba, target);
    await this.beforeRead(lba, blocks);
    this.#check();
    let at = lba * this.blockSize;
    for (const part of target) {
      this.#get(at, part);
      at += part.length;
      this.bytesRead += part.length;
    }
  }

  async write(lba: number, data: readonly Buffer[]): Promise<void> {
    const blocks = this.#blocks(lba, data);
    await this.beforeWrite(lba, blocks);
    this.#check();
    let at = lba * this.blockSize;
    for (const part of data) {
      this.#put(at, part);
      at += part.length;
      this.bytesWritten += part.length;
    }
  }

  /** As if a write had been cut off: the first `bytes` of the data are on the medium. */
  writeTorn(lba: number, data: readonly Buffer[], bytes: number): void {
    this.#put(lba * this.blockSize, Buffer.concat(data).subarray(0, bytes));
  }

  async synchronizeCache(): Promise<void> {
    this.#check();
  }

  async unmap(ranges: readonly BlockRange[]): Promise<void> {
    await this.beforeUnmap(ranges);
    for (const range of ranges) await this.writeZeros(range);
  }

  async writeZeros({ lba, blocks }: BlockRange): Promise<void> {
    await this.beforeWrite(lba, blocks);
    this.#check();
    this.#put(lba * this.blockSize, Buffer.alloc(blocks * this.blockSize));
  }

  async populateToken({ ranges }: PopulateTokenRequest): Promise<PopulatedToken> {
    this.#check();
    await this.beforePopulate();
    this.#checkRanges("POPULATE TOKEN", ranges);
    const data = ranges.map(({ lba, blocks }) => {
      const part = Buffer.alloc(blocks * this.blockSize);
      this.#get(lba * this.blockSize, part);
      return part;
    });
    const all = Buffer.concat(data);
    const token = this.#needArray("POPULATE TOKEN").newToken(all, this.address);
    return { token, rodType: token.readUInt32BE(0), blocks: all.length / this.blockSize };
  }

  async writeUsingToken(request: WriteUsingTokenRequest, _options?: CommandOptions): Promise<number> {
    const { token, offsetInRod, ranges } = request;
    await this.beforeCopy();
    this.#checkRanges("WRITE USING TOKEN", ranges);
    this.copies++;
    const data = this.#needArray("WRITE USING TOKEN").tokens.get(token.toString("latin1"));
    if (data === undefined) {
      throw refusal("WRITE USING TOKEN", 0x23, 0x04);
    }
    let at = offsetInRod * this.blockSize;
    let done = 0;
    for (const { lba, blocks } of ranges) {
      await this.beforeWrite(lba, blocks);
      this.#check();
      const part = data.subarray(at, at + blocks * this.blockSize);
      this.#put(lba * this.blockSize, part);
      at += part.length;
      done += part.length / this.blockSize;
    }
    return done;
  }

  async reportAllRodTokens(): Promise<readonly Buffer[]> {
    return [];
  }

  copyNexus(): CopyNexus {
    throw new TransportError("no path leads to the unit");
  }

  async reset(): Promise<void> {
    this.#tell({ kind: "reset" });
  }

  async close(): Promise<void> {
    this.state = "closed";
  }

  get blockSize(): number {
    return this.description.capacity.blockSize;
  }

  /** What is on the medium, for tests that look beneath the volume. */
  peek(offset: number, length: number): Buffer {
    const target = Buffer.alloc(length);
    this.#get(offset, target);
    return target;
  }

  #check(): void {
    if (this.state !== "online") throw new TransportError("no path leads to the unit");
  }

  #checkRanges(command: string, ranges: readonly BlockRange[]): void {
    const { limits } = this.#needArray(command).thirdPartyCopy;
    const blocks = ranges.reduce((sum, range) => sum + range.blocks, 0);
    const wrong = ranges.some(({ lba }) => !Number.isInteger(lba)) || blocks === 0;
    if (wrong || ranges.length > limits.maximumRanges || blocks > limits.maximumTokenTransfer) {
      throw refusal(command, 0x26, 0x00);
    }
  }

  #needArray(command: string): MemoryArray {
    if (this.#array !== undefined) return this.#array;
    throw refusal(command, 0x20, 0x00);
  }

  #blocks(lba: number, parts: readonly Buffer[]): number {
    const bytes = parts.reduce((sum, part) => sum + part.length, 0);
    const blocks = bytes / this.blockSize;
    if (!Number.isInteger(lba) || !Number.isInteger(blocks) || bytes === 0) {
      throw new RangeError(`${bytes} bytes from block ${lba}`);
    }
    if (lba < 0 || lba + blocks > this.description.capacity.blocks) throw new RangeError(`LBA ${lba} out of range`);
    return blocks;
  }

  #get(start: number, target: Buffer): void {
    for (let done = 0; done < target.length; ) {
      const at = (start + done) % PAGE;
      const step = Math.min(PAGE - at, target.length - done);
      const page = this.#pages.get((start + done - at) / PAGE);
      if (page === undefined) target.fill(0xa5, done, done + step);
      else page.copy(target, done, at, at + step);
      done += step;
    }
  }

  #put(start: number, data: Buffer): void {
    for (let done = 0; done < data.length; ) {
      const at = (start + done) % PAGE;
      const step = Math.min(PAGE - at, data.length - done);
      const index = (start + done - at) / PAGE;
      let page = this.#pages.get(index);
      if (page === undefined) {
        page = Buffer.alloc(PAGE, 0xa5);
        this.#pages.set(index, page);
      }
      data.copy(page, at, done, done + step);
      done += step;
    }
  }
}

/** CHECK CONDITION, ILLEGAL REQUEST. */
export function refusal(command: string, asc: number, ascq: number): ScsiError {
  const sense = { key: SenseKey.ILLEGAL_REQUEST, asc, ascq, information: undefined, deferred: false };
  return new ScsiError(command, ScsiStatus.CHECK_CONDITION, sense);
}
