// SPDX-License-Identifier: Apache-2.0

import { randomUUID } from "node:crypto";
import { AssociationGroups } from "./association.ts";
import { RpcConnection } from "./connection.ts";
import type { RpcInterface } from "./interface.ts";
import { lsarpc } from "./lsarpc/lsarpc.ts";
import type { PipeService, RpcEnvironment } from "./pipe.ts";
import { srvsvc } from "./srvsvc/srvsvc.ts";
import { wkssvc } from "./wkssvc/wkssvc.ts";

export interface PipeServiceOptions {
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly randomUuid?: () => string;
}

/** Pipe names, in lower case, and the interfaces that each of them speaks. */
const pipes: ReadonlyMap<string, readonly RpcInterface[]> = new Map([
  ["srvsvc", [srvsvc]],
  ["wkssvc", [wkssvc]],
  ["lsarpc", [lsarpc]],
  ["lsass", [lsarpc]],
]);

/** The named pipes of IPC$. */
export function createPipeService(environment: RpcEnvironment, options: PipeServiceOptions = {}): PipeService {
  const now = options.now ?? Date.now;
  const groups = new AssociationGroups(options.randomUuid ?? randomUUID);
  return {
    open(name, caller) {
      const pipeName = name.toLowerCase();
      const interfaces = pipes.get(pipeName);
      if (interfaces === undefined) return undefined;
      return new RpcConnection({ pipeName, interfaces, caller, environment, groups, now });
    },
  };
}
