// SPDX-License-Identifier: Apache-2.0

import { HeaderFlag, OplockLevel } from "../../src/smb2/wire/constants.ts";
import type { CreateRequest } from "../../src/smb2/wire/create.ts";
import {
  appInstanceIdContext,
  appInstanceVersionContext,
  durableHandleReconnectContext,
  durableHandleReconnectV2Context,
  durableHandleRequestContext,
  durableHandleRequestV2Context,
} from "../../src/smb2/wire/create-context-data.ts";
import type { CreateContext } from "../../src/smb2/wire/create-contexts.ts";
import { alice, type ServerHarness, settle } from "./server-harness.ts";
import type { Account, SessionRequestOptions, SmbFile, SmbTree } from "./smb-client.ts";

/** 16 bytes, told apart by their value. */
export const guid = (value: number): Buffer => Buffer.alloc(16, value);

/** A tree connect of a client that is known by its GUID. */
export function mountAs(
  harness: ServerHarness,
  client: number,
  options: { account?: Account; share?: string; dialects?: readonly number[]; capabilities?: number } = {},
): Promise<SmbTree> {
  const { account = alice, share = "data", dialects, capabilities } = options;
  const negotiate = {
    clientGuid: guid(client),
    ...(dialects === undefined ? {} : { dialects }),
    ...(capabilities === undefined ? {} : { capabilities }),
  };
  return harness.mount(share, { account, negotiate });
}

/** The client's connection goes without a word. */
export async function cut(tree: SmbTree): Promise<void> {
  tree.session.connection.close();
  await settle();
}

const batch = { requestedOplockLevel: OplockLevel.BATCH };

export const durable = {
  v1: (): Partial<CreateRequest> => ({ ...batch, contexts: [durableHandleRequestContext()] }),

  v2: (
    createGuid: Buffer,
    options: { timeout?: number; flags?: number; contexts?: readonly CreateContext[] } = {},
  ) => ({
    ...batch,
    contexts: [
      durableHandleRequestV2Context({ timeout: options.timeout ?? 0, flags: options.flags ?? 0, createGuid }),
      ...(options.contexts ?? []),
    ],
  }),

  appInstance: (id: Buffer, version?: { high: bigint; low: bigint }): CreateContext[] => [
    appInstanceIdContext(id),
    ...(version === undefined ? [] : [appInstanceVersionContext(version)]),
  ],
};

/** Nothing but the context, as clients send it. */
const empty: Partial<CreateRequest> = { desiredAccess: 0, impersonationLevel: 0, shareAccess: 0 };

export const reconnect = {
  v1: (tree: SmbTree, file: SmbFile, name = "") =>
    tree.create(name, { ...empty, contexts: [durableHandleReconnectContext(file.fileId)] }),

  v2: (
    tree: SmbTree,
    file: SmbFile,
    createGuid: Buffer,
    flags = 0,
    contexts: readonly CreateContext[] = [],
    name = "",
  ) =>
    tree.create(name, {
      ...empty,
      contexts: [durableHandleReconnectV2Context({ fileId: file.fileId, createGuid, flags }), ...contexts],
    }),
};

/** Options of a request that is sent again. */
export const replay: SessionRequestOptions = { header: { flags: HeaderFlag.REPLAY_OPERATION } };
