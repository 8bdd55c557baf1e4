// SPDX-License-Identifier: Apache-2.0

/** How much is measured. */
export interface Scale {
  /** Rounds of each measurement. */
  readonly rounds: number;
  /** Of one measurement of a rate, and what goes before it. */
  readonly seconds: number;
  readonly warmUp: number;
  /** Bytes of each client's file in reads and writes. */
  readonly span: number;
  /** Mebibytes of the file that clients of others copy. */
  readonly streamMiB: number;
  /** Files of one measurement that makes, renames or deletes some, for each of its connections. */
  readonly files: number;
  /** Files that smbclient puts. */
  readonly putFiles: number;
  /** Names in the long directory. */
  readonly listed: number;
  /** Files in the tree that rclone copies. */
  readonly treeFiles: number;
  /** Mebibytes of the file, and number of the small files, of a client that is emulated. */
  readonly guestMiB: number;
  readonly guestFiles: number;
  /** Numbers of clients. */
  readonly clients: readonly number[];
  /** Connections without anything to do: on both servers, and on Tessera alone. */
  readonly idle: number;
  readonly idleMany: number;
  /** Operations that must not make the server grow. */
  readonly operations: number;
  /** Seconds of smbtorture. */
  readonly tortureSeconds: number;
}

const MiB = 1024 * 1024;

export const fullScale: Scale = {
  rounds: 5,
  seconds: 1,
  warmUp: 0.3,
  span: 64 * MiB,
  streamMiB: 512,
  files: 2000,
  putFiles: 5000,
  listed: 100_000,
  treeFiles: 20_000,
  guestMiB: 64,
  guestFiles: 500,
  clients: [1, 8, 64, 512],
  idle: 1000,
  idleMany: 10_000,
  operations: 1_000_000,
  tortureSeconds: 5,
};

/** Everything once, as small as it gets: whether it works, and a table to look at. */
export const shortScale: Scale = {
  rounds: 1,
  seconds: 0.2,
  warmUp: 0.1,
  span: 16 * MiB,
  streamMiB: 32,
  files: 25,
  putFiles: 100,
  listed: 2000,
  treeFiles: 200,
  guestMiB: 8,
  guestFiles: 50,
  clients: [1, 8, 64],
  idle: 50,
  idleMany: 200,
  operations: 5000,
  tortureSeconds: 1,
};
