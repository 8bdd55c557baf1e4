// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { VolumeStream } from "../../../vfs/volume.ts";
import { breakForChange } from "../../oplock-break.ts";
import type { Request } from "../../request.ts";
import { archive } from "../../state/archive.ts";
import { everythingFrom } from "../../state/data-changes.ts";
import { keepFrozenTimes } from "../../state/frozen-times.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";
import { reportModified, reportResized } from "../../state/report-change.ts";
import { showWriteTime } from "../../state/write-time.ts";
import { CompletionFilter } from "../../wire/constants.ts";
import { Reader } from "../../wire/cursor.ts";
import { decodeFileBasicInformation } from "../../wire/fscc/basic-info.ts";
import { FileInformationClass } from "../../wire/fscc/classes.ts";
import { decodeFullEaList } from "../../wire/fscc/ea-info.ts";
import { decodeFileModeInformation, FileMode } from "../../wire/fscc/open-info.ts";
import {
  decodeFileDispositionInformation,
  decodeFileDispositionInformationEx,
  decodeFileLinkInformation,
  decodeFileRenameInformation,
  decodeFileRenameInformationEx,
} from "../../wire/fscc/rename-info.ts";
import {
  decodeFileAllocationInformation,
  decodeFileEndOfFileInformation,
  decodeFilePositionInformation,
  decodeFileValidDataLengthInformation,
} from "../../wire/fscc/size-info.ts";
import type { SetInfoRequest } from "../../wire/set-info.ts";
import { setBasic } from "./set-basic.ts";
import { setDisposition, setDispositionEx } from "./set-disposition.ts";
import { setLink } from "./set-link.ts";
import { setRename, setRenameEx } from "./set-rename.ts";

const Class = FileInformationClass;

