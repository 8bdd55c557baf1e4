// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { NtStatus, SmbError } from "../../../src/nt/status.ts";
import { CreateDisposition } from "../../../src/smb2/wire/constants.ts";
import {
  decodeMaximalAccessResponse,
  maximalAccessRequestContext,
} from "../../../src/smb2/wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../../../src/smb2/wire/create-contexts.ts";
import { MemoryStream } from "../../../src/vfs/memory/memory-stream.ts";
import { cut, durable, guid, mountAs, reconnect } from "../../support/durable-client.ts";
import { ServerHarness, statusOf } from "../../support/server-harness.ts";

describe("a CREATE whose response cannot be made", () => {
  it("leaves neither handle nor file behind", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("file", "x");
    const failing = () => {
      throw new SmbError(NtStatus.IO_DEVICE_ERROR);
    };
    // Only what is said of a named stream asks for its size.
    const size = vi.spyOn(MemoryStream.prototype, "size").mockImplementation(failing);
    onTestFinished(() => size.mockRestore());
    const request = { createDisposition: CreateDisposition.OPEN_IF, shareAccess: 0 };
    expect(await tree.tryCreate("file:stream", request)).toBe(NtStatus.IO_DEVICE_ERROR);
    expect(harness.server.fileTable(harness.volume).size).toBe(0);
    size.mockRestore();
    expect(await tree.tryCreate("file:stream")).toBe(NtStatus.OBJECT_NAME_NOT_FOUND);
    expect(harness.errors).toEqual([]);
  });

  it("takes up no durable handle", async () => {
    const harness = await ServerHarness.start();
    const tree = await mountAs(harness, 1);
    await tree.put("file", "content");
    const file = await tree.create("file", durable.v2(guid(9)));
    await cut(tree);
    const again = await mountAs(harness, 1);
    const malformed = [{ name: CreateContextName.QUERY_MAXIMAL_ACCESS, data: Buffer.alloc(4) }];
    expect(await statusOf(reconnect.v2(again, file, guid(9), 0, malformed))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(reconnect.v2(again, file, guid(9)))).toBe("STATUS_SUCCESS");
  });
});

describe("the maximal access in a CREATE response (MS-SMB2 3.3.5.9.5)", () => {
  it("is left out for a client that knows the ChangeTime, which tells of other rights too", async () => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("file", "x");
    harness.clock.advance(10_000);
    const { file } = harness.volume.open(["file"]) as Awaited<ReturnType<typeof harness.volume.open>> & object;
    await file.setSecurity(await file.security());
    await file.close();

    const ask = async (since?: bigint) => {
      const opened = await tree.create("file", { contexts: [maximalAccessRequestContext(since)] });
      const data = findCreateContext(opened.response.contexts, CreateContextName.QUERY_MAXIMAL_ACCESS);
      await opened.close();
      return data === undefined ? undefined : decodeMaximalAccessResponse(data);
    };
    const { lastWriteTime, changeTime } = (await tree.create("file")).response;
    expect(changeTime).toBeGreaterThan(lastWriteTime);
    const told = { queryStatus: NtStatus.SUCCESS, maximalAccess: Access.FILE_ALL };
    expect(await ask()).toEqual(told);
    expect(await ask(0n)).toEqual(told);
    expect(await ask(lastWriteTime)).toEqual(told);
    expect(await ask(changeTime)).toEqual({ queryStatus: NtStatus.NONE_MAPPED, maximalAccess: 0 });
  });
});
