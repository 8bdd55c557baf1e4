// SPDX-License-Identifier: Apache-2.0
/** The iSCSI initiator against tgt, and, for what tgt lacks, against the simulated array. */
import type { SuiteContext } from "../lib/report.ts";
import { arrayCases } from "./array-cases.ts";
import { tgtCases } from "./tgt-cases.ts";

export const initiatorSuite = {
  name: "initiator",
  tools: ["tgtd", "tgtadm"],
  run: async ({ report, workDir, args }: SuiteContext): Promise<void> => {
    if (args[0] === undefined || args[0] === "array") await arrayCases(report, workDir);
    if (args[0] === undefined || args[0] === "tgt") await tgtCases(report, workDir);
  },
};
