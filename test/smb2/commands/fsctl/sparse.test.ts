// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../../src/nt/status.ts";
import { Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { encodeFileEndOfFileInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import {
  encodeFileLevelTrim,
  encodeQueryAllocatedRangesInput,
  encodeSetZeroData,
} from "../../../../src/smb2/wire/fscc/sparse.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import { Gate, slowVolume } from "../../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import { requests } from "../../../support/smb-requests.ts";

const UNIT = 4096;
const GIB = 1024 ** 3;

const encoded = (encode: (writer: Writer) => void): Buffer => {
  const writer = new Writer();
  encode(writer);
  return writer.view();
};

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("FSCTL_FILE_LEVEL_TRIM", () => {
  const data = Buffer.alloc(4 * UNIT, 7);
  let tree: SmbTree;
  let file: SmbFile;

  beforeEach(async () => {
    tree = await (await ServerHarness.start()).mount();
    file = await tree.createFile("file");
    await file.write(0, data);
  });

  const trim = (ranges: readonly (readonly [number | bigint, number | bigint])[], key = 0, maxOutputResponse = 4) => {
    const wire = ranges.map(([offset, length]) => ({ offset: BigInt(offset), length: BigInt(length) }));
    const input = encoded((writer) => encodeFileLevelTrim(writer, { key, ranges: wire }));
    return file.ioctl(Fsctl.FILE_LEVEL_TRIM, input, { maxOutputResponse });
  };
  const expectZeros = async (offset: number, length: number) => {
    const expected = Buffer.from(data).fill(0, offset, offset + length);
    expect((await file.read(0, data.length)).equals(expected)).toBe(true);
  };

  it("gives up the whole units of the ranges, and says how many ranges it has seen to", async () => {
    const answer = await trim([
      [UNIT - 1, UNIT + 2],
      [2 * UNIT + 1, 10],
    ]);
    expect(answer.equals(Buffer.of(2, 0, 0, 0))).toBe(true);
    await expectZeros(UNIT, UNIT);
  });

  it("goes no further than the file, however far a range reaches", async () => {
    await trim([[3 * UNIT, 2n ** 63n]]);
    await expectZeros(3 * UNIT, UNIT);
    expect(await statusOf(trim([[2n ** 63n, 4 * UNIT]]))).toBe("STATUS_SUCCESS");
  });

  it("refuses a range behind what 64 bits express", async () => {
    expect(await statusOf(trim([[UNIT, 2n ** 64n - 1n]]))).toBe("STATUS_INTEGER_OVERFLOW");
    await expectZeros(0, 0);
  });

  it("refuses any key, no ranges, and too little room for its answer", async () => {
    expect(await statusOf(trim([[0, UNIT]], 1))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(trim([]))).toBe("STATUS_INVALID_PARAMETER");
    for (const room of [1, 2, 3]) expect(await statusOf(trim([[0, UNIT]], 0, room))).toBe("STATUS_INVALID_PARAMETER");
    await expectZeros(0, 0);
    expect((await trim([[0, UNIT]], 0, 0)).length).toBe(0);
    await expectZeros(0, UNIT);
  });

  it("respects byte-range locks where it would change something", async () => {
    const other = await tree.create("file");
    await other.lock(UNIT, UNIT);
    expect(await statusOf(trim([[0, 2 * UNIT]]))).toBe("STATUS_FILE_LOCK_CONFLICT");
    expect(await statusOf(trim([[0, UNIT + 1]]))).toBe("STATUS_SUCCESS");
  });
});

describe("FSCTL_SET_ZERO_DATA", () => {
  it("stops when it is cancelled", async () => {
    const gate = new Gate();
    const harness = await ServerHarness.start({ volume: slowVolume(new MemoryVolume(), gate) });
    const tree = await harness.mount();
    const file = await tree.createFile("file");
    await file.ioctl(Fsctl.SET_SPARSE);
    const size = encoded((writer) => encodeFileEndOfFileInformation(writer, BigInt(3 * GIB)));
    await file.setInfo(FileInformationClass.FileEndOfFileInformation, size);
    await file.write(2 * GIB, Buffer.of(1));
    const input = encoded((writer) => encodeSetZeroData(writer, { fileOffset: 0n, beyondFinalZero: 2n ** 40n }));
    gate.hold("zero");
    const call = file.submit(requests.ioctl(Fsctl.SET_ZERO_DATA, file.fileId, { input }));
    await gate.arrival("zero");
    harness.clock.advance(100);
    harness.clock.advance(100);
    await call.pending;
    tree.session.connection.cancel(call);
    await settle();
    gate.release();
    expect(statusName((await call.reply).status)).toBe("STATUS_CANCELLED");
    expect((await file.read(2 * GIB, 1))[0]).toBe(1);
    await file.ioctl(Fsctl.SET_ZERO_DATA, input);
    expect((await file.read(2 * GIB, 1))[0]).toBe(0);
  });
});

describe("FSCTL_QUERY_ALLOCATED_RANGES", () => {
  it("needs room for a range where there is one", async () => {
    const file = await (await (await ServerHarness.start()).mount()).createFile("file");
    const ask = (length: number, maxOutputResponse: number) => {
      const input = encoded((writer) =>
        encodeQueryAllocatedRangesInput(writer, { offset: 0n, length: BigInt(length) }),
      );
      return statusOf(file.ioctl(Fsctl.QUERY_ALLOCATED_RANGES, input, { maxOutputResponse }));
    };
    expect(await ask(UNIT, 0)).toBe("STATUS_SUCCESS");
    await file.write(0, Buffer.alloc(UNIT));
    expect(await ask(UNIT, 15)).toBe("STATUS_BUFFER_TOO_SMALL");
    expect(await ask(UNIT, 16)).toBe("STATUS_SUCCESS");
    expect(await ask(0, 0)).toBe("STATUS_SUCCESS");
  });
});
