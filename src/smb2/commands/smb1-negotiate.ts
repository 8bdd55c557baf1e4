// SPDX-License-Identifier: Apache-2.0

import type { Connection } from "../connection.ts";
import { Command, Dialect, HeaderFlag } from "../wire/constants.ts";
import { MalformedPacketError, Reader, Writer } from "../wire/cursor.ts";
import { encodeHeader, NO_SIGNATURE } from "../wire/header.ts";
import { encodeNegotiateResponse } from "../wire/negotiate.ts";
import {
  decodeSmb1NegotiateRequest,
  SMB1_DIALECT_SMB_2_002,
  SMB1_DIALECT_SMB_2_WILDCARD,
} from "../wire/smb1-negotiate.ts";
import { describeServer } from "./negotiate.ts";

/**
 * Answers the SMB1 NEGOTIATE of a client that speaks both protocols with an SMB2 one (MS-SMB2 3.3.5.3). Clients that offer
 * nothing of SMB2 are disconnected: SMB1 is not served.
 */
export function handleSmb1Negotiate(connection: Connection, frame: Buffer): void {
  if (connection.dialect !== 0 || !connection.acceptSmb1Sequence()) {
    throw new MalformedPacketError("SMB1 message after the negotiation");
  }
  const { context } = connection.server;
  const { dialects } = decodeSmb1NegotiateRequest(new Reader(frame));
  if (dialects.includes(SMB1_DIALECT_SMB_2_WILDCARD) && context.options.maxDialect > Dialect.SMB_2_0_2) {
    connection.dialect = Dialect.WILDCARD;
    connection.supportsMultiCredit = true;
  } else if (dialects.includes(SMB1_DIALECT_SMB_2_002) && context.options.minDialect === Dialect.SMB_2_0_2) {
    connection.dialect = Dialect.SMB_2_0_2;
  } else {
    context.log.info({ client: connection.remoteAddress, dialects }, "client speaks SMB1 only");
    connection.disconnect();
    return;
  }
  const writer = new Writer(512);
  writer.zeros(4);
  writer.beginMessage();
  encodeHeader(writer, {
    creditCharge: 0,
    status: 0,
    channelSequence: 0,
    command: Command.NEGOTIATE,
    credits: connection.grantFirstCredit(),
    flags: HeaderFlag.SERVER_TO_REDIR,
    nextCommand: 0,
    messageId: 0n,
    asyncId: 0n,
    processId: 0,
    treeId: 0,
    sessionId: 0n,
    signature: NO_SIGNATURE,
  });
  encodeNegotiateResponse(writer, describeServer(connection, []));
  connection.sendFrame(writer.view(), [], undefined);
}
