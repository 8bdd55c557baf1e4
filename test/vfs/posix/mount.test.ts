// SPDX-License-Identifier: Apache-2.0

import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { FileAttribute, FileSystemAttribute } from "../../../src/nt/attributes.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import { allowNameCalls } from "../../../src/vfs/posix/native/xattr.ts";
import { PosixVolume } from "../../../src/vfs/posix/volume.ts";
import { attribute, fails } from "../contract/harness.ts";
import { makeFile, makeFolder, mustOpen, temporaryFolder, temporaryVolume } from "./support.ts";

afterEach(() => allowNameCalls(true));

describe("a volume", () => {
  it("says what is wrong with its folder", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "file"), "");
    await expect(PosixVolume.open({ root: join(folder, "missing") })).rejects.toThrow("does not exist");
    await expect(PosixVolume.open({ root: join(folder, "file") })).rejects.toThrow("is not a folder");
  });

  it.skipIf(!existsSync("/proc/self"))("refuses a file system without extended attributes", async () => {
    await expect(PosixVolume.open({ root: "/proc/self", readOnly: true })).rejects.toThrow("metadata: none");
    const volume = await PosixVolume.open({ root: "/proc/self", readOnly: true, metadata: "none" });
    expect(volume.info.attributes & FileSystemAttribute.NAMED_STREAMS).toBe(0);
    volume.close();
  });

  it("leaves nothing behind when it starts", async () => {
    const { root } = await temporaryVolume();
    expect(readdirSync(root)).toEqual([]);
  });

  it("without metadata keeps none, and says so", async () => {
    const { volume } = await temporaryVolume({ metadata: "none" });
    const file = makeFile(volume, "file");
    await file.setBasic({ attributes: FileAttribute.HIDDEN });
    expect((await file.stat()).attributes).toBe(0);
    expect(await file.streams()).toHaveLength(1);
    await fails(() => file.createStream("stream"), NtStatus.NOT_SUPPORTED);
    await fails(() => file.setExtendedAttributes([attribute("NAME", "value")]), NtStatus.NOT_SUPPORTED);
    expect((await file.security()).length).toBeGreaterThan(0);
    expect(volume.info.attributes & FileSystemAttribute.PERSISTENT_ACLS).toBe(0);
  });

  it("lists the same with the calls of older kernels", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    await file.setBasic({ attributes: FileAttribute.HIDDEN });
    await file.setExtendedAttributes([attribute("NAME", "value")]);
    const list = async () => {
      const cursor = await mustOpen(volume).readDirectory();
      const entries = await cursor.next(10, () => true);
      cursor.close();
      return entries;
    };
    const expected = await list();
    expect(expected).toMatchObject([{ name: "file", stat: { attributes: FileAttribute.HIDDEN, eaSize: 18 } }]);
    allowNameCalls(false);
    expect(await list()).toEqual(expected);
  });

  it("keeps nothing of a file that cannot have all it was asked to have", async () => {
    const { volume, root } = await temporaryVolume();
    const extendedAttributes = [attribute("FIRST", "1"), attribute("SECOND", Buffer.alloc(70_000, 1))];
    for (const directory of [false, true]) {
      await fails(
        () => volume.create(["made"], { directory, attributes: 0, extendedAttributes }),
        NtStatus.EA_TOO_LARGE,
      );
      expect(readdirSync(root)).toEqual([]);
    }
    expect(volume.open(["made"])).toBeUndefined();
    makeFile(volume, "made");
  });

  it("sets all extended attributes or none", async () => {
    const { volume } = await temporaryVolume();
    const file = makeFile(volume, "file");
    await file.setExtendedAttributes([attribute("KEPT", "1"), attribute("GONE", "2")]);
    const change = [
      attribute("kept", "3"),
      attribute("GONE", ""),
      attribute("NEW", "4"),
      attribute("BIG", Buffer.alloc(70_000)),
    ];
    await fails(() => file.setExtendedAttributes(change), NtStatus.EA_TOO_LARGE);
    const values = (await file.extendedAttributes()).map(({ name, value }) => `${name}=${value}`).sort();
    expect(values).toEqual(["GONE=2", "KEPT=1"]);
    for (const name of ["DOSATTRIB", "dosstream.x:$DATA", "ntacl", "tessera.stream"]) {
      await fails(() => file.setExtendedAttributes([attribute(name, "x")]), NtStatus.ACCESS_DENIED);
    }
  });

  it("gives the same file ids after a restart", async () => {
    const { volume, root } = await temporaryVolume();
    const ids = [makeFile(volume, "file").fileId, makeFolder(volume, "folder").fileId, mustOpen(volume).fileId];
    const again = (await temporaryVolume({ root })).volume;
    expect([mustOpen(again, "file").fileId, mustOpen(again, "folder").fileId, mustOpen(again).fileId]).toEqual(ids);
    expect(again.info.serialNumber).toBe(volume.info.serialNumber);
  });
});
