// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { OplockLevel } from "../../../src/smb2/wire/constants.ts";
import { decodeOplockBreakResponse } from "../../../src/smb2/wire/oplock-break.ts";
import { LeaseClient } from "../../support/lease-client.ts";
import { ServerHarness } from "../../support/server-harness.ts";
import { requests } from "../../support/smb-requests.ts";

const { NONE, II, EXCLUSIVE, BATCH } = OplockLevel;

describe("what may be cached beside byte-range locks (MS-FSA 2.1.5.18)", () => {
  it.each([
    ["is everything where they begin behind the space of the file", 1 << 30, "R", II],
    ["is nothing where they begin in it", 0, "", NONE],
  ])("%s", async (_, offset, leased, level) => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("file", "content");
    await (await tree.create("file")).lock(offset, 10);
    const client = await LeaseClient.mount(harness);
    expect(await client.open("file", { key: 1, state: "R" })).toMatchObject({ state: leased });
    const other = await harness.mount();
    const oplocked = await other.create("file", { requestedOplockLevel: II });
    expect(oplocked.response.oplockLevel).toBe(level);
  });
});

describe("the acknowledgment of an oplock break (MS-SMB2 3.3.5.22.1)", () => {
  it.each([
    ["batch", BATCH, II, II],
    ["batch", BATCH, NONE, NONE],
    ["batch", BATCH, EXCLUSIVE, NONE],
    ["batch", BATCH, BATCH, "STATUS_INVALID_OPLOCK_PROTOCOL"],
    ["batch", BATCH, OplockLevel.LEASE, "STATUS_INVALID_PARAMETER"],
    ["exclusive", EXCLUSIVE, II, II],
    ["exclusive", EXCLUSIVE, EXCLUSIVE, "STATUS_INVALID_OPLOCK_PROTOCOL"],
    ["exclusive", EXCLUSIVE, BATCH, "STATUS_INVALID_OPLOCK_PROTOCOL"],
  ])("of a %s oplock (%i) with level %i: %s", async (_, held, level, expected) => {
    const harness = await ServerHarness.start();
    const tree = await harness.mount();
    await tree.put("file", "x");
    const file = await tree.create("file", { requestedOplockLevel: held });
    const other = await harness.mount();
    const waiting = other.submit(requests.create("file"));
    await waiting.pending;
    const reply = await tree.exchange(
      requests.oplockBreak({ kind: "oplock", oplockLevel: level, fileId: file.fileId }),
    );
    if (typeof expected === "string") expect(statusName(reply.status)).toBe(expected);
    else expect(decodeOplockBreakResponse(reply.reader)).toMatchObject({ kind: "oplock", oplockLevel: expected });
    expect(statusName((await waiting.reply).status)).toBe("STATUS_SUCCESS");
  });
});
