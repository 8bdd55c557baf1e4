// SPDX-License-Identifier: Apache-2.0

import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, describe, expect, it, onTestFinished } from "vitest";
import type { OffloadOptions } from "../../../../src/offload/engine.ts";
import { CreateDisposition, CreateOption } from "../../../../src/smb2/wire/constants.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { PosixVolume } from "../../../../src/vfs/posix/volume.ts";
import type { Volume } from "../../../../src/vfs/volume.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { offloadRead, offloadWrite, offloadWriteAll, offloadWriteInput } from "../../../support/offload-client.ts";
import { bob, ServerHarness, statusOf } from "../../../support/server-harness.ts";
import { Gate, slowVolume } from "../../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

const MIB = 1024 * 1024;
const KEY = Buffer.alloc(32, 0x11);
const PINS = ".tessera-pins";

function content(length: number, seed = 1): Buffer {
  const data = Buffer.alloc(length);
  for (let i = 0; i < length; i++) data[i] = (i * 7 + (i >> 9) * 31 + seed) & 0xff;
  return data;
}

const data = content(100_000);
const LENGTH = 100_352;

const reflinkFolder = process.env["TESSERA_REFLINK_FOLDER"];
const folders: readonly [string, string, boolean][] = [["without reflinks", tmpdir(), false]];
const all: typeof folders =
  reflinkFolder === undefined ? folders : [...folders, ["with reflinks", reflinkFolder, true]];

