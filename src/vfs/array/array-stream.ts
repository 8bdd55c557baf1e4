// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ChangeWatch } from "../outside-changes.ts";
import { CountWatch } from "../stamp-watch.ts";
import type { ByteRange, StreamSize, TellCopied, VolumeStream } from "../volume.ts";
import { copyStream } from "./stream-copy.ts";
import type { StreamData } from "./stream-data.ts";

/** An open stream of an array volume. */
export class ArrayStream implements VolumeStream {
  readonly data: StreamData;
  #closed = false;

  constructor(data: StreamData) {
    this.data = data;
    data.open();
    data.node.open();
  }

  get name(): string {
    return this.data.record.name;
  }

  size(): StreamSize {
    return this.data.size;
  }

  async read(offset: number, target: Buffer): Promise<number> {
    this.check();
    return await this.data.read(offset, target);
  }

  async write(offset: number, data: Buffer): Promise<void> {
    this.checkWrite(offset + data.length);
    await this.data.write(offset, data);
  }

  async setEndOfFile(size: number): Promise<void> {
    this.checkWrite(size);
    this.#checkResize(size);
    await this.data.setEndOfFile(size);
  }

  async setAllocation(size: number): Promise<void> {
    this.checkWrite(size);
    this.#checkResize(size);
    await this.data.setAllocation(size);
  }

  async setSparse(sparse: boolean): Promise<void> {
    this.checkWrite(0);
    await this.data.setSparse(sparse);
  }

  async zero(range: ByteRange): Promise<void> {
    this.checkWrite(0);
    await this.data.zero(range);
  }

  allocatedRanges(range: ByteRange, maximum: number): readonly ByteRange[] {
    this.check();
    return this.data.allocatedRanges(range, maximum);
  }

  isKnownZero(range: ByteRange): boolean {
    this.check();
    return this.data.extents.isKnownZero(range);
  }

  watch(): ChangeWatch {
    this.check();
    return new CountWatch(() => this.data.changes);
  }

  copyFrom(
    source: VolumeStream,
    sourceOffset: number,
    offset: number,
    length: number,
    tell?: TellCopied,
  ): Promise<number> | undefined {
    if (!(source instanceof ArrayStream)) return undefined;
    const { context } = source.data.node;
    if (context !== this.data.node.context && this.data.node.context.offload.isStranger(context)) return undefined;
    source.check();
    const readable = Math.min(length, source.data.endOfFile - sourceOffset);
    this.checkWrite(readable > 0 ? offset + readable : 0);
    return copyStream(source.data, sourceOffset, this.data, offset, length, tell);
  }

  async flush(): Promise<void> {
    this.check();
    await this.data.node.storeTimes();
    await this.data.node.context.flush();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.data.close();
    await this.data.node.close();
  }

  check(): void {
    if (this.#closed) throw new SmbError(NtStatus.FILE_CLOSED);
  }

  checkWrite(end: number): void {
    this.check();
    const { context } = this.data.node;
    context.checkWritable();
    if (end > context.maximumFileSize) throw new SmbError(NtStatus.INVALID_PARAMETER);
    // A LUN that is one file ends where the LUN ends.
    if (context.wholeLuns && end > this.data.endOfFile) throw new SmbError(NtStatus.DISK_FULL);
  }

  #checkResize(size: number): void {
    const { context } = this.data.node;
    if (context.wholeLuns && size !== this.data.endOfFile) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  }
}
