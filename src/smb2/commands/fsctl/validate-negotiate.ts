// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
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
  if (connection.dialect === Dialect.SMB_3_1_1) {
    connection.disconnect();
    return NO_OUTPUT;
  }
  const asked = decodeValidateNegotiateInfoRequest(new Reader(ioctl.input));
  const same =
    asked.capabilities === connection.clientCapabilities &&
    asked.guid.equals(connection.clientGuid) &&
    asked.securityMode === connection.clientSecurityMode &&
    greatestCommon(asked.dialects, server.context.options) === connection.dialect;
  if (!same) {
    server.context.log.warn({ client: connection.remoteAddress }, "the negotiation was tampered with");
    connection.disconnect();
    return NO_OUTPUT;
  }
  if (ioctl.maxOutputResponse < VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(VALIDATE_NEGOTIATE_INFO_RESPONSE_LENGTH);
  encodeValidateNegotiateInfoResponse(writer, {
    capabilities: connection.serverCapabilities,
    guid: server.context.serverGuid,
    securityMode: connection.serverSecurityMode,
    dialect: connection.dialect,
  });
  return writer.view();
}

const known: ReadonlySet<number> = new Set([
  Dialect.SMB_2_0_2,
  Dialect.SMB_2_1,
  Dialect.SMB_3_0,
  Dialect.SMB_3_0_2,
  Dialect.SMB_3_1_1,
]);

function greatestCommon(dialects: readonly number[], limits: { minDialect: number; maxDialect: number }): number {
  let greatest = 0;
  for (const dialect of dialects) {
    if (!known.has(dialect) || dialect < limits.minDialect || dialect > limits.maxDialect) continue;
    if (dialect > greatest) greatest = dialect;
  }
  return greatest;
}
