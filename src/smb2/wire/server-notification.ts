// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";

/** The fixed part with the one kind of Notification there is. */
const STRUCTURE_SIZE = 12;

/** SMB_NOTIFICATION_ID (MS-SMB2 2.2.44.1). */
export const NotificationType = { SESSION_CLOSED: 0 } as const;

/** SMB2_SERVER_TO_CLIENT_NOTIFICATION (MS-SMB2 2.2.44). */
export interface ServerNotification {
  /** {@link NotificationType}. */
  readonly notificationType: number;
}

/** @throws MalformedPacketError */
export function decodeServerNotification(reader: Reader): ServerNotification {
  const size = reader.u16();
  if (size !== STRUCTURE_SIZE) throw new MalformedPacketError(`notification: StructureSize ${size}`);
  reader.skip(2);
  const notificationType = reader.u32();
  reader.skip(4);
  return { notificationType };
}

/** SMB2_NOTIFY_SESSION_CLOSED, the only Notification, holds nothing but zeros (MS-SMB2 2.2.44.2). */
export function encodeServerNotification(writer: Writer, { notificationType }: ServerNotification): void {
  writer.u16(STRUCTURE_SIZE);
  writer.zeros(2);
  writer.u32(notificationType);
  writer.zeros(4);
}
