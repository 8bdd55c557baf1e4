// SPDX-License-Identifier: Apache-2.0
/** Data written to and read from LIO in every way that can be agreed on, compared by hash with what the target holds. */

import { type UnitSettings, withUnit, writeAndReadBack } from "../initiator/unit.ts";
import { expect, type Report } from "../lib/report.ts";
import type { Backend, Lio, LioTarget } from "./lio.ts";

export const MiB = 1024 * 1024;

export async function compare(lio: Lio, settings: UnitSettings, target: LioTarget, bytes: number): Promise<void> {
  const hash = await withUnit(settings, (unit) => writeAndReadBack(unit, bytes));
  expect((await lio.hash(target, bytes)) === hash, "the target holds other data");
}

/** Parameters of the target, and wishes of ours, that together make each way of moving data happen. */
const transfers: readonly {
  readonly name: string;
  readonly bytes: number;
  readonly backend?: Backend;
  readonly parameters?: Readonly<Record<string, string>>;
  readonly session?: UnitSettings["session"];
}[] = [
  { name: "defaults", bytes: 144 * MiB },
  { name: "large-blocks", bytes: 24_000 * 1024, backend: { kind: "disk", mebibytes: 32, blockSize: 4096 } },
  {
    name: "digests",
    bytes: 32 * MiB,
    parameters: { HeaderDigest: "CRC32C", DataDigest: "CRC32C" },
    session: { headerDigest: "require", dataDigest: "require" },
  },
  {
    name: "header-digest-only",
    bytes: 8 * MiB,
    parameters: { HeaderDigest: "CRC32C,None", DataDigest: "None" },
    session: { headerDigest: "prefer", dataDigest: "prefer" },
  },
  {
    name: "solicited-only",
    bytes: 8 * MiB,
    parameters: { InitialR2T: "Yes", ImmediateData: "No" },
  },
  {
    name: "immediate-only",
    bytes: 8 * MiB,
    parameters: { InitialR2T: "Yes", ImmediateData: "Yes", MaxRecvDataSegmentLength: "65536" },
  },
  {
    name: "unsolicited",
    bytes: 8 * MiB,
    parameters: {
      InitialR2T: "No",
      ImmediateData: "Yes",
      FirstBurstLength: "262144",
      MaxRecvDataSegmentLength: "16384",
    },
  },
  {
    name: "small-segments",
    bytes: 2 * MiB,
    parameters: { MaxRecvDataSegmentLength: "512", FirstBurstLength: "1024", MaxBurstLength: "4096", InitialR2T: "No" },
    session: { maxRecvDataSegmentLength: 1024 },
  },
  {
    name: "several-r2ts",
    bytes: 8 * MiB,
    parameters: { MaxOutstandingR2T: "8", MaxBurstLength: "65536", InitialR2T: "Yes" },
    session: { maxOutstandingR2t: 8, maxBurstLength: 65536, headerDigest: "prefer", dataDigest: "prefer" },
  },
];

export async function transferCases(report: Report, lio: Lio): Promise<void> {
  for (const { name, bytes, backend, parameters = {}, session } of transfers) {
    await report.check(`lio.transfer.${name}`, async () => {
      const settings = Object.fromEntries(Object.entries(parameters).map(([key, value]) => [`param/${key}`, value]));
      const target = await lio.addTarget(name, backend ?? { kind: "file", bytes }, settings);
      await compare(lio, { ports: lio.ports, targetName: target.name, lun: 0, session }, target, bytes);
      await lio.removeTarget(target);
    });
  }
  await report.check("lio.transfer.single-blocks", async () => {
    const target = await lio.addTarget("blocks", { kind: "file", bytes: 8 * MiB });
    await withUnit({ ports: lio.ports, targetName: target.name, lun: 0 }, async (unit) => {
      // Each block says where it belongs; they arrive in an order that has nothing to do with it.
      const blocks = 2048;
      const numbered = (lba: number) => Buffer.alloc(512, `block ${lba};`);
      const writing = Array.from({ length: blocks }, (_, index) => {
        const lba = (index * 769) % blocks;
        return unit.write(lba, [numbered(lba)]);
      });
      await Promise.all(writing);
      const data = Buffer.alloc(blocks * 512);
      await unit.read(0, [data]);
      for (let lba = 0; lba < blocks; lba++) {
        const found = data.subarray(lba * 512, (lba + 1) * 512);
        expect(found.equals(numbered(lba)), `block ${lba} holds another`);
      }
    });
    await lio.removeTarget(target);
  });
}
