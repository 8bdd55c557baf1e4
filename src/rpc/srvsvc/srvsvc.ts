// SPDX-License-Identifier: Apache-2.0

import { emptyEnum } from "../empty-enum.ts";
import type { RpcInterface } from "../interface.ts";
import { netrRemoteTod, netrServerGetInfo } from "./server.ts";
import { netrShareEnum, netrShareEnumSticky, netrShareGetInfo } from "./share.ts";

/** The Server Service Remote Protocol, read-only (MS-SRVS 3.1.4). */
export const srvsvc: RpcInterface = {
  syntax: { uuid: "4b324fc8-1670-01d3-1278-5a47bf6ee188", major: 3, minor: 0 },
  operations: new Map([
    // NetrConnectionEnum, NetrFileEnum and NetrSessionEnum (MS-SRVS 3.1.4.1, 3.1.4.2, 3.1.4.5).
    [8, emptyEnum(1, [0, 1])],
    [9, emptyEnum(2, [2, 3])],
    [12, emptyEnum(2, [0, 1, 2, 10, 502])],
    [15, netrShareEnum],
    [16, netrShareGetInfo],
    [21, netrServerGetInfo],
    [28, netrRemoteTod],
    [36, netrShareEnumSticky],
  ]),
};
