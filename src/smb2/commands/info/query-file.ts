// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../../nt/access-mask.ts";
import { FileAttribute } from "../../../nt/attributes.ts";
import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { shortNameOf } from "../../../nt/short-name.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { type FileOpen, requireAccess } from "../../state/open.ts";
import { Dialect } from "../../wire/constants.ts";
import type { Writer } from "../../wire/cursor.ts";
import { encodeFileAllInformation } from "../../wire/fscc/all-info.ts";
import {
  encodeFileAttributeTagInformation,
  encodeFileBasicInformation,
  encodeFileNetworkOpenInformation,
} from "../../wire/fscc/basic-info.ts";
import { FileInformationClass } from "../../wire/fscc/classes.ts";
import { encodeFileNameInformation } from "../../wire/fscc/name-info.ts";
import {
  encodeFileAccessInformation,
  encodeFileAlignmentInformation,
  encodeFileEaInformation,
  encodeFileIdInformation,
  encodeFileInternalInformation,
  encodeFileModeInformation,
  FILE_BYTE_ALIGNMENT,
} from "../../wire/fscc/open-info.ts";
import {
  CompressionFormat,
  encodeFileCompressionInformation,
  encodeFilePositionInformation,
  encodeFileStandardInformation,
  type FileStandardInformation,
} from "../../wire/fscc/size-info.ts";
import { encodeFileStreamInformation } from "../../wire/fscc/stream-info.ts";
import type { QueryInfoRequest } from "../../wire/query-info.ts";
import { type FileFacts, factsOf } from "../file-facts.ts";
import { queryExtendedAttributes } from "./query-ea.ts";
import { respond } from "./respond.ts";

const Class = FileInformationClass;

