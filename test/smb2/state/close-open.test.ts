// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import { CreateOption } from "../../../src/smb2/wire/constants.ts";
import { MemoryFile } from "../../../src/vfs/memory/memory-file.ts";
import { ServerHarness, statusOf } from "../../support/server-harness.ts";

describe("closing a handle", () => {
  it("lets the file go where its stream cannot be deleted", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("file:stream", "x");
    const removing = vi.spyOn(MemoryFile.prototype, "removeStream").mockImplementation(() => {
      throw new SmbError(NtStatus.IO_DEVICE_ERROR);
    });
    onTestFinished(() => removing.mockRestore());
    const stream = await tree.create("file:stream", { createOptions: CreateOption.DELETE_ON_CLOSE });
    expect(await statusOf(stream.close())).toBe("STATUS_IO_DEVICE_ERROR");
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
    expect((await tree.get("file:stream")).toString()).toBe("x");
  });
});
