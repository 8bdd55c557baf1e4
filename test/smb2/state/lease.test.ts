// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { CreateDisposition, LeaseBreakFlag, LeaseFlag } from "../../../src/smb2/wire/constants.ts";
import { LeaseClient, type Opening } from "../../support/lease-client.ts";
import { ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { requests } from "../../support/smb-requests.ts";

const ACKNOWLEDGMENT_TIMEOUT = 35_000;

describe("a lease", () => {
  let harness: ServerHarness;
  let first: LeaseClient;
  let second: LeaseClient;

  beforeEach(async () => {
    harness = await ServerHarness.start();
    first = await LeaseClient.mount(harness);
    second = await LeaseClient.mount(harness);
  });

  it.each([
    ["", ""],
    ["R", "R"],
    ["RH", "RH"],
    ["RW", "RW"],
    ["RWH", "RWH"],
    ["H", ""],
    ["W", ""],
    ["WH", ""],
  ])("is granted as asked for: %s → %s", async (asked, granted) => {
    const { state } = await first.open("file", { key: 1, state: asked });
    expect(state).toBe(granted);
  });

  it("breaks when another client opens the file, which waits for the acknowledgment", async () => {
    await first.open("file", { key: 1, state: "RWH", epoch: 7 });
    const opening = second.begin("file", { key: 1, state: "RWH", epoch: 7 });
    await opening.pending;
    expect(first.breaks).toEqual([{ key: 1, from: "RWH", to: "RH", epoch: 9, flags: LeaseBreakFlag.ACK_REQUIRED }]);
    expect(await first.acknowledge(1, "RH")).toBe("RH");
    expect(await opening.opened).toMatchObject({ state: "RH", epoch: 8 });
  });

  it("lets further opens with its key pass while it breaks, and tells them so", async () => {
    await first.open("file", { key: 1, state: "RWH" });
    const opening = second.begin("file", {});
    await opening.pending;
    const again = await first.open("file", { key: 1, state: "RWH" });
    expect(again).toMatchObject({ state: "RWH", flags: LeaseFlag.BREAK_IN_PROGRESS });
    await first.acknowledge(1, "R");
    await opening.opened;
  });

  it("belongs to one file", async () => {
    await first.open("file", { key: 1, state: "RH" });
    expect(await statusOf(first.open("other", { key: 1, state: "RH" }))).toBe("STATUS_INVALID_PARAMETER");
    expect(await statusOf(first.open("other", { disposition: CreateDisposition.OPEN }))).toBe(
      "STATUS_OBJECT_NAME_NOT_FOUND",
    );
    await second.open("other", { key: 1, state: "RH" });
  });

  it("is given up for a client that does not answer in time", async () => {
    await first.open("file", { key: 1, state: "RWH" });
    const opening = second.begin("file", { key: 2, state: "RWH" });
    await opening.pending;
    harness.clock.advance(ACKNOWLEDGMENT_TIMEOUT - 1);
    await settle();
    expect(opening.isDone).toBe(false);
    harness.clock.advance(1);
    expect(await opening.opened).toMatchObject({ state: "RH" });
    expect(await statusOf(first.acknowledge(1, "RH"))).toBe("STATUS_UNSUCCESSFUL");
  });

  it("ends with its last handle, and with its client", async () => {
    const file = await first.open("file", { key: 1, state: "RWH" });
    const opening = second.begin("file", { key: 2, state: "RWH" });
    await opening.pending;
    await file.file.close();
    expect(await opening.opened).toMatchObject({ state: "RWH" });
    expect(harness.server.leases.size).toBe(1);
    second.close();
    await settle();
    expect(harness.server.leases.size).toBe(0);
    expect(await first.open("file", { key: 3, state: "RWH" })).toMatchObject({ state: "RWH" });
  });

  it("is not acknowledged with more than was left, nor without a break", async () => {
    await first.open("file", { key: 1, state: "RWH" });
    expect(await statusOf(first.acknowledge(1, "RH"))).toBe("STATUS_UNSUCCESSFUL");
    expect(await statusOf(first.acknowledge(9, "RH"))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    const opening = second.begin("file", {});
    await opening.pending;
    expect(await statusOf(first.acknowledge(1, "RWH"))).toBe("STATUS_REQUEST_NOT_ACCEPTED");
    await first.acknowledge(1, "");
    await opening.opened;
  });

  it("loses its reads when another client writes", async () => {
    await first.open("file", { key: 1, state: "R" });
    await second.open("file", { key: 2, state: "RH" });
    const writer = await (await LeaseClient.mount(harness)).open("file", {});
    await writer.file.write(0, Buffer.from("x"));
    expect(first.breaks).toEqual([{ key: 1, from: "R", to: "", epoch: 2, flags: 0 }]);
    expect(second.breaks).toEqual([{ key: 2, from: "RH", to: "", epoch: 2, flags: LeaseBreakFlag.ACK_REQUIRED }]);
  });

  it("is told the end of its reads before another client's write is done, though it was just told to keep them", async () => {
    await first.open("file", { key: 1, state: "RH" });
    const writer = await (await LeaseClient.mount(harness)).open("file", {});
    const alone = second.begin("file", { request: { shareAccess: 0 } });
    await alone.pending;
    expect(first.breaks).toMatchObject([{ from: "RH", to: "R" }]);
    let written = false;
    const writing = writer.file.write(0, Buffer.from("x")).then(() => {
      written = true;
    });
    await settle();
    expect(written).toBe(false);
    await first.acknowledge(1, "R");
    await writing;
    expect(first.breaks.at(-1)).toMatchObject({ from: "R", to: "" });
    expect(await statusOf(alone.opened)).toBe("STATUS_SHARING_VIOLATION");
  });

  it("lets a deferred handle close before sharing is refused", async () => {
    const deferred = await first.open("file", { key: 1, state: "RWH" });
    const alone = second.begin("file", { request: { shareAccess: 0 } });
    await alone.pending;
    expect(first.breaks).toMatchObject([{ from: "RWH", to: "RW" }]);
    await deferred.file.close();
    await alone.opened;
  });

  describe("that somebody waits for", () => {
    let waiting: Opening;

    beforeEach(async () => {
      await first.open("file", { key: 1, state: "RWH" });
      waiting = second.begin("file", { key: 2, state: "RWH" });
      await waiting.pending;
    });

    const endings: readonly [string, string, () => unknown][] = [
      ["the CREATE is cancelled", "STATUS_CANCELLED", () => second.tree.session.connection.cancel(waiting.call)],
      ["its tree connect ends", "STATUS_NETWORK_NAME_DELETED", () => second.tree.disconnect()],
      ["its session ends", "STATUS_CANCELLED", () => second.tree.session.logOff()],
      ["its connection ends", "", () => second.close()],
    ];

    it.each(endings)("is not granted to a client when %s", async (_name, status, end) => {
      await end();
      await settle();
      await first.acknowledge(1, "RH");
      await settle();
      if (status !== "") expect(await statusOf(waiting.opened)).toBe(status);
      expect(harness.server.leases.size).toBe(1);
      expect(await first.open("file", { key: 1, state: "RWH" })).toMatchObject({ state: "RWH" });
      expect(harness.errors).toEqual([]);
    });

    it("goes with its client, and makes way", async () => {
      first.close();
      expect(await waiting.opened).toMatchObject({ state: "RWH" });
    });
  });

  it("keeps a rename waiting, which ends with its handle", async () => {
    await first.open("file", { key: 1, state: "RH" });
    const { file } = await second.open("file", { key: 2, state: "RH" });
    const body = Buffer.alloc(20);
    body.writeUInt32LE(8, 16);
    const renaming = file.exchange(
      requests.setInfo(file.fileId, 10, Buffer.concat([body, Buffer.from("name", "utf16le")])),
    );
    await settle();
    expect(first.breaks).toMatchObject([{ from: "RH", to: "R" }]);
    await file.close();
    expect(statusName((await renaming).status)).toBe("STATUS_FILE_CLOSED");
    await first.acknowledge(1, "R");
    await settle();
    expect(await statusOf(first.open("name", { disposition: CreateDisposition.OPEN }))).toBe(
      "STATUS_OBJECT_NAME_NOT_FOUND",
    );
  });
});
