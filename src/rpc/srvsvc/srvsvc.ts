// SPDX-License-Identifier: Apache-2.0

import { emptyEnum } from "../empty-enum.ts";
import type { RpcInterface } from "../interface.ts";
import { netrFileEnum, netrSessionEnum } from "./activity.ts";
import { netrRemoteTod, netrServerGetInfo } from "./server.ts";
import { netrShareEnum, netrShareEnumSticky, netrShareGetInfo } from "./share.ts";

/** The Server Service Remote Protocol, read-only (MS-SRVS 3.1.4). */
export const srvsvc: RpcInterface = {
  syntax: { uuid: "4b324fc8-1670-01d3-1278-5a47bf6ee188", major: 3, minor: 0 },
  operations: new Map([
    // NetrConnectionEnum (MS-SRVS 3.1.4.1).
    [8, emptyEnum(1, [0, 1])],
    [9, netrFileEnum],
    [12, netrSessionEnum],
    [15, netrShareEnum],
    [16, netrShareGetInfo],
    [21, netrServerGetInfo],
    [28, netrRemoteTod],
    [36, netrShareEnumSticky],
  ]),
};
