// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import {
  decodeMaximalAccessResponse,
  maximalAccessRequestContext,
} from "../../../src/smb2/wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../../../src/smb2/wire/create-contexts.ts";
import { ServerHarness } from "../../support/server-harness.ts";

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