describe.each(all)("tokens between servers of one folder %s", (_, parent, keeps) => {
  let root: string;
  let clock: FakeClock;
  let seed: number;
  let first: Gateway;
  let second: Gateway;

  interface Gateway {
    readonly harness: ServerHarness;
    readonly tree: SmbTree;
    readonly stop: () => Promise<void>;
  }

  async function start(
    offload: Partial<OffloadOptions> = {},
    wrap = (volume: Volume): Volume => volume,
  ): Promise<Gateway> {
    const volume = await PosixVolume.open({ root });
    seed += 0x11;
    const options = { tokenKeys: [KEY], ...offload };
    const harness = await ServerHarness.start({ volume: wrap(volume), offload: options, clock, randomSeed: seed });
    let running = true;
    const stop = async () => {
      if (!running) return;
      running = false;
      await harness.server.shutdown();
      volume.close();
    };
    onTestFinished(stop);
    return { harness, tree: await harness.mount(), stop };
  }

  beforeEach(async () => {
    root = mkdtempSync(join(parent, "tessera-group-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    clock = new FakeClock();
    seed = 0;
    first = await start();
    second = await start();
    await first.tree.put("source", data);
  });

  const take = async (tree: SmbTree = first.tree) => {
    const file = await tree.create("source");
    const { token } = await offloadRead(file, { length: MIB });
    await file.close();
    return token;
  };
  const give = async (token: Buffer, tree: SmbTree = second.tree) => {
    const target = await tree.create("target", { createDisposition: CreateDisposition.OVERWRITE_IF });
    await offloadWriteAll(target, token, { length: LENGTH });
    expect((await target.read(0, MIB)).equals(data)).toBe(true);
    await target.close();
  };
  const refused = async (token: Buffer, reason: string, { harness, tree }: Gateway = second) => {
    const target = await tree.create("target", { createDisposition: CreateDisposition.OVERWRITE_IF });
    const input = offloadWriteInput(token, { length: LENGTH });
    expect(await statusOf(target.ioctl(Fsctl.OFFLOAD_WRITE, input, { maxOutputResponse: 16 }))).toBe(
      "STATUS_INVALID_TOKEN",
    );
    expect(harness.log.at(-1)?.fields).toMatchObject({ reason });
    await target.close();
  };
  const pins = () => (existsSync(join(root, PINS)) ? readdirSync(join(root, PINS)) : []);

  it("work on the other one, and there again", async () => {
    const token = await take();
    await give(token);
    await give(token);
    await give(token, first.tree);
  });

  it("work after a restart of the one that issued them", async () => {
    const token = await take();
    await first.stop();
    await give(token);
    await give(token, (await start()).tree);
  });

  it("work after a restart of the one that takes them", async () => {
    const token = await take();
    await second.stop();
    await give(token, (await start()).tree);
  });

  it("work for whoever has one of the keys", async () => {
    const token = await take();
    const next = Buffer.alloc(32, 0x22);
    await give(token, (await start({ tokenKeys: [next, KEY] })).tree);
    await refused(token, "unknown key", await start({ tokenKeys: [next] }));
    await refused(token, "unknown key", await start({ tokenKeys: [] }));
  });

  it("are for the user who asked, on the other server too", async () => {
    const token = await take();
    const theirs = await second.harness.mount("data", { account: bob });
    await refused(token, "other user", { ...second, tree: theirs });
  });

  it("are for everybody in a cluster, where both servers say so", async () => {
    const issuer = await start({ tokenScope: "cluster" });
    const token = await take(issuer.tree);
    const taker = await start({ tokenScope: "cluster" });
    await give(token, await taker.harness.mount("data", { account: bob }));
    await refused(token, "other user", { ...second, tree: await second.harness.mount("data", { account: bob }) });
  });

  it("stay on their server where that is their scope", async () => {
    const issuer = await start({ tokenScope: "server" });
    await refused(await take(issuer.tree), "other server");
    await refused(await take(), "other server", issuer);
    expect(pins().length).toBe(keeps ? 1 : 0);
  });

  it("are of no use where the folder is not served", async () => {
    const token = await take();
    root = mkdtempSync(join(parent, "tessera-group-"));
    onTestFinished(() => rmSync(root, { recursive: true, force: true }));
    await refused(token, "unknown volume", await start());
  });

  /** Whatever happens to the source: the old data, or none. */
  it.each<[string, (source: SmbFile) => Promise<unknown>]>([
    ["a write", (source) => source.write(50_000, "x")],
    ["a write by another program", async () => appendFileSync(join(root, "source"), "x")],
    ["a cut", (source) => source.setInfo(FileInformationClass.FileEndOfFileInformation, Buffer.alloc(8))],
    [
      "a deletion and another file of that name",
      async (source) => {
        await source.close();
        await (await first.tree.create("source", { createOptions: CreateOption.DELETE_ON_CLOSE })).close();
        await first.tree.put("source", content(100_000, 77));
      },
    ],
  ])("never give other data after %s", async (_name, change) => {
    const token = await take();
    await change(await first.tree.create("source"));
    if (keeps) await give(token);
    else await refused(token, "data changed");
  });

  it("survive closing, and with reflinks renaming", async () => {
    const file = await first.tree.create("source");
    const { token } = await offloadRead(file, { length: MIB });
    await file.close();
    await give(token);
    const moved = await first.tree.create("source");
    const name = Buffer.from("elsewhere", "utf16le");
    const input = Buffer.alloc(20 + name.length);
    input.writeUInt32LE(name.length, 16);
    name.copy(input, 20);
    await moved.setInfo(FileInformationClass.FileRenameInformation, input);
    await moved.close();
    if (keeps) await give(token);
    else await refused(token, "data changed");
    await give(token, first.tree);
  });

  it("expire, and nothing of them remains", async () => {
    const token = await take();
    expect(pins().length).toBe(keeps ? 1 : 0);
    clock.advance(299_000);
    await give(token);
    clock.advance(299_000);
    // Used by the second server meanwhile, so that the first one has not removed what it published.
    await give(token);
    clock.advance(3_700_000);
    await refused(token, "expired");
    expect(pins()).toEqual([]);
  });

  it("leave nothing behind when the one that issued them has crashed", async () => {
    const token = await take();
    await first.stop();
    expect(pins().length).toBe(keeps ? 1 : 0);
    clock.advance(600_000);
    if (keeps) await refused(token, "expired");
    else await give(token);
    clock.advance(1_200_000);
    expect(pins()).toEqual([]);
  });

  it("report nothing as written that was read while somebody changed it", async () => {
    if (keeps) return;
    const gate = new Gate();
    const slow = await start({}, (volume) => slowVolume(volume, gate));
    const token = await take();
    const target = await slow.tree.createFile("target");
    gate.hold("copyFrom");
    const written = statusOf(
      target.ioctl(Fsctl.OFFLOAD_WRITE, offloadWriteInput(token, { length: LENGTH }), { maxOutputResponse: 16 }),
    );
    await gate.arrival("copyFrom");
    appendFileSync(join(root, "source"), "x");
    gate.release();
    expect(await written).toBe("STATUS_INVALID_TOKEN");
  });

  it("do not write the file that they stand for, by another server", async () => {
    const token = await take();
    const same = await second.tree.create("source");
    const result = await offloadWrite(same, token, { offset: 51_200, length: 4096 }).catch(() => "refused");
    expect(result).toBe(keeps ? 4096 : "refused");
  });

  it("keep their files out of every client's reach", async () => {
    await take();
    if (!keeps) return;
    expect(statSync(join(root, PINS)).mode & 0o777).toBe(0o700);
    const cursor = await (await first.harness.volume.open([]))?.file.readDirectory();
    const names = (await cursor?.next(100, () => true))?.map((entry) => entry.name);
    expect(names).toContain("source");
    cursor?.close();
    expect(names).not.toContain(PINS);
    const [pin] = pins();
    for (const path of [PINS, PINS.toUpperCase(), `${PINS}\\${pin}`, `x\\..\\${PINS}`]) {
      expect(await statusOf(first.tree.create(path))).not.toBe("STATUS_SUCCESS");
    }
    const above = await PosixVolume.open({ root: parent });
    const outer = await (await ServerHarness.start({ volume: above })).mount();
    const inside = `${root.slice(parent.length + 1)}\\${PINS}`;
    expect(await statusOf(outer.create(inside))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    expect(await statusOf(outer.create(`${inside}\\${pin}`))).toBe("STATUS_OBJECT_PATH_NOT_FOUND");
    above.close();
  });
});
