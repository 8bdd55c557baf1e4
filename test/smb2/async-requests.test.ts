// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { SmbError } from "../../src/nt/status.ts";
import { AsyncRequests, strand } from "../../src/smb2/async-requests.ts";
import type { Request } from "../../src/smb2/request.ts";
import { Command, HeaderFlag } from "../../src/smb2/wire/constants.ts";
import type { Header } from "../../src/smb2/wire/header.ts";

interface Options {
  readonly messageId?: bigint;
  readonly sessionId?: bigint;
  readonly isLast?: boolean;
  readonly command?: number;
  readonly frameLength?: number;
}

/** As much of a request as the table looks at. */
function request(options: Options = {}) {
  const { messageId = 1n, sessionId = 7n, isLast = true, command = Command.CHANGE_NOTIFY, frameLength = 120 } = options;
  const connection = { isClosed: true };
  const channels = new Map<object, object>([[connection, {}]]);
  const parts = {
    header: { command, messageId, sessionId },
    chain: { isLast, frameLength },
    connection,
    asyncId: 0n,
    asyncKey: 0n,
    cancelled: 0,
    isWaiting: true,
    hasSession: true,
    outlivesChannel: false,
    session: { state: "valid", channels, stranded: new Set<object>() },
    cancel() {
      parts.cancelled++;
    },
  };
  return { parts, request: parts as unknown as Request };
}

function cancelHeader(fields: Partial<Header>): Header {
  return { flags: 0, asyncId: 0n, messageId: 0n, sessionId: 7n, ...fields } as Header;
}

describe("AsyncRequests", () => {
  it("gives each request an id of its own, which the client hears of where it is the last of its frame", () => {
    const table = new AsyncRequests(10);
    const [inner, last] = [request({ isLast: false }), request()];
    table.add(inner.request);
    table.add(last.request);
    expect([inner.parts.asyncId, inner.parts.asyncKey]).toEqual([0n, 1n]);
    expect([last.parts.asyncId, last.parts.asyncKey]).toEqual([2n, 2n]);
  });

  it("holds so many at most", () => {
    const table = new AsyncRequests(1);
    const [first, second] = [request(), request()];
    table.add(first.request);
    expect(() => table.add(second.request)).toThrow(SmbError);
    expect(second.parts.asyncKey).toBe(0n);
    table.remove(first.request);
    table.add(second.request);
    expect(second.parts.asyncKey).toBe(2n);
  });

  it.each([
    ["CHANGE_NOTIFY", 65_536, true],
    ["CHANGE_NOTIFY", 65_537, false],
    ["LOCK", 65_537, false],
    ["READ", 65_537, false],
    ["WRITE", 8 << 20, true],
    ["CREATE", 65_537, true],
  ] as const)("keeps a %s in a frame of %d bytes: %s", (name, frameLength, expected) => {
    const table = new AsyncRequests(10);
    const { request: long } = request({ command: Command[name], frameLength });
    if (expected) table.add(long);
    else expect(() => table.add(long)).toThrow(SmbError);
    expect(long.asyncKey).toBe(expected ? 1n : 0n);
  });

  it("counts those that wait for something else", () => {
    const table = new AsyncRequests(10);
    const [slow, waiting] = [request(), request()];
    slow.parts.isWaiting = false;
    table.add(slow.request);
    table.add(waiting.request);
    expect(table.waiting).toBe(1);
    table.remove(waiting.request);
    expect(table.waiting).toBe(0);
  });

  it.each([
    ["its async id", { flags: HeaderFlag.ASYNC_COMMAND, asyncId: 2n, messageId: 10n }, [0, 1]],
    ["its message id", { messageId: 10n }, [1, 0]],
    ["no id that there is", { messageId: 12n }, [0, 0]],
    ["the id of another session's request", { messageId: 10n, sessionId: 8n }, [0, 0]],
  ])("cancels what a CANCEL names by %s", (_, fields, expected) => {
    const table = new AsyncRequests(10);
    const both = [request({ messageId: 10n }), request({ messageId: 11n })];
    for (const { request } of both) table.add(request);
    table.cancel(cancelHeader(fields));
    expect(both.map(({ parts }) => parts.cancelled)).toEqual(expected);
  });

  it("cancels what a test selects", () => {
    const table = new AsyncRequests(10);
    const both = [request({ sessionId: 7n }), request({ sessionId: 8n })];
    for (const { request } of both) table.add(request);
    table.cancelWhere(({ header }) => header.sessionId === 8n);
    expect(both.map(({ parts }) => parts.cancelled)).toEqual([0, 1]);
  });

  it("takes a request that has ended from its session", () => {
    const table = new AsyncRequests(10);
    const { parts, request: stranded } = request();
    parts.outlivesChannel = true;
    parts.session.stranded.add(parts);
    table.add(stranded);
    table.remove(stranded);
    expect(parts.session.stranded.size).toBe(0);
  });
});

describe("strand", () => {
  it.each([
    ["with another connection", true, true, false, "valid"],
    ["whose other connection is gone, too", false, true, true, "valid"],
    ["that ends", false, true, false, "closing"],
    ["where it needs its own", false, false, false, "valid"],
  ])("leaves a request to a session %s: %s", (_, expected, outlivesChannel, isClosed, state) => {
    const { parts, request: lost } = request();
    parts.outlivesChannel = outlivesChannel;
    parts.session.state = state;
    expect(strand(lost)).toBe(false);
    parts.session.channels.set({ isClosed }, {});
    expect(strand(lost)).toBe(expected);
    expect(parts.session.stranded.has(parts)).toBe(expected);
  });
});
