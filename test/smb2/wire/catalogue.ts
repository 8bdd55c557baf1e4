// SPDX-License-Identifier: Apache-2.0

import * as changeNotify from "../../../src/smb2/wire/change-notify.ts";
import * as close from "../../../src/smb2/wire/close.ts";
import * as create from "../../../src/smb2/wire/create.ts";
import type { Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import * as errorResponse from "../../../src/smb2/wire/error-response.ts";
import * as flush from "../../../src/smb2/wire/flush.ts";
import * as ioctl from "../../../src/smb2/wire/ioctl.ts";
import * as lock from "../../../src/smb2/wire/lock.ts";
import * as negotiate from "../../../src/smb2/wire/negotiate.ts";
import * as oplockBreak from "../../../src/smb2/wire/oplock-break.ts";
import * as queryDirectory from "../../../src/smb2/wire/query-directory.ts";
import * as queryInfo from "../../../src/smb2/wire/query-info.ts";
import * as read from "../../../src/smb2/wire/read.ts";
import * as sessionSetup from "../../../src/smb2/wire/session-setup.ts";
import * as setInfo from "../../../src/smb2/wire/set-info.ts";
import * as treeConnect from "../../../src/smb2/wire/tree-connect.ts";
import * as write from "../../../src/smb2/wire/write.ts";
import * as captured from "./captured.ts";
import { bodyOf, messageWith, withBody } from "./golden.ts";

/** A codec with fields, and a message that it takes. */
export interface Entry {
  readonly name: string;
  readonly sample: Buffer;
  readonly decode: (message: Buffer) => unknown;
  /** Decodes, encodes what came out, and decodes that. */
  readonly again: (message: Buffer) => unknown;
}

function entry<T>(
  name: string,
  sample: Buffer,
  decode: (reader: Reader) => T,
  encode: (writer: Writer, value: T) => void,
): Entry {
  return {
    name,
    sample,
    decode: (message) => decode(bodyOf(message)),
    again: (message) => {
      const value = decode(bodyOf(message));
      return decode(bodyOf(messageWith((writer) => encode(writer, value))));
    },
  };
}

const encodeReadResponse = (writer: Writer, response: read.ReadResponse): void => {
  read.encodeReadResponseHeader(writer, response.data.length, response.dataRemaining);
  writer.patchU32(writer.position - 4, response.flags);
  writer.bytes(response.data);
};

/** A TREE_CONNECT with the extension of SMB 3.1.1 and one context (MS-SMB2 2.2.9.1). */
export const treeConnectExtended = withBody(`
  0900 0400 5800 1000
  28000000 0100 00000000000000000000
  5c005c0073005c00720065006c006f00
  0100 0300 00000000 aabbcc`);

/** SMB 3.1.1 error data in two contexts (MS-SMB2 2.2.2.1). */
export const errorWithContexts = withBody(`
  0900 02 00 1a000000
  0200000000000000 1103 000000000000
  0200000053526472 beef`);

/** Every codec of a body with fields. */
export const catalogue: readonly Entry[] = [
  entry(
    "NEGOTIATE request 3.1.1",
    captured.negotiateRequest311,
    negotiate.decodeNegotiateRequest,
    negotiate.encodeNegotiateRequest,
  ),
  entry(
    "NEGOTIATE request 2.0.2",
    captured.negotiateRequest202,
    negotiate.decodeNegotiateRequest,
    negotiate.encodeNegotiateRequest,
  ),
  entry(
    "NEGOTIATE response 3.1.1",
    captured.negotiateResponse311,
    negotiate.decodeNegotiateResponse,
    negotiate.encodeNegotiateResponse,
  ),
  entry(
    "SESSION_SETUP request",
    captured.sessionSetupRequest,
    sessionSetup.decodeSessionSetupRequest,
    sessionSetup.encodeSessionSetupRequest,
  ),
  entry(
    "SESSION_SETUP response",
    captured.sessionSetupResponse,
    sessionSetup.decodeSessionSetupResponse,
    sessionSetup.encodeSessionSetupResponse,
  ),
  entry(
    "TREE_CONNECT request",
    captured.treeConnectRequest,
    treeConnect.decodeTreeConnectRequest,
    treeConnect.encodeTreeConnectRequest,
  ),
  entry(
    "TREE_CONNECT request, extended",
    treeConnectExtended,
    treeConnect.decodeTreeConnectRequest,
    treeConnect.encodeTreeConnectRequest,
  ),
  entry(
    "TREE_CONNECT response",
    captured.treeConnectResponse,
    treeConnect.decodeTreeConnectResponse,
    treeConnect.encodeTreeConnectResponse,
  ),
  entry("CREATE request", captured.createRequestFourContexts, create.decodeCreateRequest, create.encodeCreateRequest),
  entry(
    "CREATE response",
    captured.createResponseDurableLease,
    create.decodeCreateResponse,
    create.encodeCreateResponse,
  ),
  entry("CLOSE request", captured.closeRequest, close.decodeCloseRequest, close.encodeCloseRequest),
  entry("CLOSE response", captured.closeResponse, close.decodeCloseResponse, close.encodeCloseResponse),
  entry("FLUSH request", captured.flushRequest, flush.decodeFlushRequest, flush.encodeFlushRequest),
  entry("READ request", captured.readRequest, read.decodeReadRequest, read.encodeReadRequest),
  entry("READ response", captured.readResponse, read.decodeReadResponse, encodeReadResponse),
  entry("WRITE request", captured.writeRequest, write.decodeWriteRequest, write.encodeWriteRequest),
  entry("WRITE response", captured.writeResponse, write.decodeWriteResponse, write.encodeWriteResponse),
  entry("LOCK request", captured.lockRequest, lock.decodeLockRequest, lock.encodeLockRequest),
  entry("IOCTL request", captured.ioctlRequest, ioctl.decodeIoctlRequest, ioctl.encodeIoctlRequest),
  entry("IOCTL response", captured.ioctlResponse, ioctl.decodeIoctlResponse, ioctl.encodeIoctlResponse),
  entry(
    "QUERY_DIRECTORY request",
    captured.queryDirectoryRequest,
    queryDirectory.decodeQueryDirectoryRequest,
    queryDirectory.encodeQueryDirectoryRequest,
  ),
  entry(
    "QUERY_DIRECTORY response",
    captured.queryDirectoryResponse,
    queryDirectory.decodeQueryDirectoryResponse,
    queryDirectory.encodeQueryDirectoryResponse,
  ),
  entry(
    "CHANGE_NOTIFY request",
    captured.changeNotifyRequest,
    changeNotify.decodeChangeNotifyRequest,
    changeNotify.encodeChangeNotifyRequest,
  ),
  entry(
    "CHANGE_NOTIFY response",
    captured.changeNotifyResponse,
    changeNotify.decodeChangeNotifyResponse,
    changeNotify.encodeChangeNotifyResponse,
  ),
  entry(
    "QUERY_INFO request",
    captured.queryInfoRequest,
    queryInfo.decodeQueryInfoRequest,
    queryInfo.encodeQueryInfoRequest,
  ),
  entry(
    "QUERY_INFO response",
    captured.queryInfoResponse,
    queryInfo.decodeQueryInfoResponse,
    queryInfo.encodeQueryInfoResponse,
  ),
  entry("SET_INFO request", captured.setInfoRequest, setInfo.decodeSetInfoRequest, setInfo.encodeSetInfoRequest),
  entry(
    "oplock break acknowledgment",
    captured.oplockBreakAcknowledgment,
    oplockBreak.decodeOplockBreakRequest,
    oplockBreak.encodeOplockBreakRequest,
  ),
  entry(
    "lease break response",
    captured.leaseBreakResponse,
    oplockBreak.decodeOplockBreakResponse,
    oplockBreak.encodeOplockBreakResponse,
  ),
  entry(
    "lease break notification",
    captured.leaseBreakNotification,
    oplockBreak.decodeOplockBreakNotification,
    oplockBreak.encodeOplockBreakNotification,
  ),
  entry("ERROR response", captured.errorResponse, errorResponse.decodeErrorResponse, errorResponse.encodeErrorResponse),
  entry(
    "ERROR response with contexts",
    errorWithContexts,
    errorResponse.decodeErrorResponse,
    errorResponse.encodeErrorResponse,
  ),
];
