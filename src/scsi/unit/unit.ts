// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../memory/total-length.ts";
import { sliceBuffers } from "../buffers.ts";
import type { Clock } from "../clock.ts";
import {
  read16,
  synchronizeCache10,
  testUnitReady,
  unmapCdb,
  unmapParameters,
  write16,
  writeSame16,
} from "../commands/block.ts";
import { decodeReportAllRodTokens, reportAllRodTokensCdb } from "../commands/tokens.ts";
import { CommandTimeoutError, ScsiError, TransportError } from "../errors.ts";
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
} from "../logical-unit.ts";
import type { Nexus } from "../nexus.ts";
import { type SenseData, SenseKey } from "../sense.ts";
import { Copier, PinnedCopyNexus } from "./copy.ts";
import { pathQuality, surveyUnit } from "./describe.ts";
import { Executor } from "./executor.ts";
import { ListIdentifiers } from "./list-identifiers.ts";
import { type Path, type PathQuality, Paths } from "./paths.ts";
import { Slots } from "./slots.ts";

export interface UnitOptions {
  /** Milliseconds for a command that does not say, retries and failover included. */
  readonly commandTimeout: number;
  /** Commands, and bytes of data, at the unit at one time. */
  readonly maximumCommands: number;
  readonly maximumBytesInFlight: number;
  /** Bytes that one READ, or one WRITE, moves at most. */
  readonly maximumRead: number;
  readonly maximumWrite: number;
}

export const defaultUnitOptions: UnitOptions = {
  commandTimeout: 30_000,
  maximumCommands: 32,
  maximumBytesInFlight: 32 * 1024 * 1024,
  // Pieces of a large transfer overlap at the target. Each costs processor time, and a WRITE may need an R2T for what the target does not
  // take unasked; so measured against tgt and the simulated array.
  maximumRead: 512 * 1024,
  maximumWrite: 256 * 1024,
};

export interface UnitParts {
  readonly address: string;
  readonly lun: bigint;
  readonly paths: readonly Path[];
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly options: UnitOptions;
}

/** Blocks of one WRITE SAME where the unit sets no limit, so that no command takes forever. */
const WRITE_SAME_BLOCKS = 65536;
/** Ranges in one UNMAP, within the 64 KiB of its parameter list. */
const UNMAP_RANGES = 256;
const ROD_TOKENS_LENGTH = 64 * 1024;

/** A logical unit on whatever paths there are. */
export class ScsiUnit implements LogicalUnit {
  readonly address: string;
  readonly #parts: UnitParts;
  readonly #paths: Paths;
  readonly #slots: Slots;
  readonly #executor: Executor;
  readonly #copier: Copier;
  readonly #identifiers: ListIdentifiers;
  readonly #listeners = new Set<(event: LogicalUnitEvent) => void>();
  #description: LogicalUnitDescription | undefined;
  #state: LogicalUnit["state"] = "connecting";
  /** A path was in use before: what a unit then says of resets concerns us. */
  #wasOnline = false;
  #surveying = false;
  #surveyAgain = false;
  #hasWriteSame = true;

