// SPDX-License-Identifier: Apache-2.0

import { Command } from "../wire/constants.ts";
import { changeNotify } from "./change-notify.ts";
import { close } from "./close.ts";
import type { CommandRow } from "./command.ts";
import { create } from "./create.ts";
import { echo } from "./echo.ts";
import { flush } from "./flush.ts";
import { ioctl } from "./ioctl.ts";
import { lock } from "./lock.ts";
import { logoff } from "./logoff.ts";
import { negotiate } from "./negotiate.ts";
import { oplockBreak } from "./oplock-break.ts";
import { queryDirectory } from "./query-directory.ts";
import { queryInfo } from "./query-info.ts";
import { read } from "./read.ts";
import { sessionSetup } from "./session-setup.ts";
import { setInfo } from "./set-info.ts";
import { treeConnect } from "./tree-connect.ts";
import { treeDisconnect } from "./tree-disconnect.ts";
import { write } from "./write.ts";

/** All commands by their code (MS-SMB2 2.2.1.2). CANCEL, which has no response, is handled by the connection. */
export const commandTable: readonly (CommandRow<unknown> | undefined)[] = table({
  [Command.NEGOTIATE]: negotiate,
  [Command.SESSION_SETUP]: sessionSetup,
  [Command.LOGOFF]: logoff,
  [Command.TREE_CONNECT]: treeConnect,
  [Command.TREE_DISCONNECT]: treeDisconnect,
  [Command.CREATE]: create,
  [Command.CLOSE]: close,
  [Command.FLUSH]: flush,
  [Command.READ]: read,
  [Command.WRITE]: write,
  [Command.LOCK]: lock,
  [Command.IOCTL]: ioctl,
  [Command.ECHO]: echo,
  [Command.QUERY_DIRECTORY]: queryDirectory,
  [Command.CHANGE_NOTIFY]: changeNotify,
  [Command.QUERY_INFO]: queryInfo,
  [Command.SET_INFO]: setInfo,
  [Command.OPLOCK_BREAK]: oplockBreak,
});

function table(rows: Record<number, CommandRow<unknown>>): (CommandRow<unknown> | undefined)[] {
  const result: (CommandRow<unknown> | undefined)[] = [];
  for (const [code, row] of Object.entries(rows)) result[Number(code)] = row;
  return result;
}
