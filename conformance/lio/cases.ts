// SPDX-License-Identifier: Apache-2.0
/** Our initiator against LIO: who may log in, sessions that end each other, resets, and commands that are refused. */
import { randomBytes } from "node:crypto";
import { ScsiError, TransportError } from "../../src/scsi/errors.ts";
import { encodeLun } from "../../src/scsi/iscsi/lun.ts";
import { openSession } from "../../src/scsi/iscsi/open-session.ts";
import { NexusLostError } from "../../src/scsi/nexus.ts";
import { initiatorParts, loginOptions } from "../../src/scsi/open.ts";
import { eventually } from "../array-share/files.ts";
import { clock, failure, type UnitSettings, whyMissing, withUnit } from "../initiator/unit.ts";
import { must } from "../lib/process.ts";
import { expect, type Report } from "../lib/report.ts";
import { CuttingProxy } from "../resume/proxy.ts";
import type { Lio, LioTarget } from "./lio.ts";
import { compare, MiB } from "./transfers.ts";

const BLOCK = 512;

export async function chapCases(report: Report, lio: Lio): Promise<void> {
  const ours = { name: "gateway", secret: Buffer.from("a-secret-of-ours") };
  const its = { name: "array", secret: Buffer.from("a-secret-of-its") };
  const target = await lio.addTarget(
    "chap",
    { kind: "file", bytes: 8 * MiB },
    {
      "attrib/authentication": "1",
      "auth/userid": ours.name,
      "auth/password": ours.secret.toString(),
      "auth/userid_mutual": its.name,
      "auth/password_mutual": its.secret.toString(),
    },
  );
  const settings = { ports: lio.ports, targetName: target.name, lun: 0 };
  await report.check("lio.chap.one-way", () => compare(lio, { ...settings, chap: ours }, target, MiB));
  await report.check("lio.chap.mutual", () =>
    compare(lio, { ...settings, chap: { ...ours, target: its } }, target, MiB),
  );
  const refused = async (chap: UnitSettings["chap"], message: RegExp) => {
    const { message: found } = await whyMissing({ ...settings, chap });
    expect(message.test(found), found);
  };
  // LIO hangs up on who offers no CHAP, without a word.
  await report.check("lio.chap.none", () => refused(undefined, /the target closed the connection/));
  await report.check("lio.chap.wrong-name", () => refused({ ...ours, name: "stranger" }, /authentication failed/));
  await report.check("lio.chap.wrong-secret", () =>
    refused({ ...ours, secret: Buffer.from("another-secret") }, /authentication failed/),
  );
  await report.check("lio.chap.wrong-target-secret", () =>
    refused({ ...ours, target: { ...its, secret: Buffer.from("another-secret") } }, /failed to authenticate itself/),
  );
  await report.check("lio.chap.wrong-target-name", () =>
    refused({ ...ours, target: { ...its, name: "impostor" } }, /failed to authenticate itself/),
  );
}

/** A session as an initiator of its own makes it, with an identifier that is ours to choose. */
async function rawSession(lio: Lio, target: LioTarget, isid: Buffer, portal: 0 | 1 = 0) {
  const surroundings = { clock, randomBytes };
  const options = { initiatorName: "iqn.2026-01.test:raw", targetName: target.name };
  const lost: (Error | undefined)[] = [];
  const session = await openSession(
    initiatorParts(surroundings, {}),
    { host: "127.0.0.1", port: lio.ports[portal] },
    { ...loginOptions(surroundings, options), isid },
    { attention: () => undefined, lost: (error) => lost.push(error) },
  );
  return { session, lost };
}

const isid = (last: number) => Buffer.from([0x80, 0, 0, 0, 0, last]);
const lun = encodeLun(0);

/** WRITE(16) of whole blocks. */
function write16(lba: number, data: Buffer) {
  const cdb = Buffer.alloc(16);
  cdb[0] = 0x8a;
  cdb.writeBigUInt64BE(BigInt(lba), 2);
  cdb.writeUInt32BE(data.length / BLOCK, 10);
  return { lun, cdb, dataOut: [data] };
}

const testUnitReady = { lun, cdb: Buffer.alloc(6) };

