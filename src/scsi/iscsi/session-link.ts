// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../clock.ts";
import type { IscsiConnection } from "./connection.ts";

/** Times are milliseconds. */
export interface SessionTimes {
  /** Silence after which the target is asked whether it is there. */
  readonly keepaliveInterval: number;
  /** Silence after that, or lack of an answer to task management, that ends the session. */
  readonly answerTimeout: number;
}

/** What the parts of a session share. */
export interface SessionLink {
  readonly portal: string;
  readonly connection: IscsiConnection;
  readonly clock: Clock;
  readonly times: SessionTimes;
  /** An Initiator Task Tag that names nothing yet. */
  takeTag(): number;
  /** CmdSN of the next command, and StatSN of the next response. */
  readonly sequence: { readonly cmdSn: number; readonly expStatSn: number };
  /** Ends the session at once. */
  fail(error: Error): void;
}
