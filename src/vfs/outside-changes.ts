// SPDX-License-Identifier: Apache-2.0

/** How a {@link Volume} tells what others do to its storage. */

import type { Awaitable } from "../nt/awaitable.ts";
import type { NtPath, VolumeFile } from "./volume.ts";

/** Something that others than the users of the volume have done: other programs, or other servers of the same storage. */
export type OutsideChange =
  | { readonly kind: "added" | "removed"; readonly path: NtPath; readonly directory: boolean }
  | { readonly kind: "renamed"; readonly from: NtPath; readonly path: NtPath; readonly directory: boolean }
  /** Of what is in a watched directory: its data, or else something about it. */
  | { readonly kind: "modified"; readonly path: NtPath; readonly directory: boolean; readonly data: boolean }
  /** The data of a watched file. */
  | { readonly kind: "written"; readonly fileId: bigint }
  /** More than could be told: whatever is watched may be different now. */
  | { readonly kind: "lost" };

/**
 * Tells of changes by others, shortly after they have happened, of what somebody wants to hear of. What others do to a file while the
 * volume changes it by itself may go unseen.
 */
export interface OutsideChanges {
  /** Who is told, from now on: one listener, never called from within a method of the volume. */
  listen(listener: (changes: readonly OutsideChange[]) => void): void;
  /**
   * Begins to watch an open directory for names that come, go and change, and for changes of what they stand for.
   * @param path where the directory is, at any time: reported paths begin with it
   * @param tree with everything beneath, as far as the storage's limits allow; where there is much, that takes a while
   * @returns the way to end it; `undefined`: it cannot be watched
   */
  watchDirectory(file: VolumeFile, path: () => NtPath, tree: boolean): (() => void) | undefined;
  /** Begins to watch the data of an open file. @returns the way to end it; `undefined`: they cannot be watched */
  watchData(file: VolumeFile): (() => void) | undefined;
}

/**
 * Tells whether others have changed the data of a stream: other programs, or other users of the volume. Changes of the file's
 * metadata by others may count, those through the volume do not.
 */
export interface ChangeWatch {
  /** False for good from the first change by others on. One that happens during a change of one's own may go unseen. */
  readonly isIntact: boolean;
  /** Runs a change of the data that is one's own. */
  changing<T>(change: () => Awaitable<T>): Awaitable<T>;
  end(): void;
}
