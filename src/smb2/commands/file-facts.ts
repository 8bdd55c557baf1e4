// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../nt/attributes.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import type { FileStat, StreamSize } from "../../vfs/volume.ts";
import type { FileOpen } from "../state/open.ts";
import { shownWriteTime } from "../state/write-time.ts";

/** Attributes and times of the file with the sizes of the stream that the handle is for. */
export interface FileFacts extends FileStat {
  readonly endOfFile: number;
  readonly allocationSize: number;
}

/** What CREATE, CLOSE and QUERY_INFO report about a handle. */
export function factsOf(open: FileOpen): Awaitable<FileFacts> {
  const { stream } = open;
  if (stream.name === "" || stream.data === undefined) return statOf(open);
  const { data } = stream;
  return chain(statOf(open), (stat) =>
    chain(data.size(), (size: StreamSize) => ({
      ...stat,
      endOfFile: size.endOfFile,
      allocationSize: size.allocationSize,
      // A stream of a directory is a file of its own as far as the client can see.
      directory: false,
      attributes: stat.attributes & ~FileAttribute.DIRECTORY,
    })),
  );
}

function statOf({ file, link, tree }: FileOpen): Awaitable<FileStat> {
  const hidden = tree.share?.hidesName?.(link.path.at(-1) ?? "") === true;
  if (file.deferredWriteTime === undefined && !hidden) return file.node.stat();
  return chain(file.node.stat(), (stat) => ({
    ...stat,
    lastWriteTime: shownWriteTime(file) ?? stat.lastWriteTime,
    attributes: hidden ? stat.attributes | FileAttribute.HIDDEN : stat.attributes,
  }));
}

/** FileAttributes as they go out: NORMAL stands for none (MS-FSCC 2.6). */
export function wireAttributes(attributes: number): number {
  return attributes === 0 ? FileAttribute.NORMAL : attributes;
}

/**
 * The facts that the responses of CREATE and CLOSE have in common (MS-SMB2 2.2.14, 2.2.16). Those take them one by one: V8 makes an
 * object slowly where others are spread among its members.
 */
export function shownFacts(facts: FileFacts) {
  return {
    creationTime: facts.creationTime,
    lastAccessTime: facts.lastAccessTime,
    lastWriteTime: facts.lastWriteTime,
    changeTime: facts.changeTime,
    allocationSize: BigInt(facts.allocationSize),
    endOfFile: BigInt(facts.endOfFile),
    fileAttributes: wireAttributes(facts.attributes),
  };
}
