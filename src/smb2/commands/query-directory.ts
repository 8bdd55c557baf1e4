// SPDX-License-Identifier: Apache-2.0

import { grantedMaximum } from "../../nt/access-check.ts";
import { Access } from "../../nt/access-mask.ts";
import { FileAttribute } from "../../nt/attributes.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { shortNameOf } from "../../nt/short-name.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import { compilePattern, hasWildcard, isValidPattern } from "../../nt/wildcard.ts";
import type { DirectoryCursor, DirectoryEntry, FileStat, VolumeFile } from "../../vfs/volume.ts";
import type { Request } from "../request.ts";
import type { Share } from "../server-context.ts";
import { type Enumeration, type FileOpen, requireAccess } from "../state/open.ts";
import { QueryDirectoryFlag } from "../wire/constants.ts";
import { DirectoryEntryWriter, directoryEntryFixedLength } from "../wire/fscc/directory-info.ts";
import {
  decodeQueryDirectoryRequest,
  encodeQueryDirectoryResponse,
  type QueryDirectoryRequest,
} from "../wire/query-directory.ts";
import { command } from "./command.ts";

/** SMB2 QUERY_DIRECTORY (MS-SMB2 3.3.5.18). */
export const queryDirectory = command({
  decode: decodeQueryDirectoryRequest,
  handle,
  session: true,
  tree: true,
  fileId: (message) => message.fileId,
  payload: (message) => message.outputBufferLength,
});

/** Entries fetched at a time: enough to fill most buffers, few enough to keep the event loop free. */
const BATCH = 256;
/** Bytes of a first guess for an entry, to fetch no more than the buffer will hold. */
const TYPICAL_ENTRY = 128;
/** Clients offer up to 8 MiB; what is not filled is not allocated. */
const MAX_OUTPUT = 1024 * 1024;

function handle(request: Request, message: QueryDirectoryRequest): Awaitable<void> {
  const open = request.fileOpen;
  if (!open.file.node.directory || open.stream.name !== "") throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (message.outputBufferLength > request.connection.maxTransactSize) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  requireAccess(open, Access.LIST_DIRECTORY);
  const fixedLength = directoryEntryFixedLength(message.fileInformationClass);
  if (fixedLength === undefined) throw new SmbError(NtStatus.INVALID_INFO_CLASS);
  if (message.outputBufferLength < fixedLength) throw new SmbError(NtStatus.INFO_LENGTH_MISMATCH);
  // A second request meanwhile would take entries out of the middle of the first.
  const before = open.enumerating;
  const result =
    before === undefined ? enumerate(request, open, message) : before.then(() => enumerate(request, open, message));
  if (result instanceof Promise) queue(open, result);
  return result;
}

/** Whoever comes next waits for this one. */
function queue(open: FileOpen, request: Promise<void>): void {
  const settled = request.then(
    () => {},
    () => {},
  );
  open.enumerating = settled;
  void settled.then(() => {
    if (open.enumerating === settled) open.enumerating = undefined;
  });
}

function enumerate(request: Request, open: FileOpen, message: QueryDirectoryRequest): Awaitable<void> {
  if (open.closing) throw new SmbError(NtStatus.FILE_CLOSED);
  return chain(positioned(request, open, message), (enumeration) => {
    const size = Math.min(message.outputBufferLength, MAX_OUTPUT);
    const buffer = Buffer.allocUnsafe(size);
    const output = new DirectoryEntryWriter(message.fileInformationClass, buffer);
    const single = (message.flags & QueryDirectoryFlag.RETURN_SINGLE_ENTRY) !== 0;
    return chain(fill(request, open, enumeration, output, size, single), (waiting) => {
      finish(request, enumeration, output, waiting);
      encodeQueryDirectoryResponse(request.writer, { output: buffer.subarray(0, output.length) });
    });
  });
}

/** The enumeration of the handle, started, started again or moved as the flags say. */
function positioned(request: Request, open: FileOpen, message: QueryDirectoryRequest): Awaitable<Enumeration> {
  const { flags } = message;
  const restart = (flags & (QueryDirectoryFlag.RESTART_SCANS | QueryDirectoryFlag.REOPEN)) !== 0;
  const indexed = (flags & QueryDirectoryFlag.INDEX_SPECIFIED) !== 0 && message.fileIndex !== 0;
  const current = open.enumeration;
  if (current !== undefined && !restart && !indexed) return current;
  // The pattern of the first query holds until the scan is reopened (MS-FSA 2.1.5.6.3).
  const reopened = current === undefined || restart;
  const pattern = reopened && message.fileName !== "" ? message.fileName : (current?.pattern ?? "*");
  if (!isValidPattern(pattern)) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  const matches = compilePattern(pattern);
  const first = current === undefined || (flags & QueryDirectoryFlag.REOPEN) !== 0;
  current?.cursor.close();
  open.enumeration = undefined;
  return chain(beginScan(open, pattern), (cursor) => {
    if (open.closing) {
      cursor.close();
      throw new SmbError(NtStatus.FILE_CLOSED);
    }
    const enumeration: Enumeration = {
      cursor,
      pattern,
      matches,
      pending: [],
      nextIndex: 1,
      started: !first,
      finished: false,
    };
    open.enumeration = enumeration;
    return chain(dotEntries(open, enumeration), () =>
      indexed ? chain(skipTo(request, open, enumeration, message.fileIndex), () => enumeration) : enumeration,
    );
  });
}

/** A name without wildcards is looked up, not searched for: clients ask so for a single file. */
function beginScan(open: FileOpen, pattern: string): Awaitable<DirectoryCursor> {
  if (hasWildcard(pattern) || pattern === "." || pattern === "..") return open.file.node.readDirectory();
  return new SingleName(open, pattern);
}

