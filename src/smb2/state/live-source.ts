// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import type { PreserveBudget } from "../../offload/preserve-budget.ts";
import type { Place } from "../../offload/preserved-ranges.ts";
import type { RefusalReason } from "../../offload/refusal.ts";
import { StreamPreserver, type StreamSnapshot } from "../../offload/stream-preserver.ts";
import type { TokenSource } from "../../offload/token-source.ts";
import type { SharedData } from "../../vfs/offload.ts";
import type { ChangeWatch } from "../../vfs/outside-changes.ts";
import type { ByteRange, Volume, VolumeStream } from "../../vfs/volume.ts";
import type { FileOpen } from "./open.ts";
import type { FileTable, SharedStream } from "./shared-file.ts";

/** How often a stream that changes all the time is looked at, before no token is given for it. */
const MAX_TRIES = 8;

/**
 * The data of a stream that clients go on writing, as they were at one moment: what the server changes is kept before, as long
 * as there is room for it; what others change ends them. Keeps the file open.
 */
export class LiveSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly pinned = false;
  readonly endOfFile: number;
  readonly #snapshot: StreamSnapshot;
  readonly #shared: SharedStream;
  readonly #files: FileTable;
  /** Of the moment at which the data were what they are to be. */
  readonly #generation: number;

  private constructor(shared: SharedStream, files: FileTable, preserver: StreamPreserver, held: Held) {
    this.volume = shared.file.volume;
    this.stream = preserver.data;
    this.endOfFile = held.endOfFile;
    this.#snapshot = preserver.snapshot(held.range);
    this.#shared = shared;
    this.#files = files;
    this.#generation = shared.changes.generation;
    shared.file.holds++;
  }

  /** `undefined`: the stream does not come to rest, or its storage cannot tell of changes by others. */
  static async of(open: FileOpen, range: ByteRange, budget: PreserveBudget): Promise<LiveSource | undefined> {
    const { stream: shared } = open;
    const { changes } = shared;
    const { files } = open.tree;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      await changes.idle();
      const { generation } = changes;
      const { data } = shared;
      if (data?.watch === undefined || files === undefined || open.closing) return undefined;
      const known = usable(shared, data);
      const watch = known === undefined ? await data.watch() : undefined;
      if (known === undefined && watch === undefined) return undefined;
      const { endOfFile } = await data.size();
      const atRest = !changes.isActive && changes.generation === generation && shared.data === data && !open.closing;
      if (atRest && changes.preserver === known) {
        const preserver = known ?? (watch === undefined ? undefined : preserve(shared, data, watch, budget));
        const length = Math.max(0, Math.min(range.length, endOfFile - range.offset));
        const held = { endOfFile, range: { offset: range.offset, length } };
        if (preserver !== undefined) return new LiveSource(shared, files, preserver, held);
      }
      watch?.end();
    }
    return undefined;
  }

  get lost(): RefusalReason | undefined {
    return this.#snapshot.lost;
  }

  locate(offset: number, length: number): Place {
    return this.#snapshot.locate(offset, length);
  }

  async locator(shared: SharedData, room: number): Promise<Buffer | undefined> {
    const { changes } = this.#shared;
    const { generation } = changes;
    if (changes.isActive || generation !== this.#generation) return undefined;
    const locator = await shared.locate(this.stream, room);
    // What was located is what the token stands for only if nobody has changed it since that was given out.
    const isSame = !changes.isActive && changes.generation === generation && this.lost === undefined;
    return isSame ? locator : undefined;
  }

  isUntouched(offset: number, length: number): boolean {
    return this.#snapshot.preserved.isFree(offset, length);
  }

  release(): Awaitable<void> {
    return chain(this.#snapshot.release(), () => this.#files.release(this.#shared.file));
  }
}

interface Held {
  /** Bytes, as the whole stream was. */
  readonly endOfFile: number;
  readonly range: ByteRange;
}

/** Has the stream looked after, from now until nobody needs that any more. */
function preserve(
  { file, changes }: SharedStream,
  data: VolumeStream,
  watch: ChangeWatch,
  budget: PreserveBudget,
): StreamPreserver {
  const idle = () => {
    if (changes.preserver === preserver) changes.preserver = undefined;
  };
  const preserver = new StreamPreserver({ volume: file.volume, data, watch, budget, idle });
  changes.preserver = preserver;
  return preserver;
}

/** What looks after the stream already, where that is still good. No change is under way. */
function usable({ changes }: SharedStream, data: VolumeStream): StreamPreserver | undefined {
  const { preserver } = changes;
  if (preserver === undefined || changes.isActive) return undefined;
  if (preserver.data === data && preserver.isIntact) return preserver;
  preserver.detach();
  changes.preserver = undefined;
  return undefined;
}
