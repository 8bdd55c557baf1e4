// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import type { Place } from "../../offload/preserved-ranges.ts";
import type { RefusalReason } from "../../offload/refusal.ts";
import type { TokenSource } from "../../offload/token-source.ts";
import type { Volume, VolumeStream } from "../../vfs/volume.ts";
import type { FileOpen } from "./open.ts";
import type { FileTable, SharedStream } from "./shared-file.ts";

/**
 * The data of a stream for as long as no client changes it: what a copy through the server needs where the storage itself keeps
 * the data of a token, but cannot bring them to where they are wanted. Keeps the file open.
 */
export class UnchangedSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly endOfFile: number;
  readonly pinned = false;
  readonly #shared: SharedStream;
  readonly #files: FileTable;
  readonly #generation: number;

  private constructor(shared: SharedStream, files: FileTable, stream: VolumeStream, endOfFile: number) {
    this.volume = shared.file.volume;
    this.stream = stream;
    this.endOfFile = endOfFile;
    this.#shared = shared;
    this.#files = files;
    // What a change that is under way has done so far, nobody knows.
    this.#generation = shared.changes.isActive ? Number.NaN : shared.changes.generation;
    shared.file.holds++;
  }

  /** @param endOfFile bytes, now  @returns undefined: the file is being closed */
  static of(open: FileOpen, endOfFile: number): UnchangedSource | undefined {
    const { files } = open.tree;
    const { data } = open.stream;
    if (data === undefined || files === undefined || open.closing) return undefined;
    return new UnchangedSource(open.stream, files, data, endOfFile);
  }

  get lost(): RefusalReason | undefined {
    const { changes, data } = this.#shared;
    return changes.generation === this.#generation && data === this.stream ? undefined : "data changed";
  }

  locate(offset: number, length: number): Place {
    return { from: this.stream, offset, length };
  }

  isUntouched(): boolean {
    return this.lost === undefined;
  }

  release(): Awaitable<void> {
    return this.#files.release(this.#shared.file);
  }
}
