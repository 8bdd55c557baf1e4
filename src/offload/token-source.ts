// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { Volume, VolumeStream } from "../vfs/volume.ts";
import type { Place } from "./preserved-ranges.ts";
import type { RefusalReason } from "./refusal.ts";

/** Where the data of a token are, at the offsets that they had when it was made. */
export interface TokenSource {
  readonly volume: Volume;
  /** Holds the data, unless they have been changed since: {@link locate} knows. */
  readonly stream: VolumeStream;
  /** Bytes: where the data ended when the token was made, or the range behind which it does not look. */
  readonly endOfFile: number;
  /** Nothing can change the data. */
  readonly pinned: boolean;
  /** Why the data of the moment at which the token was made are no longer to be had. */
  readonly lost: RefusalReason | undefined;
  /** Where the bytes from `offset` on are to be read from, `length` at most. */
  locate(offset: number, length: number): Place;
  /** To be asked after bytes of {@link stream} have been read: whether they were the right ones all the time. */
  isUntouched(offset: number, length: number): boolean;
  release(): Awaitable<void>;
}

/** Data that the volume keeps as they were. */
export class PinnedSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly pinned = true;
  readonly lost: RefusalReason | undefined = undefined;

  readonly endOfFile: number;

  /** @param stream made by the volume's `pins`; closed with the source */
  constructor(volume: Volume, stream: VolumeStream, endOfFile: number) {
    this.volume = volume;
    this.stream = stream;
    this.endOfFile = endOfFile;
  }

  locate(offset: number, length: number): Place {
    return { from: this.stream, offset, length };
  }

  isUntouched(): boolean {
    return true;
  }

  release(): Awaitable<void> {
    return this.stream.close();
  }
}
