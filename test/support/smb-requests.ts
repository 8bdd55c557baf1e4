// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../src/nt/access-mask.ts";
import { encodeChangeNotifyRequest } from "../../src/smb2/wire/change-notify.ts";
import { encodeCloseRequest } from "../../src/smb2/wire/close.ts";
import {
  Command,
  CreateDisposition,
  ImpersonationLevel,
  InfoType,
  IoctlFlag,
  OplockLevel,
  ShareAccess,
  TreeConnectFlag,
} from "../../src/smb2/wire/constants.ts";
import { type CreateRequest, encodeCreateRequest } from "../../src/smb2/wire/create.ts";
import type { Writer } from "../../src/smb2/wire/cursor.ts";
import { encodeEchoRequest } from "../../src/smb2/wire/echo.ts";
import { type FileId, NO_FILE_ID } from "../../src/smb2/wire/file-id.ts";
import { encodeFlushRequest } from "../../src/smb2/wire/flush.ts";
import { encodeIoctlRequest, type IoctlRequest } from "../../src/smb2/wire/ioctl.ts";
import { encodeLockRequest, type LockElement } from "../../src/smb2/wire/lock.ts";
import { encodeLogoffRequest } from "../../src/smb2/wire/logoff.ts";
import { encodeOplockBreakRequest, type LeaseBreak, type OplockBreak } from "../../src/smb2/wire/oplock-break.ts";
import { encodeQueryDirectoryRequest, type QueryDirectoryRequest } from "../../src/smb2/wire/query-directory.ts";
import { encodeQueryInfoRequest, type QueryInfoRequest } from "../../src/smb2/wire/query-info.ts";
import { encodeReadRequest, type ReadRequest } from "../../src/smb2/wire/read.ts";
import { encodeSetInfoRequest, type SetInfoRequest } from "../../src/smb2/wire/set-info.ts";
import { encodeTreeConnectRequest, type TreeConnectContext } from "../../src/smb2/wire/tree-connect.ts";
import { encodeTreeDisconnectRequest } from "../../src/smb2/wire/tree-disconnect.ts";
import { encodeWriteRequest, type WriteRequest } from "../../src/smb2/wire/write.ts";

/** A request without its header. */
export interface RequestBody {
  readonly command: number;
  readonly encode: (writer: Writer) => void;
  /** Bytes that the CreditCharge has to cover (MS-SMB2 3.2.4.1.5). */
  readonly payload: number;
}

const EMPTY = Buffer.alloc(0);

function body(command: number, encode: (writer: Writer) => void, payload = 0): RequestBody {
  return { command, encode, payload };
}

/** Body bytes made by hand. */
export function rawBody(command: number, bytes: Buffer): RequestBody {
  return body(command, (writer) => writer.bytes(bytes));
}

