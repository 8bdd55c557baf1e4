// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Request } from "./request.ts";
import type { Smb2Server } from "./server.ts";
import type { FileOpen } from "./state/open.ts";
import type { OplockEvents } from "./state/oplock.ts";
import type { SharedStream } from "./state/shared-file.ts";
import { Command, HeaderFlag } from "./wire/constants.ts";
import { Writer } from "./wire/cursor.ts";
import { encodeHeader, NO_SIGNATURE } from "./wire/header.ts";
import { encodeOplockBreakNotification } from "./wire/oplock-break.ts";

/** Oplock break acknowledgment timer: 35 seconds (MS-SMB2 3.3.2.1). */
const ACKNOWLEDGMENT_TIMEOUT = 35_000;

/** MessageId of what the server sends by itself (MS-SMB2 3.3.4.6). */
const UNSOLICITED = 0xffff_ffff_ffff_ffffn;

export function oplockEvents(server: Smb2Server): OplockEvents {
  return {
    notify: (open, newLevel) => !open.isDisconnected && notify(open, newLevel),
    unreachable: (open) => (open.durability?.kind === "durable" ? server.close(open) : undefined),
    startTimer(expired) {
      const timer = server.context.clock.after(ACKNOWLEDGMENT_TIMEOUT, expired);
      return () => timer.cancel();
    },
  };
}

/** Sends an Oplock Break Notification on the first channel of the session (MS-SMB2 3.3.4.6). It is not signed. */
function notify(open: FileOpen, newLevel: number): boolean {
  const { session } = open;
  for (const { connection } of session.channels.values()) {
    if (connection.isClosed) continue;
    const writer = new Writer(128);
    writer.zeros(4);
    writer.beginMessage();
    encodeHeader(writer, {
      creditCharge: 0,
      status: 0,
      channelSequence: 0,
      command: Command.OPLOCK_BREAK,
      credits: 0,
      flags: HeaderFlag.SERVER_TO_REDIR,
      nextCommand: 0,
      messageId: UNSOLICITED,
      asyncId: 0n,
      processId: 0,
      treeId: 0,
      sessionId: session.encryptData ? session.sessionId : 0n,
      signature: NO_SIGNATURE,
    });
    encodeOplockBreakNotification(writer, {
      kind: "oplock",
      oplockLevel: newLevel,
      fileId: { persistent: open.persistentId, volatile: open.volatileId },
    });
    connection.sendFrame(writer.view(), [], session.encryptData ? session : undefined);
    return true;
  }
  return false;
}

/**
 * Makes way for an open. `undefined`: nothing is in the way. Else the open waits, with STATUS_PENDING for its client, and
 * checks everything again afterwards. Rejects with CANCELLED.
 */
export function waitForBreak(request: Request, stream: SharedStream, toNone: boolean): Promise<void> | undefined {
  const broken = stream.oplock.breakForOpen(toNone, oplockEvents(request.server));
  if (broken === undefined) return undefined;
  return new Promise<void>((resolve, reject) => {
    void broken.then(resolve);
    if (request.asyncKey === 0n) request.goAsync(() => reject(new SmbError(NtStatus.CANCELLED)));
  });
}

/** Data of the stream are about to change: nobody may go on reading from a cache (MS-FSA 2.1.4.12, case WRITE). */
export function breakForChange(server: Smb2Server, stream: SharedStream): void {
  if (!stream.oplock.isEmpty) stream.oplock.breakShared(oplockEvents(server));
}
