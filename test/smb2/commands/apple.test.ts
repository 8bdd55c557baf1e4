// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { allOperations } from "../../../src/offload/operations.ts";
import {
  AaplCapability,
  AaplQuery,
  type AaplServerReply,
  AaplVolumeCapability,
  aaplServerQueryContext,
  decodeAaplServerReply,
} from "../../../src/smb2/wire/aapl.ts";
import { type CreateContext, CreateContextName, findCreateContext } from "../../../src/smb2/wire/create-contexts.ts";
import { ServerHarness } from "../../support/server-harness.ts";
import type { SmbTree } from "../../support/smb-client.ts";

const EVERYTHING = AaplQuery.SERVER_CAPS | AaplQuery.VOLUME_CAPS | AaplQuery.MODEL_INFO;
/** What macOS says of itself. */
const MACOS = 0x3f;

describe("Apple's extensions", () => {
  let harness: ServerHarness;
  let tree: SmbTree;

  beforeEach(async () => {
    harness = await ServerHarness.start({ shares: { plain: { offload: { ...allOperations, copychunk: false } } } });
    tree = await harness.mount();
  });

  async function contextsFor(context: CreateContext): Promise<readonly CreateContext[]> {
    const file = await tree.create("", { contexts: [context] });
    await file.close();
    return file.response.contexts;
  }

  async function query(requested: number, capabilities: number): Promise<AaplServerReply> {
    const context = aaplServerQueryContext({
      requested: BigInt(requested),
      clientCapabilities: BigInt(capabilities),
    });
    const data = findCreateContext(await contextsFor(context), CreateContextName.AAPL);
    if (data === undefined) throw new Error("no answer");
    return decodeAaplServerReply(data);
  }

  it("grant macOS the copy of whole files and full sync, and nothing that is not there", async () => {
    expect(await query(EVERYTHING, MACOS)).toEqual({
      serverCapabilities: BigInt(AaplCapability.OSX_COPYFILE),
      volumeCapabilities: BigInt(AaplVolumeCapability.FULL_SYNC),
      model: "Tessera",
    });
  });

  it("grant a client only what it knows itself", async () => {
    expect((await query(EVERYTHING, MACOS & ~AaplCapability.OSX_COPYFILE)).serverCapabilities).toBe(0n);
  });

  it("grant no copies on a share without server-side copy", async () => {
    tree = await harness.mount("plain");
    expect((await query(EVERYTHING, MACOS)).serverCapabilities).toBe(0n);
  });

  it.each([
    [AaplQuery.SERVER_CAPS, ["serverCapabilities"]],
    [AaplQuery.VOLUME_CAPS, ["volumeCapabilities"]],
    [AaplQuery.MODEL_INFO, ["model"]],
    [8, []],
  ])("answer the question %i with no more than asked for", async (requested, parts) => {
    const reply = await query(requested, MACOS);
    expect(Object.entries(reply).flatMap(([part, value]) => (value === undefined ? [] : [part]))).toEqual(parts);
  });

  it("leave commands without an answer that are not offered", async () => {
    const data = Buffer.alloc(16);
    data.writeUInt32LE(2, 0);
    expect(await contextsFor({ name: CreateContextName.AAPL, data })).toEqual([]);
  });

  it("refuse a query of another length, and open nothing", async () => {
    const create = tree.tryCreate("new", {
      createDisposition: 2,
      contexts: [{ name: CreateContextName.AAPL, data: Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, 1]) }],
    });
    expect(await create).toBe(0xc000000d);
    expect(await tree.tryCreate("new")).toBe(0xc0000034);
  });

  it("do not show themselves to who does not ask", async () => {
    const file = await tree.create("");
    expect(file.response.contexts).toEqual([]);
  });
});
