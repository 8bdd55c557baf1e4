// SPDX-License-Identifier: Apache-2.0

/** A volume as simple as can be: what a random sequence of operations is compared with. Knows ASCII names only. */

import { NtStatus } from "../../../src/nt/status.ts";

export class ModelError extends Error {
  readonly status: number;

  constructor(status: number) {
    super(status.toString(16));
    this.status = status;
  }
}

export interface ModelFile {
  readonly kind: "file";
  readonly streams: { name: string; content: number[] }[];
}

export interface ModelDirectory {
  readonly kind: "directory";
  entries: { name: string; node: ModelNode }[];
}

export type ModelNode = ModelFile | ModelDirectory;

type Entry = ModelDirectory["entries"][number];

const same = (a: string, b: string): boolean => a.toUpperCase() === b.toUpperCase();

export class Model {
  readonly root: ModelDirectory = { kind: "directory", entries: [] };

  #directory(path: readonly string[]): ModelDirectory {
    let at: ModelNode = this.root;
    for (const name of path) {
      if (at.kind === "file") throw new ModelError(NtStatus.OBJECT_PATH_NOT_FOUND);
      const entry: Entry | undefined = at.entries.find((one) => same(one.name, name));
      if (entry === undefined) throw new ModelError(NtStatus.OBJECT_PATH_NOT_FOUND);
      at = entry.node;
    }
    if (at.kind === "file") throw new ModelError(NtStatus.OBJECT_PATH_NOT_FOUND);
    return at;
  }

  #entry(path: readonly string[]): { parent: ModelDirectory; name: string; entry: Entry | undefined } {
    const name = path.at(-1) ?? "";
    const parent = this.#directory(path.slice(0, -1));
    return { parent, name, entry: parent.entries.find((one) => same(one.name, name)) };
  }

  find(path: readonly string[]): ModelNode | undefined {
    return path.length === 0 ? this.root : this.#entry(path).entry?.node;
  }

  create(path: readonly string[], directory: boolean): void {
    const { parent, name, entry } = this.#entry(path);
    if (entry !== undefined) throw new ModelError(NtStatus.OBJECT_NAME_COLLISION);
    const node: ModelNode = directory
      ? { kind: "directory", entries: [] }
      : { kind: "file", streams: [{ name: "", content: [] }] };
    parent.entries.push({ name, node });
  }

  #contains(above: ModelNode, below: ModelNode): boolean {
    return (
      above === below || (above.kind === "directory" && above.entries.some((one) => this.#contains(one.node, below)))
    );
  }

  rename(from: readonly string[], to: readonly string[], replace: boolean): void {
    const source = this.#entry(from);
    if (source.entry === undefined) throw new Error("the caller opens the source");
    const moved = source.entry.node;
    const target = this.#entry(to);
    if (moved.kind === "directory" && this.#contains(moved, target.parent)) {
      throw new ModelError(NtStatus.INVALID_PARAMETER);
    }
    if (target.entry !== undefined && target.entry !== source.entry) {
      if (!replace) throw new ModelError(NtStatus.OBJECT_NAME_COLLISION);
      if (target.entry.node.kind === "directory") throw new ModelError(NtStatus.ACCESS_DENIED);
      target.parent.entries = target.parent.entries.filter((one) => one !== target.entry);
    }
    source.parent.entries = source.parent.entries.filter((one) => one !== source.entry);
    target.parent.entries.push({ name: target.name, node: moved });
  }

  link(from: readonly string[], to: readonly string[], replace: boolean): void {
    const node = this.find(from);
    if (node === undefined) throw new Error("the caller opens the source");
    if (node.kind === "directory") throw new ModelError(NtStatus.FILE_IS_A_DIRECTORY);
    const target = this.#entry(to);
    if (target.entry !== undefined) {
      if (!replace) throw new ModelError(NtStatus.OBJECT_NAME_COLLISION);
      if (target.entry.node.kind === "directory") throw new ModelError(NtStatus.ACCESS_DENIED);
      if (target.entry.node === node) return;
      target.parent.entries = target.parent.entries.filter((one) => one !== target.entry);
    }
    target.parent.entries.push({ name: target.name, node });
  }

  unlink(path: readonly string[]): void {
    const { parent, entry } = this.#entry(path);
    if (entry?.node.kind === "directory" && entry.node.entries.length > 0) {
      throw new ModelError(NtStatus.DIRECTORY_NOT_EMPTY);
    }
    parent.entries = parent.entries.filter((one) => one !== entry);
  }

  links(node: ModelNode, at: ModelDirectory = this.root): number {
    let count = at === node ? 1 : 0;
    for (const entry of at.entries) {
      if (entry.node.kind === "directory") count += this.links(node, entry.node);
      else if (entry.node === node) count++;
    }
    return count;
  }
}

function stream(file: ModelFile, name: string): { name: string; content: number[] } | undefined {
  return file.streams.find((one) => same(one.name, name));
}

/** Operations on a stream that exists. */
export const modelStreams = {
  stream,

  open(file: ModelFile, name: string): number[] {
    let found = stream(file, name);
    if (found === undefined) {
      found = { name, content: [] };
      file.streams.push(found);
    }
    return found.content;
  },

  write(content: number[], offset: number, data: Buffer): void {
    if (data.length === 0) return;
    while (content.length < offset) content.push(0);
    data.forEach((byte, index) => {
      content[offset + index] = byte;
    });
  },

  setEndOfFile(content: number[], size: number): void {
    while (content.length < size) content.push(0);
    content.length = size;
  },

  zero(content: number[], offset: number, length: number): void {
    for (let at = offset; at < Math.min(offset + length, content.length); at++) content[at] = 0;
  },

  copy(source: number[], sourceOffset: number, target: number[], offset: number, length: number): number {
    const data = Buffer.from(source.slice(sourceOffset, sourceOffset + length));
    modelStreams.write(target, offset, data);
    return data.length;
  },

  rename(file: ModelFile, from: string, to: string, replace: boolean): void {
    const moved = stream(file, from);
    if (moved === undefined) throw new ModelError(NtStatus.OBJECT_NAME_NOT_FOUND);
    const taken = stream(file, to);
    if (taken !== undefined && taken !== moved) {
      if (!replace) throw new ModelError(NtStatus.OBJECT_NAME_COLLISION);
      file.streams.splice(file.streams.indexOf(taken), 1);
    }
    moved.name = to;
  },

  remove(file: ModelFile, name: string): void {
    const found = stream(file, name);
    if (found === undefined) throw new ModelError(NtStatus.OBJECT_NAME_NOT_FOUND);
    file.streams.splice(file.streams.indexOf(found), 1);
  },
};
