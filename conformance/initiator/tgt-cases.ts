// SPDX-License-Identifier: Apache-2.0
/** Our initiator against tgt: login, CHAP, digests, sizes, and data compared by hash with the file behind the LUN. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { ScsiError } from "../../src/scsi/errors.ts";
import { must } from "../lib/process.ts";
import { expect, type Report } from "../lib/report.ts";
import { startTgt, type Tgt, type TgtTarget } from "./tgt.ts";
import { failure, type UnitSettings, withUnit, writeAndReadBack } from "./unit.ts";

const MiB = 1024 * 1024;

/** SHA-256 of the first bytes of a file. */
async function hashOfFile(file: string, bytes: number): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { end: bytes - 1 })) hash.update(chunk);
  return hash.digest("hex");
}

async function compare(settings: UnitSettings, target: TgtTarget, bytes: number): Promise<void> {
  const hash = await withUnit(settings, (unit) => writeAndReadBack(unit, bytes));
  expect((await hashOfFile(target.file, bytes)) === hash, "the file behind the LUN holds other data");
}

/** Parameters of the target, and wishes of ours, that together make each way of moving data happen. */
const transfers: readonly {
  readonly name: string;
  readonly bytes: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly session: UnitSettings["session"];
}[] = [
  { name: "defaults", bytes: 192 * MiB, parameters: {}, session: {} },
  {
    name: "digests",
    bytes: 64 * MiB,
    parameters: { HeaderDigest: "CRC32C", DataDigest: "CRC32C" },
    session: { headerDigest: "require", dataDigest: "require" },
  },
  {
    name: "header-digest-only",
    bytes: 8 * MiB,
    parameters: { HeaderDigest: "CRC32C" },
    session: { headerDigest: "require", dataDigest: "none" },
  },
  {
    name: "solicited-only",
    bytes: 32 * MiB,
    parameters: { InitialR2T: "Yes", ImmediateData: "No" },
    session: { initialR2t: true, immediateData: false },
  },
  {
    name: "unsolicited",
    bytes: 32 * MiB,
    parameters: {
      InitialR2T: "No",
      ImmediateData: "Yes",
      FirstBurstLength: "262144",
      MaxRecvDataSegmentLength: "16384",
    },
    session: { initialR2t: false },
  },
  {
    name: "small-segments",
    bytes: 8 * MiB,
    parameters: { MaxRecvDataSegmentLength: "512", FirstBurstLength: "1024", MaxBurstLength: "4096", InitialR2T: "No" },
    session: { maxRecvDataSegmentLength: 1024 },
  },
  {
    name: "several-r2ts",
    bytes: 32 * MiB,
    parameters: { MaxOutstandingR2T: "8", MaxBurstLength: "65536" },
    session: { maxOutstandingR2t: 8, maxBurstLength: 65536 },
  },
];

async function chapCases(report: Report, tgt: Tgt): Promise<void> {
  const incoming = { user: "gateway", password: "a-secret-of-ours" };
  const outgoing = { user: "array", password: "a-secret-of-it" };
  const ours = { name: incoming.user, secret: Buffer.from(incoming.password) };
  const its = { name: outgoing.user, secret: Buffer.from(outgoing.password) };
  const target = await tgt.addTarget({ topic: "chap", bytes: 8 * MiB, incoming, outgoing });
  const settings = { ports: [tgt.port], targetName: target.name, lun: 1 };
  await report.check("initiator.tgt.chap.one-way", () => compare({ ...settings, chap: ours }, target, MiB));
  await report.check("initiator.tgt.chap.mutual", () =>
    compare({ ...settings, chap: { ...ours, target: its } }, target, MiB),
  );
  const refused = async (chap: UnitSettings["chap"], message: RegExp) => {
    const error = await failure(withUnit({ ...settings, chap, patience: 1000 }, () => Promise.resolve()));
    expect(message.test(error.message), error.message);
  };
  await report.check("initiator.tgt.chap.none", () => refused(undefined, /asks for CHAP|authentication failed/));
  await report.check("initiator.tgt.chap.wrong-secret", () =>
    refused({ ...ours, secret: Buffer.from("another-secret") }, /authentication failed/),
  );
  await report.check("initiator.tgt.chap.wrong-target-secret", () =>
    refused({ ...ours, target: { ...its, secret: Buffer.from("another-secret") } }, /failed to authenticate itself/),
  );
  await report.check("initiator.tgt.chap.wrong-target-name", () =>
    refused({ ...ours, target: { ...its, name: "impostor" } }, /failed to authenticate itself/),
  );
}