/** SMB2_0_INFO_FILE of a file or directory (MS-SMB2 3.3.5.21.1, MS-FSA 2.1.5.15). */
export function setFile(request: Request, open: FileOpen, message: SetInfoRequest): Awaitable<void> {
  const reader = new Reader(message.input);
  switch (message.fileInfoClass) {
    case Class.FileBasicInformation:
      requireAccess(open, Access.WRITE_ATTRIBUTES);
      return setBasic(open, decodeFileBasicInformation(reader));
    case Class.FileRenameInformation:
      requireAccess(open, Access.DELETE);
      return setRename(request, open, decodeFileRenameInformation(reader));
    case Class.FileRenameInformationEx:
      requireAccess(open, Access.DELETE);
      return setRenameEx(request, open, decodeFileRenameInformationEx(reader));
    case Class.FileLinkInformation:
      return setLink(request, open, decodeFileLinkInformation(reader));
    case Class.FileDispositionInformation:
      requireAccess(open, Access.DELETE);
      return setDisposition(request, open, decodeFileDispositionInformation(reader));
    case Class.FileDispositionInformationEx:
      requireAccess(open, Access.DELETE);
      return setDispositionEx(request, open, decodeFileDispositionInformationEx(reader));
    case Class.FilePositionInformation:
      return setPosition(open, decodeFilePositionInformation(reader));
    case Class.FileFullEaInformation:
      requireAccess(open, Access.WRITE_EA);
      return setExtendedAttributes(open, message.input);
    case Class.FileModeInformation:
      return setMode(open, decodeFileModeInformation(reader));
    case Class.FileAllocationInformation:
      return setAllocation(request, open, decodeFileAllocationInformation(reader));
    case Class.FileEndOfFileInformation:
      return setEndOfFile(request, open, decodeFileEndOfFileInformation(reader));
    case Class.FileValidDataLengthInformation:
      return setValidDataLength(request, open, decodeFileValidDataLengthInformation(reader));
    case Class.FileShortNameInformation:
      requireAccess(open, Access.DELETE);
      // Short names are made from long ones, and are not stored.
      throw new SmbError(NtStatus.NOT_SUPPORTED);
    default:
      // The classes of named pipes.
      throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

/** The data stream of the handle, which may be written. @throws SmbError INVALID_PARAMETER for a directory */
function writableStream(open: FileOpen): VolumeStream {
  const { data } = open.stream;
  if (data === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  requireAccess(open, Access.WRITE_DATA);
  return data;
}

/** A size from the client in bytes. @throws SmbError INVALID_PARAMETER negative, or larger than files can be */
function checkedSize(open: FileOpen, size: bigint): number {
  if (size < 0n || size > BigInt(open.file.volume.info.maximumFileSize)) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  return Number(size);
}

/** What changes with the size of a file. */
const RESIZE_FILTER = CompletionFilter.SIZE | CompletionFilter.ATTRIBUTES;

/** MS-FSA 2.1.5.15.5. */
function setEndOfFile(request: Request, open: FileOpen, endOfFile: bigint): Awaitable<void> {
  const data = writableStream(open);
  const size = checkedSize(open, endOfFile);
  return resize(request, open, () => open.stream.changes.run(everythingFrom(size), () => data.setEndOfFile(size)));
}

function resize(request: Request, open: FileOpen, change: () => Awaitable<void>): Awaitable<void> {
  const changed = chain(breakForChange(request, open), () => {
    showWriteTime(open.file);
    return keepFrozenTimes(open, change);
  });
  return chain(changed, () => reportResized(open, RESIZE_FILTER));
}

/** MS-FSA 2.1.5.15.1: an allocation below the end of file cuts the file, but only by whole allocation units, as NTFS does (<178>). */
function setAllocation(request: Request, open: FileOpen, allocationSize: bigint): Awaitable<void> {
  const data = writableStream(open);
  const size = checkedSize(open, allocationSize);
  const unit = open.file.volume.info.allocationUnit;
  const allocated = Math.ceil(size / unit) * unit;
  return resize(request, open, () =>
    open.stream.changes.run(everythingFrom(size), () =>
      chain(data.size(), ({ endOfFile }) => {
        if (size >= endOfFile) return data.setAllocation(size);
        if (allocated >= endOfFile) return data.setAllocation(endOfFile);
        return chain(data.setEndOfFile(allocated), () => data.setAllocation(allocated));
      }),
    ),
  );
}

/** MS-FSA 2.1.5.15.17: what lies behind the valid data reads as zeros anyway, so that there is nothing to expose. */
function setValidDataLength(request: Request, open: FileOpen, validDataLength: bigint): Awaitable<void> {
  const data = writableStream(open);
  const identity = request.session.identity;
  if (identity?.privileges.includes("SeManageVolumePrivilege") !== true) {
    throw new SmbError(NtStatus.PRIVILEGE_NOT_HELD);
  }
  return chain(data.size(), ({ endOfFile }) => {
    if (validDataLength < 0n || validDataLength > BigInt(endOfFile)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  });
}

/** MS-FSA 2.1.5.15.10: what is not buffered is read and written in whole sectors. */
function setPosition(open: FileOpen, position: bigint): void {
  const unit = isUnbuffered(open) ? BigInt(open.file.volume.info.logicalSectorSize) : 1n;
  if (position < 0n || position % unit !== 0n) throw new SmbError(NtStatus.INVALID_PARAMETER);
  open.position = position;
}

const SETTABLE_MODE =
  FileMode.WRITE_THROUGH | FileMode.SEQUENTIAL_ONLY | FileMode.SYNCHRONOUS_IO_ALERT | FileMode.SYNCHRONOUS_IO_NONALERT;

function isUnbuffered({ mode }: FileOpen): boolean {
  return (mode & FileMode.NO_INTERMEDIATE_BUFFERING) !== 0;
}

/** MS-FSA 2.1.5.15.8: synchronous and asynchronous handles stay what they are, and over SMB2 all are asynchronous. */
function setMode(open: FileOpen, mode: number): void {
  if ((mode & ~SETTABLE_MODE) !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if ((mode & (FileMode.SYNCHRONOUS_IO_ALERT | FileMode.SYNCHRONOUS_IO_NONALERT)) !== 0) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  // What is not buffered is written through or not as it was opened.
  const changes = isUnbuffered(open) ? SETTABLE_MODE & ~FileMode.WRITE_THROUGH : SETTABLE_MODE;
  open.mode = ((open.mode & ~changes) | (mode & changes)) >>> 0;
}

/** MS-FSA 2.1.5.15.6. */
function setExtendedAttributes(open: FileOpen, input: Buffer): Awaitable<void> {
  const attributes = decodeFullEaList(input).map((ea) => ({ ...ea, value: Buffer.from(ea.value) }));
  return chain(
    keepFrozenTimes(open, () => chain(open.file.node.setExtendedAttributes(attributes), () => archive(open.file))),
    () => reportModified(open, CompletionFilter.EA | CompletionFilter.ATTRIBUTES),
  );
}
