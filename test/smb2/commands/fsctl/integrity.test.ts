// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  ChecksumType,
  decodeGetIntegrityInformation,
  encodeSetIntegrityInformation,
  encodeSetIntegrityInformationEx,
} from "../../../../src/smb2/wire/fscc/integrity.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { CloningVolume } from "../../../support/cloning-volume.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile } from "../../../support/smb-client.ts";

function setting(checksumAlgorithm: number, flags = 0): Buffer {
  const writer = new Writer();
  encodeSetIntegrityInformation(writer, { checksumAlgorithm, flags });
  return writer.view();
}

function settingEx(enableIntegrity: boolean, version = 1, keepIntegrityStateUnchanged = false): Buffer {
  const writer = new Writer();
  encodeSetIntegrityInformationEx(writer, { enableIntegrity, keepIntegrityStateUnchanged, flags: 0, version });
  return writer.view();
}

describe("integrity information", () => {
  let file: SmbFile;
  const set = (input: Buffer) => statusOf(file.ioctl(Fsctl.SET_INTEGRITY_INFORMATION, input));
  const setEx = (input: Buffer) => statusOf(file.ioctl(Fsctl.SET_INTEGRITY_INFORMATION_EX, input));

  beforeEach(async () => {
    const tree = await (await ServerHarness.start({ volume: new CloningVolume() })).mount();
    file = await tree.createFile("file");
  });

  it("says that there are no checksums, and how large a block is", async () => {
    const output = await file.ioctl(Fsctl.GET_INTEGRITY_INFORMATION, undefined, { maxOutputResponse: 16 });
    expect(decodeGetIntegrityInformation(new Reader(output))).toEqual({
      checksumAlgorithm: ChecksumType.NONE,
      flags: 0,
      checksumChunkSize: 0,
      clusterSize: 4096,
    });
    const short = file.ioctl(Fsctl.GET_INTEGRITY_INFORMATION, undefined, { maxOutputResponse: 15 });
    expect(await statusOf(short)).toBe("STATUS_INVALID_PARAMETER");
  });

  it("agrees to have none, and to nothing else", async () => {
    expect(await set(setting(ChecksumType.NONE))).toBe("STATUS_SUCCESS");
    expect(await set(setting(ChecksumType.UNCHANGED))).toBe("STATUS_SUCCESS");
    expect(await set(setting(ChecksumType.CRC32))).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await set(setting(ChecksumType.CRC64, 1))).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await set(setting(3))).toBe("STATUS_INVALID_PARAMETER");
    expect(await set(setting(ChecksumType.NONE, 1))).toBe("STATUS_INVALID_PARAMETER");
    expect(await set(setting(ChecksumType.NONE, 2))).toBe("STATUS_INVALID_PARAMETER");
    expect(await set(setting(ChecksumType.NONE).subarray(0, 7))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("takes the extended form", async () => {
    expect(await setEx(settingEx(false))).toBe("STATUS_SUCCESS");
    expect(await setEx(settingEx(true, 1, true))).toBe("STATUS_SUCCESS");
    expect(await setEx(settingEx(true))).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await setEx(settingEx(false, 2))).toBe("STATUS_INVALID_PARAMETER");
    expect(await setEx(settingEx(false).subarray(0, 15))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("is unknown to a volume that does not clone", async () => {
    file = await (await (await ServerHarness.start()).mount()).createFile("file");
    for (const code of [Fsctl.GET_INTEGRITY_INFORMATION, Fsctl.SET_INTEGRITY_INFORMATION]) {
      const status = statusOf(file.ioctl(code, setting(0), { maxOutputResponse: 16 }));
      expect(await status).toBe("STATUS_INVALID_DEVICE_REQUEST");
    }
  });
});
