// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ThirdPartyCopy } from "../../scsi/commands/vpd-third-party-copy.ts";
import { FateUnknownError, ScsiError, TransportError } from "../../scsi/errors.ts";
import type { LogicalUnit, LogicalUnitDescription } from "../../scsi/logical-unit.ts";
import { ntStatusOf } from "../../scsi/nt-status.ts";
import { ArrayVolumeError } from "./errors.ts";

/** Bytes of zeros, for padding. */
const ZEROS = Buffer.alloc(1024 * 1024);

/**
 * Milliseconds that a request waits for a LUN to which no path has led a moment ago. Those that were at work when it went away
 * wait for as long as a command may take.
 */
const MISSING_PATIENCE = 1000;

/** A LUN of a volume in bytes instead of blocks. Errors are `SmbError`, with the first one as their cause. */
export class Lun {
  readonly unit: LogicalUnit;
  readonly blockSize: number;
  readonly #check: ((description: LogicalUnitDescription) => Promise<void>) | undefined;
  #checked: Promise<void> | undefined;
  #dirty = false;

  /**
   * @param check throws where the unit is not the one that it should be: before the first byte is read or written, and again
   *   whenever the unit has been away or has changed
   */
  constructor(unit: LogicalUnit, blockSize: number, check?: (description: LogicalUnitDescription) => Promise<void>) {
    this.unit = unit;
    this.blockSize = blockSize;
    this.#check = check;
    unit.listen(({ kind }) => {
      if (kind !== "reset") this.#checked = undefined;
    });
  }

  /** Of the unit as it was last seen. */
  get name(): string {
    return this.unit.description?.identity.name ?? this.unit.address;
  }

  /** The token commands of the unit; `undefined` where it has none, or is missing. */
  get thirdPartyCopy(): ThirdPartyCopy | undefined {
    return this.unit.state === "online" ? this.unit.description?.thirdPartyCopy : undefined;
  }

  /** Bytes at the start of the LUN, unchecked: for who checks it. */
  async readStart(length: number): Promise<Buffer> {
    const target = Buffer.alloc(length);
    await this.unit.read(0, [target]);
    return target;
  }

  async ready(): Promise<void> {
    if (this.#check === undefined) return;
    const timeout = this.unit.state === "missing" ? MISSING_PATIENCE : undefined;
    this.#checked ??= this.unit.ready({ timeout }).then(this.#check);
    const checked = this.#checked;
    try {
      await checked;
    } catch (error) {
      // The next command looks again.
      if (this.#checked === checked) this.#checked = undefined;
      throw toSmbError(error, this.unit.address);
    }
  }

  /** Fills `target` from byte `start`. */
  async read(start: number, target: Buffer): Promise<void> {
    if (target.length === 0) return;
    const { blockSize } = this;
    const head = start % blockSize;
    const end = start + target.length;
    const tail = (blockSize - (end % blockSize)) % blockSize;
    const parts: Buffer[] = [];
    // What lies around the bytes in their blocks goes where nobody looks.
    if (head > 0) parts.push(Buffer.allocUnsafe(head));
    parts.push(target);
    if (tail > 0) parts.push(Buffer.allocUnsafe(tail));
    await this.#run(() => this.unit.read((start - head) / blockSize, parts));
  }

  /** Writes `data` from byte `start`; blocks of which only a part is written keep the rest. */
  async write(start: number, data: readonly Buffer[]): Promise<void> {
    let length = 0;
    for (const { length: bytes } of data) length += bytes;
    if (length === 0) return;
    const { blockSize } = this;
    const head = start % blockSize;
    const end = start + length;
    const tail = (blockSize - (end % blockSize)) % blockSize;
    const parts = [...data];
    if (head > 0 || tail > 0) {
      const before = Buffer.allocUnsafe(head);
      const after = Buffer.allocUnsafe(tail);
      await Promise.all([this.read(start - head, before), this.read(end, after)]);
      parts.unshift(before);
      parts.push(after);
    }
    this.#dirty = true;
    await this.#run(() => this.unit.write((start - head) / blockSize, parts));
  }

  async writeZeros(start: number, length: number): Promise<void> {
    for (let done = 0; done < length; done += ZEROS.length) {
      await this.write(start + done, [ZEROS.subarray(0, Math.min(ZEROS.length, length - done))]);
    }
  }

  /** What was written before survives the end of the array's power. */
  async flush(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    try {
      await this.#run(() => this.unit.synchronizeCache());
    } catch (error) {
      this.#dirty = true;
      throw error;
    }
  }

  /** What UNMAP gives up at a time, in bytes; `undefined` where the unit gives up nothing, or is missing. */
  get granule(): { readonly size: number; readonly first: number } | undefined {
    const { description } = this.unit;
    if (this.unit.state !== "online" || description?.provisioning.unmap !== true) return undefined;
    const { unmapGranularity, unmapAlignment } = description.limits;
    return { size: Math.max(1, unmapGranularity) * this.blockSize, first: unmapAlignment * this.blockSize };
  }

  /** Nobody needs these bytes any more: whole blocks. */
  async unmap(ranges: readonly { readonly start: number; readonly length: number }[]): Promise<void> {
    const { blockSize } = this;
    const blocks = ranges.map(({ start, length }) => ({ lba: start / blockSize, blocks: length / blockSize }));
    await this.#run(() => this.unit.unmap(blocks));
  }

  /** Tells that blocks were written by a copy on the array. */
  wasWritten(): void {
    this.#dirty = true;
  }

  async #run(command: () => Promise<void>): Promise<void> {
    try {
      if (this.unit.state !== "online" || this.#checked === undefined) await this.ready();
      await command();
    } catch (error) {
      throw toSmbError(error, this.unit.address);
    }
  }
}

/** An error of the array as the client gets it, with the first one as its cause. */
export function toSmbError(error: unknown, address: string): Error {
  if (error instanceof SmbError || !(error instanceof Error)) return error as Error;
  const message = `${address}: ${error.message}`;
  if (error instanceof ScsiError) return new SmbError(ntStatusOf(error, false), message, { cause: error });
  if (error instanceof ArrayVolumeError) return new SmbError(NtStatus.DEVICE_NOT_READY, message, { cause: error });
  if (error instanceof TransportError) return new SmbError(NtStatus.IO_DEVICE_ERROR, message, { cause: error });
  return error;
}

/** When a failed write is known to be over: what it was writing to must not be given to anybody before. */
export function fateOf(error: unknown): Promise<void> | undefined {
  const cause = error instanceof SmbError ? error.cause : error;
  return cause instanceof FateUnknownError ? cause.settled : undefined;
}
