// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import type { FoundData, PublishedData, SharedData } from "../vfs/offload.ts";
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
  /** Where another server finds the data, in `room` bytes at most. */
  locator?(shared: SharedData, room: number): Awaitable<Buffer | undefined>;
  /**
   * Present where nobody puts old bytes aside before this file is changed, since it was found by a token of another server: a copy
   * into the file itself would change its own source, and is refused.
   */
  readonly fileId?: bigint;
  /**
   * Why the data of the moment at which the token was made are no longer to be had. Looks anew each time: others may change a file
   * without telling.
   */
  readonly lost: RefusalReason | undefined;
  /** Where the bytes from `offset` on are to be read from, `length` at most. */
  locate(offset: number, length: number): Place;
  /**
   * To be asked after bytes of {@link stream} have been read. False where some of them may have been changed before or while they
   * were read: {@link locate} then knows where the right ones are, unless they are {@link lost}.
   */
  isUntouched(offset: number, length: number): boolean;
  /** The token is used: what other servers find of its data stays until `expires` at least, milliseconds since 1970. */
  used?(expires: number): void;
  /**
   * The token has ended here, and {@link release} follows. What other servers find of its data goes too, but for what one of them
   * has had kept for longer than `now`, in milliseconds since 1970; with `Infinity` it goes in any case.
   */
  ended?(now: number): void;
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

  #published: { readonly shared: SharedData; readonly name: string } | undefined;

  /** Lets other servers find the data. @returns false where they cannot */
  publish(shared: SharedData, name: string, expires: number): boolean {
    if (!shared.publish(this.stream, name, expires)) return false;
    this.#published = { shared, name };
    return true;
  }

  used(expires: number): void {
    if (this.#published === undefined) return;
    const found = this.#published.shared.find(this.#published.name);
    found?.prolong(expires);
    void found?.stream.close();
  }

  ended(now: number): void {
    this.#published?.shared.withdraw(this.#published.name, now);
  }

  release(): Awaitable<void> {
    return this.stream.close();
  }
}

/** Data that another server has published, for one call. */
export class PublishedSource extends PinnedSource {
  readonly #data: PublishedData;

  constructor(volume: Volume, data: PublishedData, endOfFile: number) {
    super(volume, data.stream, endOfFile);
    this.#data = data;
  }

  override used(expires: number): void {
    this.#data.prolong(expires);
  }
}

/** Data of a token of another server, in the file where they were: good as long as nobody has changed that, for one call. */
export class FoundSource implements TokenSource {
  readonly volume: Volume;
  readonly stream: VolumeStream;
  readonly pinned = false;
  readonly endOfFile: number;
  readonly fileId: bigint;
  readonly #data: FoundData;

  constructor(volume: Volume, data: FoundData, endOfFile: number) {
    this.volume = volume;
    this.stream = data.stream;
    this.endOfFile = endOfFile;
    this.fileId = data.fileId;
    this.#data = data;
  }

  get lost(): RefusalReason | undefined {
    return this.#data.isUnchanged ? undefined : "data changed";
  }

  locate(offset: number, length: number): Place {
    return { from: this.stream, offset, length };
  }

  /** {@link lost} tells. */
  isUntouched(): boolean {
    return true;
  }

  release(): Awaitable<void> {
    return this.stream.close();
  }
}
