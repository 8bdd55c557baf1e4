// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Request } from "../request.ts";
import { Dialect, DurableHandleFlag } from "../wire/constants.ts";
import {
  decodeDurableHandleReconnect,
  decodeDurableHandleReconnectV2,
  decodeDurableHandleRequest,
  decodeDurableHandleRequestV2,
} from "../wire/create-context-data.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../wire/create-contexts.ts";

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST, or _V2. */
export interface DurableRequest {
  readonly version: 1 | 2;
  /** Milliseconds; 0 leaves the choice to the server. */
  readonly timeout: number;
  readonly persistent: boolean;
  /** 16 bytes; version 2 only. */
  readonly createGuid: Buffer | undefined;
}

/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT, or _V2. */
export interface DurableReconnect {
  readonly version: 1 | 2;
  readonly persistentId: bigint;
  readonly persistent: boolean;
  readonly createGuid: Buffer | undefined;
}

export interface DurableContexts {
  readonly request?: DurableRequest;
  readonly reconnect?: DurableReconnect;
}

const NONE: DurableContexts = {};

/**
 * What a CREATE asks about durable handles. Version 2 is for SMB 3.x and unknown before.
 * @throws SmbError INVALID_PARAMETER for contexts that exclude each other (MS-SMB2 3.3.5.9.6, .7, .10, .12)
 */
export function durableContextsOf(request: Request, contexts: readonly CreateContext[]): DurableContexts {
  if (contexts.length === 0) return NONE;
  const isSmb3 = request.connection.dialect >= Dialect.SMB_3_0;
  const find = (name: string) => findCreateContext(contexts, name);
  const requestV1 = find(CreateContextName.DURABLE_HANDLE_REQUEST);
  const reconnectV1 = find(CreateContextName.DURABLE_HANDLE_RECONNECT);
  const requestV2 = isSmb3 ? find(CreateContextName.DURABLE_HANDLE_REQUEST_V2) : undefined;
  const reconnectV2 = isSmb3 ? find(CreateContextName.DURABLE_HANDLE_RECONNECT_V2) : undefined;
  const hasV1 = requestV1 !== undefined || reconnectV1 !== undefined;
  if (requestV2 !== undefined || reconnectV2 !== undefined) {
    if (hasV1 || (requestV2 !== undefined && reconnectV2 !== undefined)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (reconnectV2 !== undefined) {
    const { fileId, createGuid, flags } = decodeDurableHandleReconnectV2(reconnectV2);
    const persistent = (flags & DurableHandleFlag.PERSISTENT) !== 0;
    return { reconnect: { version: 2, persistentId: fileId.persistent, persistent, createGuid } };
  }
  if (requestV2 !== undefined) {
    const { timeout, flags, createGuid } = decodeDurableHandleRequestV2(requestV2);
    const persistent = (flags & DurableHandleFlag.PERSISTENT) !== 0;
    // It is kept, unlike the frame that it came in.
    return { request: { version: 2, timeout, persistent, createGuid: Buffer.from(createGuid) } };
  }
  if (reconnectV1 !== undefined) {
    const { persistent } = decodeDurableHandleReconnect(reconnectV1);
    return { reconnect: { version: 1, persistentId: persistent, persistent: false, createGuid: undefined } };
  }
  if (requestV1 !== undefined) {
    decodeDurableHandleRequest(requestV1);
    return { request: { version: 1, timeout: 0, persistent: false, createGuid: undefined } };
  }
  return NONE;
}
