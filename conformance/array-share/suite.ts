// SPDX-License-Identifier: Apache-2.0
/** Shares on arrays: built gateways, the simulated array and its faults, each a process of its own. */
import type { SuiteContext } from "../lib/report.ts";
import { clients } from "./clients.ts";
import { copies } from "./copies.ts";
import { faults } from "./faults.ts";
import { kill } from "./kill.ts";
import { paths } from "./paths.ts";

const parts: Readonly<Record<string, (context: SuiteContext) => Promise<void>>> = {
  clients,
  copies,
  faults,
  paths,
  kill,
};

export const arrayShareSuite = {
  name: "array-share",
  tools: ["qemu-img", "smbclient", "smbtorture"],
  /** Runs all parts, or those that are named. */
  run: async (context: SuiteContext): Promise<void> => {
    if (context.serverKind !== "tessera") {
      context.report.add("array-share", "skip", "made for Tessera: no other server has shares on arrays");
      return;
    }
    for (const [name, part] of Object.entries(parts)) {
      if (context.args.length === 0 || context.args.includes(name)) await part(context);
    }
  },
};
