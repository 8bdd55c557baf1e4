// SPDX-License-Identifier: Apache-2.0

import { shortNameOf } from "../../nt/short-name.ts";
import type { DirectoryCursor, DirectoryEntry } from "../volume.ts";
import type { EntryRecord } from "./catalogue.ts";
import type { ArrayContext } from "./context.ts";
import { statOf } from "./node.ts";

/** Records read from the catalogue at a time. */
const BATCH = 256;

/** A walk over a directory in the order of names in upper case, which additions and removals do not disturb. */
export class ArrayDirectoryCursor implements DirectoryCursor {
  readonly #context: ArrayContext;
  readonly #directory: bigint;
  #after: string | undefined;
  #batch: EntryRecord[] = [];
  #ended = false;

  constructor(context: ArrayContext, directory: bigint) {
    this.#context = context;
    this.#directory = directory;
  }

  next(maximum: number, wanted: (name: string) => boolean): DirectoryEntry[] {
    const entries: DirectoryEntry[] = [];
    while (entries.length < maximum) {
      const record = this.#nextRecord();
      if (record === undefined) break;
      if (!wanted(record.name)) continue;
      const node = this.#context.nodes.get(record.fileId)?.record ?? this.#context.catalogue.node(record.fileId);
      if (node === undefined) continue;
      entries.push({
        name: record.name,
        shortName: shortNameOf(record.name),
        stat: statOf(record.fileId, node, false),
      });
    }
    return entries;
  }

  close(): void {
    this.#ended = true;
    this.#batch = [];
  }

  #nextRecord(): EntryRecord | undefined {
    if (this.#batch.length === 0 && !this.#ended) {
      this.#batch = this.#context.catalogue.entries(this.#directory, this.#after, BATCH).reverse();
      this.#ended = this.#batch.length < BATCH;
    }
    const record = this.#batch.pop();
    if (record !== undefined) this.#after = record.name;
    return record;
  }
}
