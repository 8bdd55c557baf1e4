// SPDX-License-Identifier: Apache-2.0
/** `npm run array`: a simulated array for anybody to try. */
import { hostname } from "node:os";
import { startArray } from "./array.ts";
import { readCommandLine, usage } from "./command-line.ts";
import { startControl } from "./control.ts";

async function main(args: readonly string[]): Promise<void> {
  const line = readCommandLine(args, hostname());
  if (line === "help") {
    process.stdout.write(usage);
    return;
  }
  const array = await startArray({ ...line.array, log: (message) => process.stderr.write(`${message}\n`) });
  for (const target of array.targets) {
    for (const [lun, unit] of target.luns) {
      const { blocks, blockBytes, path } = unit.medium;
      process.stdout.write(`${array.url(target.name, lun)}  ${blocks} blocks of ${blockBytes} bytes in ${path}\n`);
    }
  }
  for (const portal of array.portals) process.stdout.write(`portal ${portal.address},${portal.portalGroup}\n`);
  if (line.control !== undefined) {
    const control = await startControl(array, line.control);
    process.stdout.write(`switches http://${control.address}\n`);
  }
  const stop = () => {
    array.close().then(() => process.exit(0));
  };
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
}