/** SMB2_0_INFO_FILE of a file or directory (MS-SMB2 3.3.5.20.1, MS-FSA 2.1.5.12). */
export function queryFile(request: Request, open: FileOpen, message: QueryInfoRequest): Awaitable<void> {
  const room = message.outputBufferLength;
  switch (message.fileInfoClass) {
    case Class.FileBasicInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return withFacts(request, open, encodeFileBasicInformation);
    case Class.FileStandardInformation:
      return withFacts(request, open, (writer, facts) =>
        encodeFileStandardInformation(writer, standardInformation(open, facts)),
      );
    case Class.FileInternalInformation:
      return respond(request, (writer) => encodeFileInternalInformation(writer, open.file.node.fileId));
    case Class.FileEaInformation:
      return withFacts(request, open, (writer, facts) => encodeFileEaInformation(writer, facts.eaSize));
    case Class.FileAccessInformation:
      return respond(request, (writer) => encodeFileAccessInformation(writer, open.grantedAccess));
    case Class.FilePositionInformation:
      return respond(request, (writer) => encodeFilePositionInformation(writer, open.position));
    case Class.FileFullEaInformation:
      requireAccess(open, Access.READ_EA);
      return queryExtendedAttributes(request, open, message);
    case Class.FileModeInformation:
      return respond(request, (writer) => encodeFileModeInformation(writer, open.mode));
    case Class.FileAlignmentInformation:
      return respond(request, (writer) => encodeFileAlignmentInformation(writer, FILE_BYTE_ALIGNMENT));
    case Class.FileAllInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return withFacts(request, open, (writer, facts) => encodeAll(writer, open, facts, room));
    case Class.FileAlternateNameInformation:
      return queryAlternateName(request, open, room);
    case Class.FileNormalizedNameInformation:
      return queryNormalizedName(request, open, room);
    case Class.FileStreamInformation:
      return chain(open.file.node.streams(), (streams) =>
        respond(request, (writer) => encodeFileStreamInformation(writer, streams, room)),
      );
    case Class.FileCompressionInformation:
      return withFacts(request, open, encodeCompression);
    case Class.FileNetworkOpenInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return withFacts(request, open, encodeFileNetworkOpenInformation);
    case Class.FileAttributeTagInformation:
      requireAccess(open, Access.READ_ATTRIBUTES);
      return withFacts(request, open, encodeFileAttributeTagInformation);
    case Class.FileIdInformation:
      return queryFileId(request, open);
    default:
      // The classes of named pipes.
      throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
}

function withFacts(
  request: Request,
  open: FileOpen,
  encode: (writer: Writer, facts: FileFacts) => unknown,
): Awaitable<void> {
  return chain(factsOf(open), (facts) => respond(request, (writer) => encode(writer, facts)));
}

/** Links that wait for their deletion are counted no more (MS-FSA 2.1.5.12.27); the storage itself counts none that have gone. */
export function standardInformation(open: FileOpen, facts: FileFacts): FileStandardInformation {
  const { file, link, stream } = open;
  let numberOfLinks = facts.directory ? 1 : facts.links;
  for (const { deletePending, removal } of file.links) if (deletePending && removal !== "done") numberOfLinks--;
  return {
    allocationSize: facts.allocationSize,
    endOfFile: facts.endOfFile,
    numberOfLinks: Math.max(0, numberOfLinks),
    deletePending: stream.name === "" ? link.deletePending || numberOfLinks <= 0 : stream.deletePending,
    directory: facts.directory,
  };
}

/** The path from the share's root as Windows shows it, with the stream where the handle is for a named one. */
function pathName(open: FileOpen): string {
  const { link, stream } = open;
  return stream.name === "" ? link.path.join("\\") : `${link.path.join("\\")}:${stream.name}`;
}

function encodeAll(writer: Writer, open: FileOpen, facts: FileFacts, room: number): boolean {
  return encodeFileAllInformation(
    writer,
    {
      basic: facts,
      standard: standardInformation(open, facts),
      fileId: facts.fileId,
      eaSize: facts.eaSize,
      accessFlags: open.grantedAccess,
      currentByteOffset: open.position,
      mode: open.mode,
      alignmentRequirement: FILE_BYTE_ALIGNMENT,
      name: `\\${pathName(open)}`,
    },
    room,
  );
}

/** MS-FSA 2.1.5.12.4. */
function queryAlternateName(request: Request, open: FileOpen, room: number): void {
  const { path } = open.link;
  const name = path[path.length - 1];
  if (name === undefined) throw new SmbError(NtStatus.OBJECT_NAME_NOT_FOUND);
  // A name of the 8.3 form is its own short name.
  const shortName = shortNameOf(name) || name;
  respond(request, (writer) => encodeFileNameInformation(writer, shortName, room));
}

function queryNormalizedName(request: Request, open: FileOpen, room: number): void {
  if (request.connection.dialect < Dialect.SMB_3_1_1) throw new SmbError(NtStatus.NOT_SUPPORTED);
  respond(request, (writer) => encodeFileNameInformation(writer, pathName(open), room));
}

/** The storage does not tell how it compresses (MS-FSA 2.1.5.12.8). */
function encodeCompression(writer: Writer, facts: FileFacts): void {
  const compressed = (facts.attributes & FileAttribute.COMPRESSED) !== 0;
  encodeFileCompressionInformation(writer, {
    compressedFileSize: facts.directory ? 0 : facts.allocationSize,
    compressionFormat: compressed ? CompressionFormat.LZNT1 : CompressionFormat.NONE,
    compressionUnitShift: 0,
    chunkShift: 0,
    clusterShift: 0,
  });
}

function queryFileId(request: Request, open: FileOpen): void {
  if (request.connection.dialect < Dialect.SMB_3_0) throw new SmbError(NtStatus.NOT_SUPPORTED);
  const { node, volume } = open.file;
  const volumeSerialNumber = BigInt(volume.info.serialNumber >>> 0);
  respond(request, (writer) => encodeFileIdInformation(writer, { volumeSerialNumber, fileId: node.fileId }));
}
