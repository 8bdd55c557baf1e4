// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ChangeWatch } from "../outside-changes.ts";
import { CountWatch } from "../stamp-watch.ts";
import type { ByteRange, StreamSize, TellCopied, VolumeStream } from "../volume.ts";
import { checkWritable, type MemoryNode, MemoryStreamNode } from "./node.ts";

/** An open stream of a memory volume. */
export class MemoryStream implements VolumeStream {
  readonly #node: MemoryNode;
  readonly #stream: MemoryStreamNode;
  #closed = false;

  constructor(node: MemoryNode, stream: MemoryStreamNode) {
    this.#node = node;
    this.#stream = stream;
    node.opens++;
    stream.opens++;
  }

  get name(): string {
    return this.#stream.name;
  }

  size(): StreamSize {
    return this.#stream.data.size;
  }

  read(offset: number, target: Buffer): number {
    this.#check();
    return this.#stream.data.read(offset, target);
  }

  write(offset: number, data: Buffer): void {
    this.#checkWrite(offset + data.length);
    if (data.length === 0) return;
    this.#stream.data.write(offset, data);
    this.#node.modified();
  }

  setEndOfFile(size: number): void {
    this.#checkWrite(size);
    this.#stream.data.setEndOfFile(size);
    this.#node.modified();
  }

  setAllocation(size: number): void {
    this.#checkWrite(size);
    this.#stream.data.setAllocation(size);
    this.#node.changed();
  }

  setSparse(sparse: boolean): void {
    this.#checkWrite(0);
    this.#stream.data.setSparse(sparse);
    this.#node.changed();
  }

  zero(range: ByteRange): void {
    this.#checkWrite(0);
    this.#stream.data.zero(range);
    this.#node.modified();
  }

  allocatedRanges(range: ByteRange, maximum: number): readonly ByteRange[] {
    this.#check();
    return this.#stream.data.allocatedRanges(range, maximum);
  }

  isKnownZero(range: ByteRange): boolean {
    this.#check();
    return this.#stream.data.isHole(range);
  }

  watch(): ChangeWatch {
    this.#check();
    return new CountWatch(() => this.#stream.data.changes);
  }

  /** What the stream holds now, for as long as the result is open. @throws SmbError DISK_FULL */
  pin(): MemoryStream {
    this.#check();
    const pinned = new MemoryStreamNode(this.name, this.#stream.data.snapshot());
    pinned.removed = true;
    return new MemoryStream(this.#node, pinned);
  }

  copyFrom(
    source: VolumeStream,
    sourceOffset: number,
    offset: number,
    length: number,
    tell?: TellCopied,
  ): number | undefined {
    if (!(source instanceof MemoryStream)) return undefined;
    source.#check();
    const readable = Math.min(length, source.#stream.data.endOfFile - sourceOffset);
    this.#checkWrite(readable > 0 ? offset + readable : 0);
    const copied = this.#stream.data.copyFrom(source.#stream.data, sourceOffset, offset, length);
    if (copied > 0) this.#node.modified();
    tell?.("process", copied);
    return copied;
  }

  flush(): void {
    this.#check();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#stream.close();
    this.#node.close();
  }

  #check(): void {
    if (this.#closed) throw new SmbError(NtStatus.FILE_CLOSED);
  }

  #checkWrite(end: number): void {
    this.#check();
    checkWritable(this.#node.state);
    if (end > this.#node.state.maximumFileSize) throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}
