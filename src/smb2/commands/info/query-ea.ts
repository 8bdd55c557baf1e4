// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { sameName } from "../../../nt/names.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { ExtendedAttribute } from "../../../vfs/volume.ts";
import type { Request } from "../../request.ts";
import type { FileOpen } from "../../state/open.ts";
import { EaQueryFlag } from "../../wire/constants.ts";
import { decodeGetEaList, encodeFullEaList } from "../../wire/fscc/ea-info.ts";
import type { QueryInfoRequest } from "../../wire/query-info.ts";
import { respond } from "./respond.ts";

const NONE = Buffer.alloc(0);

/** FileFullEaInformation (MS-SMB2 3.3.5.20.1, MS-FSA 2.1.5.12.12). */
export function queryExtendedAttributes(request: Request, open: FileOpen, message: QueryInfoRequest): Awaitable<void> {
  const names = decodeGetEaList(message.input);
  return chain(open.file.node.extendedAttributes(), (all) => {
    const single = (message.flags & EaQueryFlag.RETURN_SINGLE_ENTRY) !== 0;
    if (names.length > 0) {
      const named = names.map((name) => all.find((ea) => sameName(ea.name, name)) ?? { name, flags: 0, value: NONE });
      send(request, message, single ? named.slice(0, 1) : named, named.length);
      return;
    }
    const byIndex = (message.flags & EaQueryFlag.INDEX_SPECIFIED) !== 0;
    if (!byIndex && (message.flags & EaQueryFlag.RESTART_SCAN) !== 0) open.eaIndex = 1;
    const first = byIndex ? message.additionalInformation : open.eaIndex;
    if (byIndex && (first < 1 || first > all.length + 1)) throw new SmbError(NtStatus.NONEXISTENT_EA_ENTRY);
    if (all.length === 0) throw new SmbError(NtStatus.NO_EAS_ON_FILE);
    const rest = all.slice(first - 1);
    if (rest.length === 0) throw new SmbError(NtStatus.NO_MORE_EAS);
    const sent = send(request, message, single ? rest.slice(0, 1) : rest, single ? 1 : rest.length);
    if (!byIndex) open.eaIndex = first + sent;
  });
}

/** @returns how many went out */
function send(request: Request, message: QueryInfoRequest, list: readonly ExtendedAttribute[], wanted: number): number {
  let written = 0;
  respond(request, (writer) => {
    written = encodeFullEaList(writer, list, message.outputBufferLength);
    // An answer without a single entry would make no progress.
    if (written === 0) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
    return written === list.length && list.length <= wanted;
  });
  return written;
}
