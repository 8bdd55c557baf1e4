// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { RodType } from "../../../src/scsi/commands/vpd-third-party-copy.ts";
import type { LogicalUnitDescription } from "../../../src/scsi/logical-unit.ts";
import { odxVerdict, type PathReport, unitJson, unitReport } from "../../../src/server/cli/array-report.ts";

const description: LogicalUnitDescription = {
  identity: {
    name: "naa.6000000000000001",
    designators: [{ type: 3, association: 0, codeSet: 1, identifier: Buffer.from("6000000000000001", "hex") }],
    vendor: "TEST",
    product: "ARRAY",
    revision: "1",
    serialNumber: "42",
  },
  capacity: { blocks: 2 ** 31, blockSize: 512, physicalBlockSize: 4096, lowestAlignedLba: 0 },
  limits: {
    maximumTransfer: 65536,
    optimalTransfer: 0,
    optimalGranularity: 1,
    maximumWriteSame: Number.POSITIVE_INFINITY,
    maximumUnmap: 1,
    maximumUnmapRanges: 1,
    unmapGranularity: 1,
    unmapAlignment: 0,
  },
  provisioning: { kind: "thin", unmap: true, writeSameUnmap: true, readsZeros: true },
  thirdPartyCopy: {
    limits: {
      maximumRanges: 64,
      maximumInactivityTimeout: 600,
      defaultInactivityTimeout: 60,
      maximumTokenTransfer: 0x200000,
      optimalTransfer: 0,
    },
    features: undefined,
    rodTypes: [
      { type: RodType.POINT_IN_TIME, tokenIn: true, tokenOut: true, preference: 1 },
      { type: RodType.BLOCK_DEVICE_ZERO, tokenIn: true, tokenOut: false, preference: 0 },
    ],
    commands: undefined,
  },
  readOnly: false,
};

const paths: PathReport[] = [
  {
    portal: { host: "192.0.2.1", port: 3260 },
    path: {
      portal: { host: "192.0.2.1", port: 3260 },
      portalGroup: 1,
      headerDigest: true,
      dataDigest: false,
      survey: { description, accessState: 0 },
    },
  },
  { portal: { host: "::1", port: 3261 }, error: "nobody is there" },
];

const withTypes = (...types: readonly number[]): LogicalUnitDescription => ({
  ...description,
  thirdPartyCopy: description.thirdPartyCopy && {
    ...description.thirdPartyCopy,
    rodTypes: types.map((type) => ({ type, tokenIn: true, tokenOut: true, preference: 0 })),
  },
});

describe("odxVerdict", () => {
  it("is no without token commands, and says why", () => {
    const verdict = odxVerdict({ ...description, thirdPartyCopy: undefined });
    expect(verdict.used).toBe(false);
    expect(verdict.reasons[0]).toMatch(/VPD page 8Fh/);
  });

  it("tells point in time from access upon reference, and from silence", () => {
    expect(odxVerdict(description)).toMatchObject({ used: true });
    expect(odxVerdict(description).reasons.join()).toMatch(/point in time/);
    expect(odxVerdict(withTypes(RodType.ACCESS_UPON_REFERENCE)).reasons.join()).toMatch(/access upon reference/);
    expect(odxVerdict(withTypes()).reasons.join()).toMatch(/does not say/);
  });

  it("tells of write protection", () => {
    expect(odxVerdict({ ...description, readOnly: true }).reasons.join()).toMatch(/source of a copy only/);
  });
});

describe("unitReport", () => {
  it("tells all of it in words", () => {
    const report = unitReport(description, paths);
    for (const line of [
      "  Name                naa.6000000000000001",
      "  Device              TEST ARRAY 1, serial number 42",
      "  Size                1 TiB (2147483648 blocks of 512 bytes)",
      "  Space               thin, takes back what is freed",
      "  Largest transfer    32 MiB (65536 blocks)",
      "  Largest WRITE SAME  not limited",
      "  192.0.2.1:3260  works: portal group 1, active/optimized, digests: header",
      "  [::1]:3261  does not work: nobody is there",
      "  ODX will be used.",
      "  Largest token       1 GiB (2097152 blocks)",
      "  Best size           not told",
      "  Token ends unused   after 60 s, at most 600 s",
      "  Kind of token       point in time: made and accepted",
      "  Kind of token       zeros: accepted",
    ]) {
      expect(report.split("\n")).toContain(line);
    }
  });
});

describe("unitJson", () => {
  it("has no buffers and no infinities", () => {
    const json = JSON.parse(JSON.stringify(unitJson(description, paths)));
    expect(json).toMatchObject({
      identity: { name: "naa.6000000000000001", designators: [{ identifier: "6000000000000001" }] },
      limits: { maximumTransfer: 65536, maximumWriteSame: null },
      tokenCommands: { rodTypes: [{ type: "00800000h", tokenOut: true }, { type: "ffff0001h" }] },
      odx: { used: true },
      paths: [
        { portal: "192.0.2.1:3260", works: true },
        { portal: "[::1]:3261", works: false, error: "nobody is there" },
      ],
    });
    const without = JSON.parse(JSON.stringify(unitJson({ ...description, thirdPartyCopy: undefined }, [])));
    expect(without.tokenCommands).toBeNull();
  });
});
