// SPDX-License-Identifier: Apache-2.0

import type { Request } from "../../request.ts";
import { Dialect } from "../../wire/constants.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  decodeValidateNegotiateInfoRequest,
  encodeValidateNegotiateInfoResponse,
  VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH,
} from "../../wire/fscc/validate-negotiate.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/**
 * FSCTL_VALIDATE_NEGOTIATE_INFO (MS-SMB2 3.3.5.15.12): a client asks, signed, whether its NEGOTIATE arrived as it sent it.
 * Where it did not, somebody has changed it on the way, and the connection ends without an answer.
 */
export function validateNegotiateInfo(request: Request, ioctl: IoctlRequest): Buffer {
  const { connection, server } = request;
  if (connection.dialect === Dialect.SMB_3_1_1 || ioctl.maxOutputResponse < VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH) {
    connection.disconnect();
    return NO_OUTPUT;
  }
  const asked = decodeValidateNegotiateInfoRequest(new Reader(ioctl.input));
  const same =
    asked.capabilities === connection.clientCapabilities &&
    asked.guid.equals(connection.clientGuid) &&
    asked.securityMode === connection.clientSecurityMode &&
    sameDialects(asked.dialects, connection.clientDialects);
  if (!same) {
    server.context.log.warn({ client: connection.remoteAddress }, "the negotiation was tampered with");
    connection.disconnect();
    return NO_OUTPUT;
  }
  const writer = new Writer(VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH);
  encodeValidateNegotiateInfoResponse(writer, {
    capabilities: connection.serverCapabilities,
    guid: server.context.serverGuid,
    securityMode: connection.serverSecurityMode,
    dialect: connection.dialect,
  });
  return writer.view();
}

/** Where the list is the same, the greatest common dialect is too. */
function sameDialects(asked: readonly number[], negotiated: readonly number[]): boolean {
  return asked.length === negotiated.length && asked.every((dialect, index) => dialect === negotiated[index]);
}
