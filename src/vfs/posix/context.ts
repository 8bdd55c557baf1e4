// SPDX-License-Identifier: Apache-2.0

import type { FileIds, FileKey } from "./file-id.ts";
import type { MetadataStore } from "./metadata.ts";
import { OpenFlag, openBeneath, pathOf } from "./native/files.ts";
import type { OutsideWatch } from "./outside-watch.ts";
import type { OwnChanges } from "./own-changes.ts";
import type { Resolver } from "./resolve.ts";
import type { SecurityStore } from "./security-store.ts";
import type { SpillFolder } from "./spill.ts";
import type { Storage } from "./storage.ts";
import type { OpenStreams } from "./stream-store.ts";

/** Where the volume says what an administrator should know. */
export interface PosixLogger {
  debug(details: object, message: string): void;
  warn(details: object, message: string): void;
}

/** What the parts of one mounted volume share. */
export interface PosixContext {
  /** O_PATH descriptor of the share's root. */
  readonly root: number;
  readonly rootKey: FileKey;
  readonly readOnly: boolean;
  /** Extended attributes can be used. */
  readonly hasMetadata: boolean;
  /** Files can be compressed by the file system. */
  readonly compresses: boolean;
  readonly ids: FileIds;
  readonly storage: Storage;
  readonly resolver: Resolver;
  readonly metadata: MetadataStore;
  readonly security: SecurityStore;
  /** Counts renames: a path learnt before the last one may be wrong. */
  readonly moves: { count: number };
  readonly spill: SpillFolder;
  readonly openStreams: OpenStreams;
  readonly ownChanges: OwnChanges;
  readonly outside: OutsideWatch;
  readonly logger: PosixLogger;
}

/** The path of an open file beneath the root as it is now, "" for the root; `undefined` when it has none there. */
export function pathBeneath(root: number, fd: number): string | undefined {
  const base = pathOf(root);
  const path = pathOf(fd);
  if (typeof base === "number" || typeof path === "number") return undefined;
  if (path === base) return "";
  const prefix = base === "/" ? "/" : `${base}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

/** Opens what a symbolic link in an open directory leads to, `undefined` when that is not inside the share. */
export function followLink(root: number, directory: number, name: string): number | undefined {
  const path = pathBeneath(root, directory);
  if (path === undefined) return undefined;
  const fd = openBeneath(root, path === "" ? name : `${path}/${name}`, OpenFlag.PATH);
  return fd < 0 ? undefined : fd;
}
