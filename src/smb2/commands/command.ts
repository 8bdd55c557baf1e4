// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../../nt/awaitable.ts";
import type { Connection } from "../connection.ts";
import type { Request } from "../request.ts";
import type { Reader } from "../wire/cursor.ts";
import type { FileId } from "../wire/file-id.ts";

/** A row of the command table: what a command needs, checked once in dispatch.ts, and who handles it. */
export interface CommandRow<T> {
  decode(reader: Reader, connection: Connection): T;
  /** Writes the body of the response, or throws. */
  handle(request: Request, message: T): Awaitable<void>;
  /** Needs a valid session (MS-SMB2 3.3.5.2.9); `named`: where the client names one. */
  readonly session: boolean | "named";
  /** Goes through on a session that has expired, or is still in progress, too (MS-SMB2 3.3.5.2.9). */
  readonly unauthenticated?: boolean;
  /** Needs a tree connect (MS-SMB2 3.3.5.2.11). */
  readonly tree: boolean;
  /** Names the handle that the command works on; `undefined` where this very message has none. */
  fileId?(message: T): FileId | undefined;
  /** Bytes of payload that credits must cover (MS-SMB2 3.3.5.2.5). */
  payload?(message: T): number;
}

/** Erases the message type: each row decodes what its handler takes. */
export function command<T>(row: CommandRow<T>): CommandRow<unknown> {
  return row as CommandRow<unknown>;
}