class SingleName implements DirectoryCursor {
  readonly #open: FileOpen;
  readonly #name: string;
  #done = false;

  constructor(open: FileOpen, name: string) {
    this.#open = open;
    this.#name = name;
  }

  next(): Awaitable<DirectoryEntry[]> {
    if (this.#done) return [];
    this.#done = true;
    const { file, link } = this.#open;
    return chain(file.volume.open([...link.path, this.#name]), (opened) => {
      if (opened === undefined) return [];
      const name = opened.path[opened.path.length - 1] ?? this.#name;
      return chain(statAndClose(opened.file), (stat) => [{ name, shortName: shortNameOf(name), stat }]);
    });
  }

  close(): void {
    this.#done = true;
  }
}

function statAndClose(file: VolumeFile): Awaitable<FileStat> {
  return chain(file.stat(), (stat) => chain(file.close(), () => stat));
}

/** "." and "..", which every directory lists first; the root of a share is its own parent. */
function dotEntries(open: FileOpen, enumeration: Enumeration): Awaitable<void> {
  const { file, link } = open;
  if (!enumeration.matches(".") && !enumeration.matches("..")) return;
  return chain(file.node.stat(), (own) => {
    const add = (name: string, stat: FileStat) => {
      if (enumeration.matches(name)) enumeration.pending.push({ name, shortName: "", stat });
    };
    add(".", own);
    if (link.path.length === 0) return add("..", own);
    return chain(file.volume.open(link.path.slice(0, -1)), (parent) => {
      if (parent === undefined) return add("..", own);
      return chain(statAndClose(parent.file), (stat) => add("..", stat));
    });
  });
}

/** Makes the next entry the one behind `fileIndex`. */
async function skipTo(request: Request, open: FileOpen, enumeration: Enumeration, fileIndex: number): Promise<void> {
  enumeration.started = true;
  while (enumeration.nextIndex <= fileIndex) {
    if (enumeration.pending.length === 0 && !(await fetch(request, open, enumeration, BATCH))) return;
    enumeration.pending.shift();
    enumeration.nextIndex++;
  }
}

/** Fetches further entries; false at the end. */
function fetch(request: Request, open: FileOpen, enumeration: Enumeration, count: number): Awaitable<boolean> {
  if (enumeration.finished) return false;
  const { share } = request.tree;
  return chain(enumeration.cursor.next(count, enumeration.matches), (found) => {
    if (found.length < count) enumeration.finished = true;
    const entries = share?.hidesName === undefined ? found : found.map((entry) => asShown(entry, share));
    if (share?.accessBasedEnumeration !== true) {
      enumeration.pending.push(...entries);
      return entries.length > 0;
    }
    return chain(onlyReadable(request, open, entries), (visible) => {
      enumeration.pending.push(...visible);
      if (visible.length > 0) return true;
      return entries.length > 0 ? fetch(request, open, enumeration, count) : false;
    });
  });
}

/** An entry with the attribute that its name gives it. */
function asShown(entry: DirectoryEntry, share: Share): DirectoryEntry {
  if (share.hidesName?.(entry.name) !== true) return entry;
  return { ...entry, stat: { ...entry.stat, attributes: entry.stat.attributes | FileAttribute.HIDDEN } };
}

/** DoAccessBasedDirectoryEnumeration: entries that the user may read (MS-SMB2 3.3.5.18). */
async function onlyReadable(request: Request, open: FileOpen, entries: DirectoryEntry[]): Promise<DirectoryEntry[]> {
  const { identity } = request.session;
  if (identity === undefined) return [];
  const visible: DirectoryEntry[] = [];
  for (const entry of entries) {
    const opened = await open.file.volume.open([...open.link.path, entry.name]);
    if (opened === undefined) continue;
    try {
      const rights = grantedMaximum(await opened.file.security(), identity);
      if ((rights & Access.FILE_GENERIC_READ) === Access.FILE_GENERIC_READ) visible.push(entry);
    } finally {
      await opened.file.close();
    }
  }
  return visible;
}

/** Appends what fits; returns the entry that did not. */
function fill(
  request: Request,
  open: FileOpen,
  enumeration: Enumeration,
  output: DirectoryEntryWriter,
  size: number,
  single: boolean,
): Awaitable<DirectoryEntry | undefined> {
  for (;;) {
    let taken = 0;
    for (const entry of enumeration.pending) {
      if (!output.append(entry, enumeration.nextIndex)) {
        enumeration.pending.splice(0, taken);
        return entry;
      }
      taken++;
      enumeration.nextIndex++;
      if (single) {
        enumeration.pending.splice(0, taken);
        return undefined;
      }
    }
    enumeration.pending = [];
    const room = Math.ceil((size - output.length) / TYPICAL_ENTRY);
    const more = fetch(request, open, enumeration, single ? 1 : Math.max(1, Math.min(BATCH, room)));
    if (more instanceof Promise) {
      return more.then((found) => (found ? fill(request, open, enumeration, output, size, single) : undefined));
    }
    if (!more) return undefined;
  }
}

/** Settles the status; `waiting` is the entry that did not fit. */
function finish(
  request: Request,
  enumeration: Enumeration,
  output: DirectoryEntryWriter,
  waiting: DirectoryEntry | undefined,
): void {
  const first = !enumeration.started;
  enumeration.started = true;
  if (output.count === 0) {
    if (waiting === undefined) throw new SmbError(first ? NtStatus.NO_SUCH_FILE : NtStatus.NO_MORE_FILES);
    if (!output.appendTruncated(waiting, enumeration.nextIndex)) throw new SmbError(NtStatus.INFO_LENGTH_MISMATCH);
    request.status = NtStatus.BUFFER_OVERFLOW;
  }
}
