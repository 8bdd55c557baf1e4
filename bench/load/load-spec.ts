// SPDX-License-Identifier: Apache-2.0
/** What a load does, as it is sent to the processes that generate it. */
import type { Protection } from "./protection.ts";

/** Paths are relative to the share. `bytes` is the length of a request's data, `span` that of the part of a file that is used. */
export type LoadSpec =
  | { readonly operation: "echo" }
  /** CREATE and CLOSE of a file, each on its own. */
  | { readonly operation: "open"; readonly path: string }
  /** Attributes by path: CREATE, QUERY_INFO and CLOSE in one frame. */
  | { readonly operation: "stat"; readonly path: string }
  /** CREATE, WRITE and CLOSE of a new file, each on its own. */
  | { readonly operation: "create"; readonly folder: string; readonly bytes: number }
  /** CREATE, SET_INFO and CLOSE in one frame, of the files that `create` has left; `remove` takes them away afterwards. */
  | { readonly operation: "rename"; readonly folder: string }
  | { readonly operation: "remove"; readonly folder: string; readonly renamed: boolean }
  /** QUERY_DIRECTORY with FileIdBothDirectoryInformation until there is nothing more; counts entries. */
  | { readonly operation: "list"; readonly folder: string; readonly bytes: number }
  /** Each client its file, from its beginning to its end again and again; counts bytes. */
  | { readonly operation: "read"; readonly file: string; readonly bytes: number; readonly span: number }
  | { readonly operation: "write"; readonly file: string; readonly bytes: number; readonly span: number }
  /** By turns. */
  | { readonly operation: "mixed"; readonly file: string; readonly bytes: number; readonly span: number }
  /** FSCTL_SRV_COPYCHUNK from one file to another, 16 MiB in a request; counts bytes. */
  | { readonly operation: "copychunk"; readonly source: string; readonly target: string; readonly span: number };

export interface ConnectSpec {
  readonly port: number;
  readonly userName: string;
  readonly password: string;
  readonly share: string;
  readonly protection: Protection;
  /** Connections that this process makes, and the number of its first one. */
  readonly connections: number;
  readonly first: number;
}

/** What a process is told. Every message is answered, with `LoadReply`, but for `begin` and `mark`. */
export type LoadMessage =
  | ({ readonly kind: "connect" } & ConnectSpec)
  /** Ends all connections. */
  | { readonly kind: "disconnect" }
  /** Prepares a load. `depth`: what each connection has under way at a time. */
  | { readonly kind: "prepare"; readonly load: LoadSpec; readonly depth: number }
  /** Runs the prepared load so many times on each connection, and measures. */
  | { readonly kind: "count"; readonly steps: number }
  /** Runs it until `end`, and measures from `mark` on. */
  | { readonly kind: "begin" }
  | { readonly kind: "mark" }
  | { readonly kind: "end" };

export interface LoadResult {
  readonly seconds: number;
  /** What the load counts: operations, entries or bytes. */
  readonly work: number;
  readonly operations: number;
  /** Seconds of the process's processor time. */
  readonly cpu: number;
  /** `Histogram.toJSON` of the operations. */
  readonly latency: readonly number[];
}

export type LoadReply = { readonly result?: LoadResult } | { readonly error: string };