export async function sessionCases(report: Report, lio: Lio): Promise<void> {
  const target = await lio.addTarget("sessions", { kind: "file", bytes: 64 * MiB });
  const settings = { ports: lio.ports, targetName: target.name, lun: 0 };

  await report.check("lio.session.reinstated", async () => {
    const first = await rawSession(lio, target, isid(1));
    const writes = Array.from({ length: 32 }, (_, index) =>
      first.session.start(write16(index * 2048, Buffer.alloc(MiB, 1))).result.then(
        () => "done",
        (error: unknown) => error,
      ),
    );
    const second = await rawSession(lio, target, isid(1));
    for (const outcome of await Promise.all(writes)) {
      const over = outcome === "done" || outcome instanceof NexusLostError;
      expect(over, `a write of the session before ends with ${String(outcome)}`);
    }
    expect(first.lost.length === 1 && first.lost[0] !== undefined, "the session before does not know that it is over");
    // A unit attention, and then the new session works; what the old one was at does not come after it.
    await second.session.start(testUnitReady).result;
    await second.session.start(write16(0, Buffer.alloc(MiB, 2))).result;
    await new Promise((resolve) => setTimeout(resolve, 500));
    await withUnit(settings, async (unit) => {
      const data = Buffer.alloc(MiB);
      await unit.read(0, [data]);
      expect(data.equals(Buffer.alloc(MiB, 2)), "a command of the session before came through late");
    });
    // LIO takes a session out of its list a moment after its end.
    const count = (expected: number) =>
      eventually(5000, async () => {
        const names = await lio.sessions(target);
        expect(names.length === expected, `the target has ${names.length} sessions instead of ${expected}`);
      });
    await count(1);
    await second.session.close();
    await count(0);
  });

  await report.check("lio.session.others-stay", async () => {
    const first = await rawSession(lio, target, isid(2));
    const second = await rawSession(lio, target, isid(3));
    const third = await rawSession(lio, target, isid(4), 1);
    for (const { session } of [first, second, third]) await session.start(testUnitReady).result;
    expect(first.lost.length + second.lost.length + third.lost.length === 0, "a session was ended by another one");
    for (const { session } of [first, second, third]) await session.close();
  });

  await report.check("lio.session.cut", async () => {
    const proxy = await CuttingProxy.start(() => lio.ports[0]);
    try {
      await withUnit({ ...settings, ports: [proxy.port] }, async (unit) => {
        const pieces = Array.from({ length: 32 }, (_, index) => Buffer.alloc(MiB, 16 + index));
        let written = 0;
        const writing = pieces.map((piece, index) =>
          unit.write(index * 2048, [piece]).then(() => {
            written += 1;
            // Each cut meets other commands at work.
            if (written === 4) proxy.cut();
          }),
        );
        await Promise.all(writing);
        for (const [index, piece] of pieces.entries()) {
          const back = Buffer.alloc(MiB);
          const reading = unit.read(index * 2048, [back]);
          if (index === 16) proxy.cut();
          await reading;
          expect(back.equals(piece), `the piece ${index} was lost`);
        }
      });
    } finally {
      proxy.close();
    }
  });

  await report.check("lio.session.other-portal", async () => {
    const proxy = await CuttingProxy.start(() => lio.ports[0]);
    await withUnit({ ...settings, ports: [proxy.port, lio.ports[1]] }, async (unit) => {
      const writing = Array.from({ length: 16 }, (_, index) => unit.write(index * 2048, [Buffer.alloc(MiB, 7)]));
      await writing[0];
      // The first portal is gone for good, and its commands with it: the target is in the same portal group there.
      proxy.close();
      await Promise.all(writing);
      const back = Buffer.alloc(16 * MiB);
      await unit.read(0, [back]);
      expect(back.equals(Buffer.alloc(16 * MiB, 7)), "a write was lost");
    });
  });

  await report.check("lio.session.refused-portal", () =>
    withUnit({ ...settings, ports: [1, lio.ports[1]] }, (unit) => unit.read(0, [Buffer.alloc(BLOCK)])),
  );
}

/** What became of an action that may fail with the loss of a path, or by the end of its time. */
async function outcome(action: Promise<unknown>): Promise<"done" | "failed"> {
  try {
    await action;
    return "done";
  } catch (error) {
    if (error instanceof TransportError) return "failed";
    throw error;
  }
}

/**
 * LIO answers a LUN RESET only when no write of the unit waits for data any more, and lets those of other sessions wait for good: a
 * reset may end with the loss of its session, and such a write with its time. What counts is that everything ends within its time,
 * and that what was told to be written is.
 */
export async function resetCases(report: Report, lio: Lio): Promise<void> {
  const target = await lio.addTarget("reset", { kind: "file", bytes: 32 * MiB });
  const settings = { ports: lio.ports, targetName: target.name, lun: 0, unit: { commandTimeout: 8000 } };
  const piece = (index: number) => Buffer.alloc(MiB, 1 + index);

  await report.check("lio.reset", () =>
    withUnit(settings, async (unit) => {
      const work = Array.from({ length: 32 }, (_, index) => unit.write(index * 2048, [piece(index)]));
      await Promise.all([outcome(unit.reset()), ...work]);
      for (let index = 0; index < 32; index++) {
        const data = Buffer.alloc(MiB);
        await unit.read(index * 2048, [data]);
        expect(data.equals(piece(index)), `the write ${index} was lost`);
      }
    }),
  );

  await report.check("lio.reset-by-another", () =>
    withUnit(settings, (unit) =>
      withUnit(settings, async (other) => {
        const told = new Promise<void>((resolve) => {
          unit.listen(({ kind }) => {
            if (kind === "reset") resolve();
          });
        });
        const work = Array.from({ length: 32 }, (_, index) => outcome(unit.write(index * 2048, [piece(100 + index)])));
        const reset = await outcome(other.reset());
        const outcomes = await Promise.all(work);
        for (const [index, one] of outcomes.entries()) {
          if (one === "failed") await unit.write(index * 2048, [piece(100 + index)]);
          const data = Buffer.alloc(MiB);
          await unit.read(index * 2048, [data]);
          expect(data.equals(piece(100 + index)), `the write ${index} was lost`);
        }
        // The unit attention has come with a command.
        if (reset === "done") await told;
      }),
    ),
  );
}

