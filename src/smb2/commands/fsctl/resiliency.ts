// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Dialect } from "../../wire/constants.ts";
import { Reader } from "../../wire/cursor.ts";
import { decodeNetworkResiliencyRequest } from "../../wire/fscc/network-resiliency.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/** Milliseconds where the client names no time. */
const DEFAULT_TIMEOUT = 120_000;

/** FSCTL_LMR_REQUEST_RESILIENCY (MS-SMB2 3.3.5.15.9): the handle outlives a cut whatever others want of the file. */
export function requestResiliency(request: Request, ioctl: IoctlRequest): Buffer {
  const { server, session } = request;
  const open = request.fileOpen;
  if (request.connection.dialect === Dialect.SMB_2_0_2) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  const { timeout } = decodeNetworkResiliencyRequest(new Reader(ioctl.input));
  const { maxResilientTimeout } = server.context.options;
  if (timeout > maxResilientTimeout) throw new SmbError(NtStatus.INVALID_PARAMETER);
  // Guests and anonymous callers cannot be told from each other when they come back.
  if (session.identity?.kind !== "user") throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (open.durability?.kind === "persistent") return NO_OUTPUT;
  open.durability = {
    kind: "resilient",
    owner: session.identity.sid,
    timeout: timeout === 0 ? Math.min(DEFAULT_TIMEOUT, maxResilientTimeout) : timeout,
  };
  server.durableOpens.add(open);
  return NO_OUTPUT;
}