  constructor(parts: UnitParts) {
    const { clock, lun, address, options } = parts;
    this.address = address;
    this.#parts = parts;
    this.#slots = new Slots(options.maximumCommands, options.maximumBytesInFlight);
    this.#identifiers = new ListIdentifiers(parts.randomBytes(4).readUInt32BE(0));
    this.#paths = new Paths({
      paths: parts.paths,
      lun,
      clock,
      prepare: (nexus) => this.#prepare(nexus),
      isChanging: (nexus) => this.#executor.isChanging(nexus),
      attention: (attentionLun, sense) => {
        if (attentionLun === lun) this.#attention(sense);
      },
      online: () => this.#online(),
      missing: (reason) => this.#missing(reason),
    });
    this.#executor = new Executor(
      {
        address,
        lun,
        clock,
        slots: this.#slots,
        commandTimeout: options.commandTimeout,
        attention: (sense) => this.#attention(sense),
      },
      this.#paths,
    );
    this.#copier = new Copier({
      clock,
      nexus: async (signal) => this.#pin(await this.#paths.wait(signal)),
      blockSize: () => this.#known().capacity.blockSize,
      commandTimeout: options.commandTimeout,
      reset: (timeout) => this.reset({ timeout }),
      settled: () => this.#paths.settled,
    });
    this.#paths.start();
  }

  get description(): LogicalUnitDescription | undefined {
    return this.#description;
  }

  get state(): LogicalUnit["state"] {
    return this.#state;
  }

  async ready({ signal, timeout }: CommandOptions = {}): Promise<LogicalUnitDescription> {
    const controller = new AbortController();
    const { clock, options } = this.#parts;
    const timer = clock.after(timeout ?? options.commandTimeout, () => {
      controller.abort(new CommandTimeoutError(`${this.address} is not there`));
    });
    const abort = () => controller.abort(signal?.reason);
    signal?.addEventListener("abort", abort, { once: true });
    if (signal?.aborted === true) abort();
    try {
      await this.#paths.wait(controller.signal);
      return this.#known();
    } catch (error) {
      if (!(error instanceof CommandTimeoutError)) throw error;
      const cause = this.#paths.lastError;
      throw new TransportError(`${this.address} cannot be reached: ${cause.message}`, { cause });
    } finally {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
    }
  }

  listen(listener: (event: LogicalUnitEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  read(lba: number, target: readonly Buffer[], options?: CommandOptions): Promise<void> {
    return this.#transfer(lba, target, this.#parts.options.maximumRead, (first, blocks, dataIn) =>
      this.#moveAll({ cdb: read16(first, blocks), dataIn }, options),
    );
  }

  write(
    lba: number,
    data: readonly Buffer[],
    options?: CommandOptions & { readonly forceUnitAccess?: boolean | undefined },
  ): Promise<void> {
    const forceUnitAccess = options?.forceUnitAccess === true;
    return this.#transfer(lba, data, this.#parts.options.maximumWrite, (first, blocks, dataOut) =>
      this.#moveAll({ cdb: write16(first, blocks, forceUnitAccess), dataOut, changesMedium: true }, options),
    );
  }

  async synchronizeCache(options?: CommandOptions): Promise<void> {
    await this.#executor.run({ cdb: synchronizeCache10() }, options);
  }

  async unmap(ranges: readonly BlockRange[], options?: CommandOptions): Promise<void> {
    const { provisioning, limits } = this.#known();
    if (!provisioning.unmap) return;
    const maximumRanges = Math.min(limits.maximumUnmapRanges, UNMAP_RANGES);
    const maximumBlocks = Math.min(limits.maximumUnmap, 0xffffffff);
    let batch: BlockRange[] = [];
    let blocks = 0;
    const flush = async () => {
      const list = unmapParameters(batch);
      const cdb = unmapCdb(batch.length);
      batch = [];
      blocks = 0;
      await this.#executor.run({ cdb, dataOut: [list], changesMedium: true }, options);
    };
    for (const range of ranges) {
      for (let done = 0; done < range.blocks; ) {
        const size = Math.min(range.blocks - done, maximumBlocks - blocks);
        batch.push({ lba: range.lba + done, blocks: size });
        blocks += size;
        done += size;
        if (batch.length === maximumRanges || blocks === maximumBlocks) await flush();
      }
    }
    if (batch.length > 0) await flush();
  }

  async writeZeros(range: BlockRange, unmap: boolean, options?: CommandOptions): Promise<void> {
    const { provisioning, limits, capacity } = this.#known();
    const giveUp = unmap && provisioning.writeSameUnmap && provisioning.readsZeros;
    const step = Math.min(limits.maximumWriteSame, WRITE_SAME_BLOCKS);
    const block = Buffer.alloc(capacity.blockSize);
    for (let done = 0; done < range.blocks; ) {
      const lba = range.lba + done;
      if (!this.#hasWriteSame) return this.#writeZeroData({ lba, blocks: range.blocks - done }, options);
      const blocks = Math.min(step, range.blocks - done);
      try {
        const cdb = writeSame16(lba, blocks, giveUp);
        await this.#executor.run({ cdb, dataOut: [block], changesMedium: true }, options);
        done += blocks;
      } catch (error) {
        const unknown = error instanceof ScsiError && error.is(SenseKey.ILLEGAL_REQUEST, 0x20);
        if (!unknown) throw error;
        this.#hasWriteSame = false;
      }
    }
  }

  populateToken(request: PopulateTokenRequest, options?: CommandOptions): Promise<PopulatedToken> {
    return this.#copier.populateToken(request, options);
  }

  writeUsingToken(request: WriteUsingTokenRequest, options?: CommandOptions): Promise<number> {
    return this.#copier.writeUsingToken(request, options);
  }

  async reportAllRodTokens(options?: CommandOptions): Promise<readonly Buffer[]> {
    const answer = Buffer.alloc(ROD_TOKENS_LENGTH);
    const order = { cdb: reportAllRodTokensCdb(ROD_TOKENS_LENGTH), dataIn: [answer] };
    const received = await this.#executor.run(order, options);
    return decodeReportAllRodTokens(answer.subarray(0, received));
  }

  copyNexus(): CopyNexus {
    const nexus = this.#paths.current;
    if (nexus !== undefined) return this.#pin(nexus);
    throw new TransportError(`${this.address} cannot be reached: ${this.#paths.lastError.message}`);
  }

  async reset(options: CommandOptions = {}): Promise<void> {
    await this.ready(options);
    const nexus = this.#paths.current;
    if (nexus === undefined) throw new TransportError(`${this.address} was lost: ${this.#paths.lastError.message}`);
    await nexus.resetLogicalUnit(this.#parts.lun);
  }

  async close(): Promise<void> {
    this.#state = "closed";
    await this.#paths.close();
    this.#listeners.clear();
  }

  #known(): LogicalUnitDescription {
    if (this.#description === undefined) throw new TransportError(`${this.address} has not been reached yet`);
    return this.#description;
  }

  #pin(nexus: Nexus): PinnedCopyNexus {
    return new PinnedCopyNexus(nexus, this.#executor, this.#identifiers);
  }

  /** Splits a transfer as the limits ask, and carries out its parts side by side. */
  async #transfer(
    lba: number,
    buffers: readonly Buffer[],
    maximum: number,
    move: (lba: number, blocks: number, part: readonly Buffer[]) => Promise<void>,
  ): Promise<void> {
    const { capacity, limits } = this.#known();
    const { blockSize } = capacity;
    const length = totalLength(buffers);
    if (length === 0) return;
    if (length % blockSize !== 0) throw new RangeError(`${length} bytes are not whole blocks of ${blockSize}`);
    const blocks = length / blockSize;
    const step = Math.max(1, Math.min(limits.maximumTransfer, Math.floor(maximum / blockSize)));
    if (blocks <= step) return move(lba, blocks, buffers);
    const parts: Promise<void>[] = [];
    for (let done = 0; done < blocks; done += step) {
      const size = Math.min(step, blocks - done);
      parts.push(move(lba + done, size, sliceBuffers(buffers, done * blockSize, size * blockSize)));
    }
    // The buffers are in use until the last part has ended, however the others did.
    for (const outcome of await Promise.allSettled(parts)) {
      if (outcome.status === "rejected") throw outcome.reason;
    }
  }

  async #moveAll(order: Parameters<Executor["run"]>[0], options: CommandOptions | undefined): Promise<void> {
    const expected = totalLength(order.dataIn ?? order.dataOut ?? []);
    const moved = await this.#executor.run(order, options);
    if (moved !== expected) throw new TransportError(`${this.address} moved ${moved} of ${expected} bytes`);
  }

  async #writeZeroData({ lba, blocks }: BlockRange, options: CommandOptions | undefined): Promise<void> {
    const { blockSize } = this.#known().capacity;
    const step = Math.floor(this.#parts.options.maximumWrite / blockSize);
    const zeros = Buffer.alloc(Math.min(step, blocks) * blockSize);
    for (let done = 0; done < blocks; done += step) {
      const size = Math.min(step, blocks - done);
      await this.write(lba + done, [zeros.subarray(0, size * blockSize)], options);
    }
  }

  /** Looks at the unit through a new nexus. */
  async #prepare(nexus: Nexus): Promise<PathQuality> {
    await this.#executor.run({ cdb: testUnitReady(), nexus, urgent: true });
    const { description, accessState } = await this.#survey(nexus);
    const known = this.#description?.identity.name;
    const { name } = description.identity;
    if (known !== undefined && known !== name) {
      throw new TransportError(`${nexus.portal} leads to another unit now: ${name}, and not ${known}`);
    }
    const quality = pathQuality(accessState);
    this.#describe(description);
    return quality;
  }

  #survey(nexus: Nexus | undefined) {
    return surveyUnit(async (cdb, allocationLength) => {
      const answer = Buffer.alloc(allocationLength);
      return answer.subarray(0, await this.#executor.run({ cdb, dataIn: [answer], nexus, urgent: true }));
    });
  }

  #online(): void {
    this.#wasOnline = true;
    this.#state = "online";
    this.#emit({ kind: "online", description: this.#known() });
  }

  #missing(reason: Error): void {
    if (this.#state === "missing") return;
    this.#state = "missing";
    this.#emit({ kind: "missing", reason });
  }

  /** Something happened to the unit (SPC-4 5.14, SAM-5 5.14). */
  #attention(sense: SenseData): void {
    const { key, asc, ascq, deferred } = sense;
    if ((asc === 0x29 || deferred) && this.#wasOnline) this.#emit({ kind: "reset" });
    const changed = key === SenseKey.DATA_PROTECT || asc === 0x2a || (asc === 0x3f && (ascq === 0x03 || ascq === 0x0e));
    if (changed && this.#state === "online") void this.#surveyLater();
  }

  /** Looks at the unit anew, once for all the reasons that come while it is being looked at. */
  async #surveyLater(): Promise<void> {
    this.#surveyAgain = true;
    if (this.#surveying) return;
    this.#surveying = true;
    try {
      while (this.#surveyAgain && this.#state === "online") {
        this.#surveyAgain = false;
        const { description } = await this.#survey(undefined);
        if (description.identity.name === this.#description?.identity.name) this.#describe(description);
      }
    } catch {
      // The unit cannot be asked now: it is looked at again when it is online the next time.
    } finally {
      this.#surveying = false;
    }
  }

  #describe(description: LogicalUnitDescription): void {
    const previous = this.#description;
    this.#description = description;
    if (previous !== undefined && !sameDescription(previous, description)) {
      this.#emit({ kind: "changed", description, previous });
    }
  }

  #emit(event: LogicalUnitEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}

/** Compares what a listener could act on. */
function sameDescription(a: LogicalUnitDescription, b: LogicalUnitDescription): boolean {
  const essence = ({ capacity, limits, provisioning, thirdPartyCopy, readOnly }: LogicalUnitDescription) =>
    JSON.stringify([capacity, limits, provisioning, thirdPartyCopy?.limits, thirdPartyCopy?.rodTypes, readOnly]);
  return essence(a) === essence(b);
}
