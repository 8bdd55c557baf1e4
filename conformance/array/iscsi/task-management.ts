// SPDX-License-Identifier: Apache-2.0
/** Task management functions (RFC 7143 11.5 and 11.6). */
import { type IscsiHost, TaskManagementResponse } from "./host.ts";
import { lunField, targetTransferTag } from "./pdu.ts";
import type { Session } from "./session.ts";

/** RFC 7143 11.5.1. */
export const TaskManagement = {
  ABORT_TASK: 1,
  ABORT_TASK_SET: 2,
  CLEAR_ACA: 3,
  CLEAR_TASK_SET: 4,
  LOGICAL_UNIT_RESET: 5,
  TARGET_WARM_RESET: 6,
  TARGET_COLD_RESET: 7,
  TASK_REASSIGN: 8,
} as const;

/** ABORT TASK. */
function abortTask(session: Session, referencedTag: number, referencedSN: number): number {
  const task = session.tasks.get(referencedTag);
  if (task !== undefined) {
    session.abort(task);
    return TaskManagementResponse.FUNCTION_COMPLETE;
  }
  if (!session.isAhead(referencedSN)) return TaskManagementResponse.TASK_DOES_NOT_EXIST;
  // The command is lost or late: its number counts as used.
  session.skip(referencedSN);
  return TaskManagementResponse.FUNCTION_COMPLETE;
}

/** Carries out a Task Management Function Request; gives the response code. */
export function manageTasks(header: Buffer, session: Session, host: IscsiHost): number {
  const operation = header.readUInt8(1) & 0x7f;
  if (operation === TaskManagement.ABORT_TASK) {
    return abortTask(session, targetTransferTag(header), header.readUInt32BE(32));
  }
  if (operation === TaskManagement.TASK_REASSIGN) return TaskManagementResponse.TASK_REASSIGN_NOT_SUPPORTED;
  return host.manage(session, operation, Buffer.from(lunField(header)));
}