export async function commandCases(report: Report, lio: Lio): Promise<void> {
  const target = await lio.addTarget("commands", { kind: "disk", mebibytes: 16 });
  const settings = { ports: lio.ports, targetName: target.name, lun: 0 };
  await report.check("lio.description", () =>
    withUnit(settings, async (unit) => {
      const { identity, capacity, provisioning, thirdPartyCopy, readOnly } = await unit.ready();
      expect(identity.name.startsWith("naa.6001405") && identity.vendor === "LIO-ORG", JSON.stringify(identity));
      expect(capacity.blocks === (16 * MiB) / BLOCK && capacity.blockSize === BLOCK, JSON.stringify(capacity));
      expect(provisioning.unmap && provisioning.writeSameUnmap, JSON.stringify(provisioning));
      expect(thirdPartyCopy === undefined && !readOnly, "LIO has token commands, or is read-only");
    }),
  );
  await report.check("lio.zeros-and-unmap", () =>
    withUnit(settings, async (unit) => {
      await unit.write(0, [Buffer.alloc(MiB, 0xa5)]);
      await unit.writeZeros({ lba: 8, blocks: 500 }, true);
      await unit.writeZeros({ lba: 520, blocks: 80 }, false);
      await unit.unmap([
        { lba: 800, blocks: 64 },
        { lba: 1024, blocks: 512 },
      ]);
      const data = Buffer.alloc(MiB);
      await unit.read(0, [data]);
      const expected = Buffer.alloc(MiB, 0xa5);
      // The memory behind this LUN reads as zeros where it was discarded.
      for (const [lba, blocks] of [
        [8, 500],
        [520, 80],
        [800, 64],
        [1024, 512],
      ] as const) {
        expected.fill(0, lba * BLOCK, (lba + blocks) * BLOCK);
      }
      expect(data.equals(expected), "a range does not read as zeros, or its neighbours do");
    }),
  );
  await report.check("lio.out-of-range", () =>
    withUnit(settings, async (unit) => {
      const error = await failure(unit.read((16 * MiB) / BLOCK, [Buffer.alloc(BLOCK)]));
      expect(error instanceof ScsiError && error.is(5, 0x21), error.message);
    }),
  );
  await report.check("lio.no-token-commands", () =>
    withUnit(settings, async (unit) => {
      const request = { ranges: [{ lba: 0, blocks: 8 }], inactivityTimeout: 0 };
      const error = await failure(unit.populateToken(request));
      expect(error instanceof ScsiError && error.sense?.key === 5, error.message);
    }),
  );
  await report.check("lio.write-protected", async () => {
    const locked = await lio.addTarget(
      "locked",
      { kind: "file", bytes: MiB },
      { "attrib/demo_mode_write_protect": "1" },
    );
    await withUnit({ ...settings, targetName: locked.name }, async (unit) => {
      expect((await unit.ready()).readOnly, "nobody says that the LUN is write protected");
      const error = await failure(unit.write(0, [Buffer.alloc(BLOCK)]));
      expect(error instanceof ScsiError && error.is(7, 0x27), error.message);
      await unit.read(0, [Buffer.alloc(BLOCK)]);
    });
  });
  const absent = async (change: Partial<UnitSettings>, message: RegExp) => {
    const { message: found } = await whyMissing({ ...settings, ...change });
    expect(message.test(found), found);
  };
  await report.check("lio.no-such-lun", () => absent({ lun: 7 }, /no such logical unit|logical unit not supported/));
  await report.check("lio.no-such-target", () =>
    absent({ targetName: "iqn.2026-01.test:none" }, /the target is not available at present \(login status 0301h\)/),
  );
  await report.check("lio.probe", async () => {
    const cli = ["dist/cli.js", "array", "probe"];
    const portal = `iscsi://127.0.0.1:${lio.ports[0]}`;
    const unit = (await must(process.execPath, [...cli, "--json", `${portal}/${target.name}/0`])).stdout;
    expect(/"odx":\{"used":false/.test(JSON.stringify(JSON.parse(unit))) && /"blocks": ?32768/.test(unit), unit);
    const targets = (await must(process.execPath, [...cli, "--json", portal])).stdout;
    expect(targets.includes(target.name) && targets.includes("iqn.2026-01.test:chap"), targets);
    const luns = (await must(process.execPath, [...cli, "--json", `${portal}/${target.name}`])).stdout;
    expect(/"0"/.test(luns), luns);
  });
}
