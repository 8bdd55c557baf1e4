// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../../src/nt/status.ts";
import { zeroToken } from "../../../../src/offload/token-seal.ts";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { decodeOffloadWriteOutput } from "../../../../src/smb2/wire/fscc/offload.ts";
import { encodeFileEndOfFileInformation } from "../../../../src/smb2/wire/fscc/size-info.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../../../src/smb2/wire/ioctl.ts";
import { MemoryVolume } from "../../../../src/vfs/memory/memory-volume.ts";
import type { DataPins } from "../../../../src/vfs/offload.ts";
import { offloadRead, offloadWrite, offloadWriteInput } from "../../../support/offload-client.ts";
import { ServerHarness } from "../../../support/server-harness.ts";
import { Gate, slowVolume } from "../../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";
import type { Call } from "../../../support/smb-connection.ts";
import { requests } from "../../../support/smb-requests.ts";

const MIB = 1024 * 1024;
/** What one call to the storage copies. */
const PIECE = 8 * MIB;

class VolatileVolume extends MemoryVolume {
  override readonly pins: DataPins | undefined = undefined;
}

function setEndOfFile(file: SmbFile, size: number): Promise<void> {
  const input = new Writer(8);
  encodeFileEndOfFileInformation(input, BigInt(size));
  return file.setInfo(FileInformationClass.FileEndOfFileInformation, input.view());
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe("a long FSCTL_OFFLOAD_WRITE", () => {
  let gate: Gate;
  let harness: ServerHarness;
  let tree: SmbTree;
  let source: SmbFile;
  let target: SmbFile;
  let token: Buffer;

  beforeEach(async () => {
    gate = new Gate();
    harness = await ServerHarness.start({ volume: slowVolume(new VolatileVolume(), gate) });
    tree = await harness.mount();
    source = await tree.createFile("source");
    for (let at = 0; at < 20; at += 4) await source.write(at * MIB, Buffer.alloc(4 * MIB, at + 1));
    token = (await offloadRead(source, { length: 20 * MIB })).token;
    target = await tree.createFile("target");
  });
  afterEach(() => expect(harness.errors).toEqual([]));

  const submit = (): Call =>
    target.submit(
      requests.ioctl(Fsctl.OFFLOAD_WRITE, target.fileId, {
        input: offloadWriteInput(token, { length: 20 * MIB }),
        maxOutputResponse: 16,
      }),
    );
  /** Begins a write and stops it inside its first piece. */
  const begin = async (): Promise<Call> => {
    gate.hold("copyFrom");
    const call = submit();
    await gate.arrival("copyFrom");
    return call;
  };
  const written = async (call: Call) => {
    const reply = await call.reply;
    expect(statusName(reply.status)).toBe("STATUS_SUCCESS");
    return decodeOffloadWriteOutput(new Reader(decodeIoctlResponse(reply.reader).output));
  };

  it("is announced as pending, and done in the end", async () => {
    const call = await begin();
    harness.clock.advance(5);
    await call.pending;
    gate.release();
    expect(await written(call)).toBe(20 * MIB);
  });

  it("stops after the piece under way when it is cancelled, and says how much it has written", async () => {
    const call = await begin();
    harness.clock.advance(5);
    await call.pending;
    tree.session.connection.cancel(call);
    await settle();
    gate.release();
    expect(await written(call)).toBe(PIECE);
    expect((await target.closeWithAttributes()).endOfFile).toBe(BigInt(PIECE));
  });

  it("stops when its time is over, and goes on when it is asked again", async () => {
    const call = await begin();
    harness.clock.advance(3001);
    gate.release();
    expect(await written(call)).toBe(PIECE);
    const rest = { offset: PIECE, length: 12 * MIB, transferOffset: PIECE };
    expect(await offloadWrite(target, token, rest)).toBe(12 * MIB);
    expect((await target.read(16 * MIB, 1))[0]).toBe(17);
  });

  it("stops when its time is over, with zeros too", async () => {
    await setEndOfFile(target, 20 * MIB);
    gate.hold("zero");
    const input = offloadWriteInput(zeroToken(), { length: 20 * MIB });
    const call = target.submit(requests.ioctl(Fsctl.OFFLOAD_WRITE, target.fileId, { input, maxOutputResponse: 16 }));
    await gate.arrival("zero");
    harness.clock.advance(3001);
    gate.release();
    expect(await written(call)).toBe(PIECE);
  });

  it("stops when its session is logged off, its tree disconnected or its handle closed", async () => {
    for (const end of [() => target.close(), () => tree.disconnect(), () => tree.session.logOff()]) {
      tree = await harness.mount();
      target = await tree.createFile(`target ${Math.random()}`);
      const call = await begin();
      harness.clock.advance(5);
      await call.pending;
      const ended = end();
      await settle();
      gate.release();
      await call.reply;
      await ended;
      expect(harness.copies.at(-1)?.bytes).toBe(PIECE);
    }
  });

  it("stops when its client is gone, and holds nothing", async () => {
    await begin();
    tree.session.connection.close();
    await settle();
    gate.release();
    await settle();
    expect(harness.copies.map(({ bytes }) => bytes)).toEqual([PIECE]);
    await harness.server.shutdown();
    expect(gate.open).toBe(0);
  });

  it("gives what its token stands for when others write the source meanwhile", async () => {
    const call = await begin();
    const other = await (await harness.mount()).create("source");
    await other.write(MIB, Buffer.alloc(MIB, 0xee));
    await other.write(17 * MIB, Buffer.alloc(MIB, 0xee));
    gate.release();
    expect(await written(call)).toBe(20 * MIB);
    for (let at = 0; at < 20; at++) expect((await target.read(at * MIB, 1))[0]).toBe(at - (at % 4) + 1);
  });

  it("writes again what was changed while it was read", async () => {
    const call = await begin();
    // The copy of the first piece is about to be made: it finds the new bytes.
    await source.write(0, Buffer.alloc(4096, 0xee));
    gate.release();
    expect(await written(call)).toBe(20 * MIB);
    expect((await target.read(0, 4096)).equals(Buffer.alloc(4096, 1))).toBe(true);
  });

  it("gives what its token stands for when others make the source shorter meanwhile", async () => {
    const call = await begin();
    const other = await (await harness.mount()).create("source");
    await setEndOfFile(other, 2 * MIB + 1);
    gate.release();
    expect(await written(call)).toBe(20 * MIB);
    for (let at = 0; at < 20; at++) expect((await target.read(at * MIB, 1))[0]).toBe(at - (at % 4) + 1);
  });

  it("reports nothing of what somebody changed past the server", async () => {
    const call = await begin();
    const file = (await harness.volume.open(["source"]))?.file;
    const data = await file?.openStream("");
    await data?.write(15 * MIB, Buffer.alloc(1));
    gate.release();
    expect(statusName((await call.reply).status)).toBe("STATUS_INVALID_TOKEN");
    await data?.close();
    await file?.close();
    expect(harness.log.at(-1)?.fields).toMatchObject({ reason: "data changed" });
  });
});
