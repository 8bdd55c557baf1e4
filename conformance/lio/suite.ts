// SPDX-License-Identifier: Apache-2.0
/** Our iSCSI initiator against the target of the Linux kernel (LIO), which runs in a QEMU guest. */
import type { Report, SuiteContext } from "../lib/report.ts";
import { chapCases, commandCases, resetCases, sessionCases } from "./cases.ts";
import { Lio } from "./lio.ts";
import { transferCases } from "./transfers.ts";

const parts: Readonly<Record<string, (report: Report, lio: Lio) => Promise<void>>> = {
  chap: chapCases,
  session: sessionCases,
  reset: resetCases,
  command: commandCases,
  transfer: transferCases,
};

export const lioSuite = {
  name: "lio",
  tools: ["qemu-system-x86_64", "busybox", "cpio"],
  /** Runs all parts, or those that are named. */
  run: async ({ report, workDir, args }: SuiteContext): Promise<void> => {
    const lio = await Lio.boot(workDir);
    try {
      for (const [name, part] of Object.entries(parts)) {
        if (args.length === 0 || args.includes(name)) await part(report, lio);
      }
      // Some kernels go on after an error that they tell of on the console alone.
      await report.check("lio.no-kernel-errors", () => {
        const bad = lio.console
          .split("\n")
          .filter((line) => /BUG:|Oops|WARNING:|Call Trace|hung_task|INFO: task/.test(line));
        if (bad.length > 0) throw new Error(bad.join("\n"));
      });
    } finally {
      await lio.stop();
    }
  },
};