async function commandCases(report: Report, tgt: Tgt): Promise<void> {
  const target = await tgt.addTarget({ topic: "commands", bytes: 16 * MiB });
  const settings = { ports: [tgt.port, tgt.otherPort], targetName: target.name, lun: 1 };
  await report.check("initiator.tgt.zeros", () =>
    withUnit(settings, async (unit) => {
      await unit.write(0, [Buffer.alloc(MiB, 0xa5)]);
      await unit.writeZeros({ lba: 8, blocks: 1000 }, true);
      const data = Buffer.alloc(MiB);
      await unit.read(0, [data]);
      const expected = Buffer.alloc(MiB, 0xa5).fill(0, 8 * 512, 1008 * 512);
      expect(data.equals(expected), "the range does not read as zeros, or its neighbours do");
    }),
  );
  await report.check("initiator.tgt.out-of-range", () =>
    withUnit(settings, async (unit) => {
      const error = await failure(unit.read((16 * MiB) / 512, [Buffer.alloc(512)]));
      expect(error instanceof ScsiError && error.is(5, 0x21), error.message);
    }),
  );
  await report.check("initiator.tgt.no-token-commands", () =>
    withUnit(settings, async (unit) => {
      expect(unit.description?.thirdPartyCopy === undefined, "tgt has no VPD page 8Fh");
      const request = { ranges: [{ lba: 0, blocks: 8 }], inactivityTimeout: 0 };
      const error = await failure(unit.populateToken(request));
      expect(error instanceof ScsiError && error.is(5, 0x20), error.message);
    }),
  );
  await report.check("initiator.tgt.reset", () =>
    withUnit(settings, async (unit) => {
      const work = Array.from({ length: 16 }, (_, index) =>
        unit.write(index * 1024, [Buffer.alloc(512 * 1024, index)]),
      );
      await unit.reset();
      await Promise.all(work);
      const block = Buffer.alloc(512);
      await unit.read(15 * 1024, [block]);
      expect(block.equals(Buffer.alloc(512, 15)), "a write was lost");
    }),
  );
  await report.check("initiator.tgt.second-portal", () =>
    withUnit({ ...settings, ports: [1, tgt.otherPort] }, (unit) => unit.read(0, [Buffer.alloc(512)])),
  );
  await report.check("initiator.tgt.no-such-lun", async () => {
    const error = await failure(withUnit({ ...settings, lun: 7, patience: 1000 }, () => Promise.resolve()));
    expect(/no such logical unit|logical unit not supported/.test(error.message), error.message);
  });
  await report.check("initiator.tgt.no-such-target", async () => {
    const error = await failure(
      withUnit({ ...settings, targetName: "iqn.2026-01.test:none", patience: 1000 }, () => Promise.resolve()),
    );
    expect(/no such target/.test(error.message), error.message);
  });
  await report.check("initiator.tgt.probe", async () => {
    const cli = ["dist/cli.js", "array", "probe", "--json"];
    const { stdout } = await must(process.execPath, [...cli, `iscsi://127.0.0.1:${tgt.port}/${target.name}/1`]);
    const found: unknown = JSON.parse(stdout);
    const text = JSON.stringify(found);
    expect(/"odx":\{"used":false/.test(text) && /"blocks":32768/.test(text), stdout);
    const targets = (await must(process.execPath, [...cli, `iscsi://127.0.0.1:${tgt.port}`])).stdout;
    expect(targets.includes(target.name), targets);
    const luns = (await must(process.execPath, [...cli, `iscsi://127.0.0.1:${tgt.port}/${target.name}`])).stdout;
    expect(/"0",\s*"1"/.test(luns), luns);
  });
}

export async function tgtCases(report: Report, workDir: string): Promise<void> {
  const tgt = await startTgt(workDir);
  try {
    for (const { name, bytes, parameters, session } of transfers) {
      await report.check(`initiator.tgt.transfer.${name}`, async () => {
        const target = await tgt.addTarget({ topic: name, bytes: Math.max(bytes, 64 * MiB), parameters });
        await compare({ ports: [tgt.port], targetName: target.name, lun: 1, session }, target, bytes);
      });
    }
    await chapCases(report, tgt);
    await commandCases(report, tgt);
  } finally {
    await tgt.stop();
  }
}
