// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Channel, Dialect } from "../../../src/smb2/wire/constants.ts";
import { ServerHarness, statusOf } from "../../support/server-harness.ts";

describe("READ and WRITE", () => {
  const { SMB_2_0_2, SMB_2_1, SMB_3_0, SMB_3_1_1 } = Dialect;

  it.each([
    ["2.0.2", SMB_2_0_2, "STATUS_SUCCESS"],
    ["2.1", SMB_2_1, "STATUS_SUCCESS"],
    ["3.0", SMB_3_0, "STATUS_INVALID_PARAMETER"],
    ["3.1.1", SMB_3_1_1, "STATUS_INVALID_PARAMETER"],
  ])("in %s, with a channel that only RDMA has (MS-SMB2 2.2.19, 2.2.21)", async (_, dialect, expected) => {
    const tree = await (await ServerHarness.start()).mount("data", { negotiate: { dialects: [dialect] } });
    const file = await tree.createFile("file");
    await file.write(0, "content");
    const channel = { channel: Channel.RDMA_V1, channelInfo: Buffer.alloc(16) };
    expect(await statusOf(file.read(0, 7, channel))).toBe(expected);
    expect(await statusOf(file.write(0, "CONTENT", channel))).toBe(expected);
  });
});
