// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";
import {
  decodeQueryFileRegionsOutput,
  encodeQueryFileRegionsInput,
  FileRegionUsage,
} from "../../../../src/smb2/wire/fscc/sparse.ts";
import { Fsctl } from "../../../../src/smb2/wire/fsctl.ts";
import { ServerHarness, statusOf } from "../../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../../support/smb-client.ts";

function input(offset: bigint, length: bigint, desiredUsage: number = FileRegionUsage.VALID_CACHED_DATA): Buffer {
  const writer = new Writer();
  encodeQueryFileRegionsInput(writer, { offset, length, desiredUsage });
  return writer.view();
}

describe("FSCTL_QUERY_FILE_REGIONS", () => {
  let tree: SmbTree;
  let file: SmbFile;

  beforeEach(async () => {
    tree = await (await ServerHarness.start()).mount();
    await tree.put("file", Buffer.alloc(5000, 1));
    file = await tree.create("file");
  });

  const query = (data?: Buffer, of = file, maxOutputResponse = 40) =>
    of.ioctl(Fsctl.QUERY_FILE_REGIONS, data, { maxOutputResponse });
  const regions = async (data?: Buffer, of = file) =>
    decodeQueryFileRegionsOutput(new Reader(await query(data, of))).regions;

  it("tells that all data up to the end of the file are valid", async () => {
    const usage = FileRegionUsage.VALID_CACHED_DATA;
    expect(await regions()).toEqual([{ offset: 0, length: 5000, usage }]);
    expect(await regions(input(1000n, 100n))).toEqual([{ offset: 1000, length: 100, usage }]);
    const noncached = FileRegionUsage.VALID_NONCACHED_DATA;
    expect(await regions(input(4000n, 4000n, noncached))).toEqual([{ offset: 4000, length: 1000, usage: noncached }]);
  });

  it("answers with nothing behind the end, and with an empty region for an empty file", async () => {
    expect(await query(input(5000n, 1n))).toHaveLength(0);
    expect(await query(input(6000n, 1n))).toHaveLength(0);
    expect(await regions(undefined, await tree.createFile("empty"))).toEqual([{ offset: 0, length: 0, usage: 0 }]);
  });

  it.each([
    ["a length of nothing", input(0n, 0n)],
    ["a negative length", input(0n, -1n)],
    ["a negative offset", input(-1n, 10n)],
    ["a range beyond 63 bits", input(0x7fff_ffff_ffff_ffffn, 1n)],
    ["no usage", input(0n, 1n, 0)],
    ["an unknown usage", input(0n, 1n, 4)],
  ])("refuses %s", async (_, data) => {
    expect(await statusOf(query(data))).toBe("STATUS_INVALID_PARAMETER");
  });

  it("refuses short buffers and directories", async () => {
    expect(await statusOf(query(input(0n, 1n).subarray(0, 23)))).toBe("STATUS_BUFFER_TOO_SMALL");
    expect(await statusOf(query(undefined, file, 39))).toBe("STATUS_BUFFER_TOO_SMALL");
    expect(await statusOf(query(undefined, await tree.createDirectory("dir")))).toBe("STATUS_INVALID_PARAMETER");
  });
});
