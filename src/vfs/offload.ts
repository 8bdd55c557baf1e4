// SPDX-License-Identifier: Apache-2.0

/** What a {@link Volume} may be able to do beyond storing: copies by itself, and data that stay as they are. */

import type { Awaitable } from "../nt/awaitable.ts";
import type { ByteRange, VolumeStream } from "./volume.ts";

/** Block clone: two streams come to share what they store, and no data move. */
export interface BlockClone {
  /**
   * Makes a range of `target` share the blocks of a range of `source`, of this or another volume. Offsets and length are
   * multiples of the allocation unit; a length that is not must reach the end of the source, and at least the end of the
   * target. Extends the target as needed. Ranges of one stream must not overlap. A failure may leave part of it done.
   * @returns false where these two cannot share: another file system, a stream that has no blocks, an impossible length
   * @throws DISK_FULL, MEDIA_WRITE_PROTECTED, IO_DEVICE_ERROR
   */
  clone(
    source: VolumeStream,
    sourceOffset: number,
    target: VolumeStream,
    offset: number,
    length: number,
  ): Awaitable<boolean>;
}

/** Keeps data as they are now, in a time and a space that do not grow with them. */
export interface DataPins {
  /**
   * A range of a stream as it is at one moment of this call: a stream that holds the same bytes at the same offsets for as long
   * as it is open, whatever becomes of the source. It ends where the source ended, or behind the range.
   * `undefined`: this stream cannot be kept so
   * @throws DISK_FULL
   */
  pin(source: VolumeStream, range: ByteRange): Awaitable<VolumeStream | undefined>;
}

/** What the storage says to a request for a token. */
export type StorageToken =
  | {
      readonly kind: "token";
      /** 512 bytes, as the storage made them: it honours them wherever it is asked. */
      readonly token: Buffer;
      /** Bytes from the start of the range that it stands for: fewer than asked, rounded up to a sector at the end of file. */
      readonly length: number;
      /** The storage keeps the data as they are now. Otherwise a change of the source shows through. */
      readonly pointInTime: boolean;
    }
  /** So many bytes from the start of the range are zero without being stored; no token is needed for them. */
  | { readonly kind: "zero"; readonly length: number };

/** Storage that has tokens of its own, and copies by itself what they stand for. */
export interface StorageOffload {
  /** Tokens are honoured that this server did not see being made: those of other servers, and of hosts that use the storage. */
  readonly acceptsForeignTokens: boolean;
  /**
   * A token for the data of a stream from the start of a range that begins on a sector.
   * `undefined`: the storage makes none for these data, and is not asked again for some minutes
   * @param timeToLive milliseconds, a hint
   */
  createToken(source: VolumeStream, range: ByteRange, timeToLive: number): Promise<StorageToken | undefined>;
  /**
   * Writes what a token stands for, from `tokenOffset` of its data, and extends the stream as needed. Stops after one command
   * at least, once `goesOn` says so.
   * @returns bytes written from the start of the range: a multiple of the sector, or all
   * @throws SmbError INVALID_TOKEN, DEVICE_UNREACHABLE, DEVICE_FEATURE_NOT_SUPPORTED: the storage does not copy this to here, and
   *   nothing is written; DISK_FULL; IO_DEVICE_ERROR
   */
  writeFromToken(
    target: VolumeStream,
    offset: number,
    token: Buffer,
    tokenOffset: number,
    length: number,
    goesOn: () => boolean,
  ): Promise<number>;
}

/** Data that one server has given a name, for others. */
export interface PublishedData {
  readonly stream: VolumeStream;
  /** Milliseconds since 1970: nobody removes them before. */
  readonly expires: number;
  /** Has them kept until `expires` at least. */
  prolong(expires: number): void;
}

/** Data where they have always been, as long as nobody changes them. */
export interface FoundData {
  readonly stream: VolumeStream;
  readonly fileId: bigint;
  /** Nobody has changed the data, or the file's metadata, since they were located. */
  readonly isUnchanged: boolean;
}

/** Data that every server finds that serves the same folder. */
export interface SharedData {
  /** 16 bytes: the same for each of these servers, of no other folder. `undefined`: the storage cannot keep that */
  identity(): Buffer | undefined;
  /**
   * Gives data that {@link DataPins.pin} kept a name: they then outlive the process.
   * @param name lower-case hexadecimal
   * @param expires milliseconds since 1970
   * @returns false where the storage cannot
   */
  publish(pinned: VolumeStream, name: string, expires: number): boolean;
  /** Opens published data; the caller closes the stream. */
  find(name: string): PublishedData | undefined;
  /** Removes published data that expire at `expires` or before. */
  withdraw(name: string, expires: number): void;
  /** Removes whatever expired before a moment, whoever has published it. @returns how many */
  sweep(before: number): number;
  /**
   * Where a stream is and in what state, in `room` bytes at most. May wait some milliseconds, until any later change shows.
   * `undefined`: that is too little, or the storage cannot tell
   */
  locate(stream: VolumeStream, room: number): Awaitable<Buffer | undefined>;
  /** Opens what was located, where it is unchanged; the caller closes the stream. */
  revisit(locator: Buffer): FoundData | undefined;
}
