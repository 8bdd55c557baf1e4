// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { foldName } from "../../nt/names.ts";
import type { TokenSource } from "../../offload/token-source.ts";
import type { Volume, VolumeStream } from "../../vfs/volume.ts";
import type { FileOpen } from "./open.ts";
import type { FileTable, SharedStream } from "./shared-file.ts";

/** How often a stream that changes all the time is looked at, before no token is given for it. */
const MAX_TRIES = 8;

/**
 * The data of a stream that clients go on writing, valid for as long as nobody has changed them: by the count of changes
 * through this server, and by what the storage tells of changes from elsewhere. Keeps the file open.
 */
export class LiveSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly pinned = false;
  readonly #shared: SharedStream;
  readonly #files: FileTable;
  readonly #generation: number;
  readonly #state: string;

  private constructor(shared: SharedStream, data: VolumeStream, files: FileTable, state: string) {
    this.volume = shared.file.volume;
    this.stream = data;
    this.#shared = shared;
    this.#files = files;
    this.#generation = shared.changes.generation;
    this.#state = state;
    shared.file.holds++;
  }

  /** `undefined`: the stream does not come to rest, or its storage cannot tell. */
  static async of(open: FileOpen): Promise<LiveSource | undefined> {
    const { stream: shared, tree } = open;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await shared.changes.idle();
      const { generation } = shared.changes;
      const { data } = shared;
      if (data?.changeState === undefined || tree.files === undefined) return undefined;
      const state = await data.changeState(true);
      if (state === undefined || open.closing) return undefined;
      const atRest = !shared.changes.isActive && shared.changes.generation === generation && shared.data === data;
      if (atRest) return new LiveSource(shared, data, tree.files, state);
    }
    return undefined;
  }

  isCurrent(): Awaitable<boolean> {
    if (!this.#isUntouched()) return false;
    return chain(this.stream.changeState?.(false), (state) => state === this.#state && this.#isUntouched());
  }

  #isUntouched(): boolean {
    const { changes, data, file, name } = this.#shared;
    if (changes.isActive || changes.generation !== this.#generation) return false;
    return data === this.stream && file.streams.get(foldName(name)) === this.#shared;
  }

  release(): Awaitable<void> {
    return this.#files.release(this.#shared.file);
  }
}