export const requests = {
  echo: () => body(Command.ECHO, encodeEchoRequest),
  logoff: () => body(Command.LOGOFF, encodeLogoffRequest),
  treeDisconnect: () => body(Command.TREE_DISCONNECT, encodeTreeDisconnectRequest),

  treeConnect: (path: string, contexts?: readonly TreeConnectContext[]) =>
    body(Command.TREE_CONNECT, (writer) => {
      const flags = contexts === undefined ? 0 : TreeConnectFlag.EXTENSION_PRESENT;
      encodeTreeConnectRequest(writer, { flags, path, contexts: contexts ?? [] });
    }),

  /** By default: opens an existing file or directory with all rights, shared with everybody. */
  create: (name: string, options: Partial<CreateRequest> = {}) =>
    body(Command.CREATE, (writer) =>
      encodeCreateRequest(writer, {
        requestedOplockLevel: OplockLevel.NONE,
        impersonationLevel: ImpersonationLevel.IMPERSONATION,
        desiredAccess: Access.FILE_ALL,
        fileAttributes: 0,
        shareAccess: ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE,
        createDisposition: CreateDisposition.OPEN,
        createOptions: 0,
        contexts: [],
        ...options,
        name,
      }),
    ),

  close: (fileId: FileId = NO_FILE_ID, flags = 0) =>
    body(Command.CLOSE, (writer) => encodeCloseRequest(writer, { flags, fileId })),

  flush: (fileId: FileId = NO_FILE_ID) => body(Command.FLUSH, (writer) => encodeFlushRequest(writer, { fileId })),

  read: (fileId: FileId, offset: bigint | number, length: number, options: Partial<ReadRequest> = {}) =>
    body(
      Command.READ,
      (writer) =>
        encodeReadRequest(writer, {
          padding: 0x50,
          flags: 0,
          length,
          offset: BigInt(offset),
          fileId,
          minimumCount: 0,
          channel: 0,
          remainingBytes: 0,
          channelInfo: EMPTY,
          ...options,
        }),
      length,
    ),

  write: (fileId: FileId, offset: bigint | number, data: Buffer, options: Partial<WriteRequest> = {}) =>
    body(
      Command.WRITE,
      (writer) =>
        encodeWriteRequest(writer, {
          offset: BigInt(offset),
          fileId,
          channel: 0,
          remainingBytes: 0,
          channelInfo: EMPTY,
          flags: 0,
          data,
          ...options,
        }),
      data.length,
    ),

  lock: (fileId: FileId, locks: readonly LockElement[], sequence = { number: 0, index: 0 }) =>
    body(Command.LOCK, (writer) =>
      encodeLockRequest(writer, {
        lockSequenceNumber: sequence.number,
        lockSequenceIndex: sequence.index,
        fileId,
        locks,
      }),
    ),

  ioctl: (ctlCode: number, fileId: FileId, options: Partial<IoctlRequest> = {}) => {
    const request: IoctlRequest = {
      ctlCode,
      fileId,
      input: EMPTY,
      maxInputResponse: 0,
      outputCount: 0,
      maxOutputResponse: 65_536,
      flags: IoctlFlag.IS_FSCTL,
      ...options,
    };
    const payload = Math.max(
      request.input.length + request.outputCount,
      request.maxInputResponse + request.maxOutputResponse,
    );
    return body(Command.IOCTL, (writer) => encodeIoctlRequest(writer, request), payload);
  },

  queryDirectory: (fileId: FileId, options: Partial<QueryDirectoryRequest> & { fileInformationClass: number }) => {
    const request = { flags: 0, fileIndex: 0, fileName: "*", outputBufferLength: 65_536, ...options, fileId };
    return body(
      Command.QUERY_DIRECTORY,
      (writer) => encodeQueryDirectoryRequest(writer, request),
      request.outputBufferLength,
    );
  },

  queryInfo: (fileId: FileId, fileInfoClass: number, options: Partial<QueryInfoRequest> = {}) => {
    const request: QueryInfoRequest = {
      infoType: InfoType.FILE,
      fileInfoClass,
      outputBufferLength: 65_536,
      additionalInformation: 0,
      flags: 0,
      input: EMPTY,
      ...options,
      fileId,
    };
    return body(
      Command.QUERY_INFO,
      (writer) => encodeQueryInfoRequest(writer, request),
      Math.max(request.outputBufferLength, request.input.length),
    );
  },

  setInfo: (fileId: FileId, fileInfoClass: number, input: Buffer, options: Partial<SetInfoRequest> = {}) =>
    body(
      Command.SET_INFO,
      (writer) =>
        encodeSetInfoRequest(writer, {
          infoType: InfoType.FILE,
          fileInfoClass,
          additionalInformation: 0,
          fileId,
          input,
          ...options,
        }),
      input.length,
    ),

  changeNotify: (fileId: FileId, completionFilter: number, flags = 0, outputBufferLength = 4096) =>
    body(
      Command.CHANGE_NOTIFY,
      (writer) => encodeChangeNotifyRequest(writer, { flags, outputBufferLength, fileId, completionFilter }),
      outputBufferLength,
    ),

  oplockBreak: (message: OplockBreak | LeaseBreak) =>
    body(Command.OPLOCK_BREAK, (writer) => encodeOplockBreakRequest(writer, message)),
};
