// SPDX-License-Identifier: Apache-2.0

import type { Connection } from "./connection.ts";
import type { Session } from "./state/session.ts";
import { Command, HeaderFlag } from "./wire/constants.ts";
import { Writer } from "./wire/cursor.ts";
import { encodeHeader, NO_SIGNATURE } from "./wire/header.ts";
import { encodeServerNotification, NotificationType } from "./wire/server-notification.ts";

/** MessageId of what the server sends by itself (MS-SMB2 3.3.4.6). */
const UNSOLICITED = 0xffff_ffff_ffff_ffffn;

/**
 * Sends a message that no client has asked for, unsigned.
 * @param encrypting the session whose key encrypts it
 * @returns false where the connection is gone
 */
export function sendUnsolicited(
  connection: Connection,
  message: { readonly command: number; readonly sessionId: bigint; readonly encode: (writer: Writer) => void },
  encrypting: Session | undefined,
): boolean {
  if (connection.isClosed) return false;
  const writer = new Writer(128);
  writer.zeros(4);
  writer.beginMessage();
  encodeHeader(writer, {
    creditCharge: 0,
    status: 0,
    channelSequence: 0,
    command: message.command,
    credits: 0,
    flags: HeaderFlag.SERVER_TO_REDIR,
    nextCommand: 0,
    messageId: UNSOLICITED,
    asyncId: 0n,
    processId: 0,
    treeId: 0,
    sessionId: message.sessionId,
    signature: NO_SIGNATURE,
  });
  message.encode(writer);
  connection.sendFrame(writer.view(), [], encrypting);
  return true;
}

/** Tells the client of a session that the server has ended it, where it has said that it listens (MS-SMB2 2.2.44, 4.11). */
export function notifySessionClosed(session: Session): void {
  if (!session.supportsNotifications) return;
  const message = {
    command: Command.SERVER_TO_CLIENT_NOTIFICATION,
    sessionId: session.sessionId,
    encode: (writer: Writer) => encodeServerNotification(writer, { notificationType: NotificationType.SESSION_CLOSED }),
  };
  const encrypting = session.encryptData ? session : undefined;
  for (const connection of session.channels.keys()) if (sendUnsolicited(connection, message, encrypting)) return;
}
