// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { SimulatedArray } from "../../../conformance/array/array.ts";
import { startArray, TestInitiator } from "./initiator.ts";

let folder: string;
let array: SimulatedArray;
let failures: string[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "tessera-array-"));
  failures = [];
  array = await startArray({
    identity: "test",
    targets: [
      { name: "iqn.2026-01.com.example:array", luns: [{ id: "unit", file: join(folder, "unit"), size: 1 << 20 }] },
    ],
    log: (message) => {
      if (message.startsWith("command failed")) failures.push(message);
    },
  });
});

afterAll(async () => {
  await array.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Opcodes and service actions that exist are more likely than others. */
const known = [
  "00",
  "03",
  "08",
  "0a",
  "12",
  "15",
  "1a",
  "25",
  "28",
  "2a",
  "35",
  "41",
  "42",
  "55",
  "5a",
  "8310",
  "8311",
].concat([
  "831c",
  "8405",
  "8407",
  "8408",
  "88",
  "89",
  "8a",
  "8b",
  "8f",
  "91",
  "93",
  "9e10",
  "9e12",
  "a0",
  "a30a",
  "a30c",
]);
const hexDigits = (bytes: fc.Arbitrary<Uint8Array>) => bytes.map((data) => Buffer.from(data).toString("hex"));
/** Fields are mostly zero, as small numbers are. */
const sparse = fc.array(fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.nat(255)), {
  minLength: 16,
  maxLength: 16,
});
const cdbs = fc
  .tuple(fc.oneof(fc.constantFrom(...known), hexDigits(fc.uint8Array({ minLength: 1, maxLength: 2 }))), sparse)
  .map(([start, rest]) => (start + Buffer.from(rest).toString("hex")).slice(0, 32));

it("any CDB with any data gets an answer, and none is a failure of the array", async () => {
  const initiator = await TestInitiator.ready(array);
  await fc.assert(
    fc.asyncProperty(cdbs, fc.option(fc.uint8Array({ maxLength: 600 })), async (cdb, data) => {
      const result = await initiator.command(cdb, data === null ? { in: 4096 } : { out: Buffer.from(data) });
      expect([0x00, 0x02]).toContain(result.status);
      expect(failures).toEqual([]);
    }),
    { numRuns: 1500 },
  );
  initiator.end();
});

it("any PDU after the login is answered, dropped or ends the connection, and the next initiator gets in", async () => {
  let initiator = await TestInitiator.ready(array);
  const opcodes = fc.oneof(
    fc.constantFrom(0x00, 0x40, 0x01, 0x41, 0x02, 0x42, 0x04, 0x44, 0x05, 0x06, 0x10),
    fc.nat(255),
  );
  await fc.assert(
    fc.asyncProperty(
      opcodes,
      fc.uint8Array({ minLength: 47, maxLength: 47 }),
      fc.uint8Array({ maxLength: 64 }),
      async (opcode, rest, data) => {
        if (initiator.ended) initiator = await TestInitiator.ready(array);
        const header = Buffer.from([opcode, ...rest]);
        // No additional header: its bytes would have to follow.
        header.writeUInt8(0, 4);
        // Half of them come in their turn.
        if (header.readUInt8(47) < 128) header.writeUInt32BE(array.sessions.list().at(-1)?.expCmdSN ?? 0, 24);
        initiator.send(header, Buffer.from(data));
      },
    ),
    { numRuns: 1500 },
  );
  initiator.end();
  const next = await TestInitiator.ready(array, { isid: 9 });
  expect((await next.command("000000000000")).status).toBe(0);
  next.end();
  expect(failures).toEqual([]);
});

it("any login text is answered or ends the connection", async () => {
  const pairs = fc.array(
    fc.tuple(
      fc.constantFrom(
        "InitiatorName",
        "TargetName",
        "SessionType",
        "AuthMethod",
        "CHAP_A",
        "CHAP_R",
        "MaxBurstLength",
        "X",
      ),
      fc.string({ maxLength: 30 }),
    ),
  );
  await fc.assert(
    fc.asyncProperty(fc.nat(3), fc.nat(3), pairs, async (stage, next, keys) => {
      const initiator = await TestInitiator.connect(array, 3);
      await initiator.loginRequest(stage, next, Object.fromEntries(keys)).catch(() => undefined);
      initiator.end();
    }),
    { numRuns: 100 },
  );
  const initiator = await TestInitiator.ready(array, { isid: 10 });
  expect((await initiator.command("000000000000")).status).toBe(0);
  initiator.end();
});
