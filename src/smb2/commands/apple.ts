// SPDX-License-Identifier: Apache-2.0

import type { Request } from "../request.ts";
import {
  AaplCapability,
  AaplQuery,
  type AaplServerQuery,
  AaplVolumeCapability,
  aaplServerReplyContext,
  decodeAaplRequest,
} from "../wire/aapl.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../wire/create-contexts.ts";
import { offers } from "./fsctl/copy-switch.ts";

/**
 * What the server can do of Apple's extensions, on shares with copychunk. Left out are those that promise what is not kept: the
 * Finder information in listings (READ_DIR_ATTR), and POSIX modes and links (UNIX_BASED, NFS_ACE), after which macOS would no
 * longer make symbolic links in its own way.
 */
const COPYFILE = BigInt(AaplCapability.OSX_COPYFILE);

/** FLUSH always answers when the data are stable. Names are matched without regard to case, and no id is resolved. */
const VOLUME_CAPABILITIES = BigInt(AaplVolumeCapability.FULL_SYNC);

/** No model of Apple's: Finder shows its picture of a server. */
const MODEL = "Tessera";

/** The server query among the contexts of a CREATE. @throws MalformedPacketError */
export function serverQueryOf(contexts: readonly CreateContext[]): AaplServerQuery | undefined {
  const data = findCreateContext(contexts, CreateContextName.AAPL);
  return data === undefined ? undefined : decodeAaplRequest(data);
}

/**
 * Answers the server query with which macOS opens the root of a share. It gets of the server's capabilities those that it
 * has itself; they hold for its session.
 */
export function answerServerQuery(request: Request, query: AaplServerQuery): CreateContext {
  const asksFor = (part: number) => (query.requested & BigInt(part)) !== 0n;
  const offered = offers(request, "copychunk") ? COPYFILE : 0n;
  const granted = query.clientCapabilities & offered;
  if (asksFor(AaplQuery.SERVER_CAPS)) request.session.copiesWholeFiles = granted === COPYFILE;
  return aaplServerReplyContext({
    serverCapabilities: asksFor(AaplQuery.SERVER_CAPS) ? granted : undefined,
    volumeCapabilities: asksFor(AaplQuery.VOLUME_CAPS) ? VOLUME_CAPABILITIES : undefined,
    model: asksFor(AaplQuery.MODEL_INFO) ? MODEL : undefined,
  });
}
