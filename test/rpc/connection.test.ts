// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NtStatus, SmbError } from "../../src/nt/status.ts";
import { PduType, uuidToBytes, uuidToText } from "../../src/rpc/dcerpc.ts";
import { NdrReader, NdrWriter } from "../../src/rpc/ndr.ts";
import type { NamedPipe } from "../../src/rpc/pipe.ts";
import {
  administrator,
  alice,
  bind,
  bindPdu,
  call,
  decodeBindAck,
  hex,
  LSARPC,
  NDR,
  NDR64,
  openPipe,
  pdu,
  readMessage,
  readResponse,
  requestPdu,
  SRVSVC,
  service,
} from "./rpc-client.ts";

function serverGetInfo(level = 100): Buffer {
  const stub = new NdrWriter();
  stub.uniqueString("\\\\server");
  stub.u32(level);
  return Buffer.from(stub.view());
}

/** Reads a message and gives its type and, of a fault or a bind_nak, its reason. */
function outcome(pipe: NamedPipe) {
  const message = readMessage(pipe);
  const type = message.readUInt8(2);
  if (type === PduType.FAULT) return { type, status: message.readUInt32LE(24), flags: message.readUInt8(3) };
  if (type === PduType.BIND_NAK) return { type, reason: message.readUInt16LE(16) };
  return { type };
}

function status(action: () => unknown): number | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof SmbError) return error.status;
    throw error;
  }
}

const features = (bits: string) => ({ uuid: `6cb71c2c-9812-4540-${bits}00-000000000000`, version: 1 });

describe("UUIDs", () => {
  it("are little-endian in their first three fields", () => {
    const bytes = hex("c84f324b7016d30112785a47bf6ee188");
    expect(uuidToText(bytes)).toBe(SRVSVC.uuid);
    expect(uuidToBytes(SRVSVC.uuid)).toEqual(bytes);
  });
});

describe("pipes", () => {
  it("are found by name without regard to case", () => {
    expect(service().open("SrvSvc", alice)).toBeDefined();
    expect(service().open("spoolss", alice)).toBeUndefined();
  });

  it("have nothing to read before a request, and nothing at all after close", () => {
    const pipe = openPipe("srvsvc");
    expect(pipe.read(100)).toBeUndefined();
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, serverGetInfo()));
    pipe.close();
    expect(status(() => pipe.read(100))).toBe(NtStatus.PIPE_DISCONNECTED);
    expect(status(() => pipe.write(Buffer.alloc(1)))).toBe(NtStatus.PIPE_DISCONNECTED);
    pipe.close();
  });
});

describe("bind", () => {
  it("accepts NDR, refuses NDR64 and answers the feature negotiation, as Windows clients ask", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(
      bindPdu([
        { id: 0, abstract: SRVSVC, transfers: [NDR] },
        { id: 1, abstract: SRVSVC, transfers: [NDR64] },
        { id: 2, abstract: SRVSVC, transfers: [features("03")] },
      ]),
    );
    const message = readMessage(pipe);
    const ack = decodeBindAck(message);
    expect(ack.results.map(({ result, reason }) => [result, reason])).toEqual([
      [0, 0],
      [2, 2],
      // Security context multiplexing is not offered; keeping the connection after an orphaned PDU is.
      [3, 2],
    ]);
    expect(ack.results.map(({ transfer }) => transfer.toString("hex"))).toEqual([
      "045d888aeb1cc9119fe808002b10486002000000",
      "00".repeat(20),
      "00".repeat(20),
    ]);
    expect(ack.end).toBe(message.length);
    expect(call(pipe, 21, serverGetInfo()).u32()).toBe(100);
  });

  it("picks NDR among several syntaxes of one context", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(bindPdu([{ id: 7, abstract: SRVSVC, transfers: [NDR64, NDR] }]));
    expect(decodeBindAck(readMessage(pipe)).results).toMatchObject([{ result: 0 }]);
    pipe.write(requestPdu(21, serverGetInfo(), { contextId: 7 }));
    expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
  });

  it.each([
    ["an unknown interface", { ...SRVSVC, uuid: "367abb81-9844-35f1-ad32-98f038001003" }],
    ["an interface of another pipe", LSARPC],
    ["another major version", { ...SRVSVC, version: 4 }],
    ["a later minor version", { ...SRVSVC, version: 0x0001_0003 }],
  ])("rejects %s", (_name, abstract) => {
    const pipe = openPipe("srvsvc");
    pipe.write(bindPdu([{ id: 0, abstract, transfers: [NDR] }]));
    expect(decodeBindAck(readMessage(pipe)).results).toMatchObject([{ result: 2, reason: 1 }]);
    pipe.write(requestPdu(15, Buffer.alloc(0)));
    expect(outcome(pipe)).toMatchObject({ type: PduType.FAULT, status: 0x1c010003 });
  });

  it("negotiates fragment sizes down to what both sides take", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(bindPdu([{ id: 0, abstract: SRVSVC, transfers: [NDR] }], { transmit: 65_535, receive: 2000 }));
    expect(decodeBindAck(readMessage(pipe))).toMatchObject({ transmit: 2000, receive: 5840 });
  });

  it.each([
    ["an authentication verifier", bindPdu([], { authLength: 16 }), 8],
    ["fragments that are too small", bindPdu([], { receive: 100 }), 0],
  ])("with %s gets bind_nak, and another bind may follow", (_name, request, reason) => {
    const pipe = openPipe("srvsvc");
    pipe.write(request);
    expect(outcome(pipe)).toEqual({ type: PduType.BIND_NAK, reason });
    expect(bind(pipe, SRVSVC).results).toMatchObject([{ result: 0 }]);
  });

  it("of another protocol version gets bind_nak", () => {
    const pipe = openPipe("srvsvc");
    const request = bindPdu([]);
    request.writeUInt8(4, 0);
    pipe.write(request);
    expect(outcome(pipe)).toEqual({ type: PduType.BIND_NAK, reason: 4 });
  });

  it("is a protocol error the second time", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(bindPdu([]));
    expect(outcome(pipe)).toMatchObject({ type: PduType.FAULT, status: 0x1c01000b });
    expect(status(() => pipe.write(bindPdu([])))).toBe(NtStatus.PIPE_DISCONNECTED);
    expect(status(() => pipe.read(1))).toBe(NtStatus.PIPE_DISCONNECTED);
  });

  it("bounds the contexts of one pipe", () => {
    const pipe = openPipe("srvsvc");
    const contexts = Array.from({ length: 40 }, (_, id) => ({ id, abstract: SRVSVC, transfers: [NDR] }));
    pipe.write(bindPdu(contexts));
    const results = decodeBindAck(readMessage(pipe)).results;
    expect(results.slice(0, 32).every(({ result }) => result === 0)).toBe(true);
    expect(results.slice(32).every(({ result, reason }) => result === 2 && reason === 3)).toBe(true);
  });
});

describe("alter_context", () => {
  it("adds a context", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(bindPdu([{ id: 5, abstract: SRVSVC, transfers: [NDR] }], { type: PduType.ALTER_CONTEXT }));
    const ack = decodeBindAck(readMessage(pipe));
    expect(ack).toMatchObject({ type: PduType.ALTER_CONTEXT_RESP, address: "", results: [{ result: 0 }] });
    pipe.write(requestPdu(21, serverGetInfo(), { contextId: 5 }));
    expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
  });

  it("before a bind is a protocol error", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(bindPdu([], { type: PduType.ALTER_CONTEXT }));
    expect(outcome(pipe)).toMatchObject({ status: 0x1c01000b });
  });

  it("with an authentication verifier is refused, and the pipe stays usable", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(bindPdu([], { type: PduType.ALTER_CONTEXT, authLength: 8 }));
    expect(outcome(pipe)).toMatchObject({ status: 5 });
    expect(call(pipe, 21, serverGetInfo()).u32()).toBe(100);
  });
});

describe("requests", () => {
  it("echo call_id and context", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, serverGetInfo(), { callId: 0xdeadbeef }));
    const message = readMessage(pipe);
    expect(message.readUInt32LE(12)).toBe(0xdeadbeef);
    expect(message.readUInt32LE(16)).toBe(message.length - 24);
    expect(message.readUInt8(3)).toBe(3);
  });

  it("take an object UUID", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, Buffer.concat([Buffer.alloc(16, 0xaa), serverGetInfo()]), { flags: 0x83 }));
    expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
  });

  it.each([
    ["an unknown opnum", requestPdu(999, Buffer.alloc(0)), 0x1c010002, 0x23],
    ["an unknown context", requestPdu(21, serverGetInfo(), { contextId: 3 }), 0x1c010003, 0x23],
    ["a stub that does not decode", requestPdu(21, Buffer.from([1, 2, 3])), 0x6f7, 0x23],
    ["an authentication verifier", requestPdu(21, serverGetInfo(), { authLength: 16 }), 5, 0x23],
  ])("with %s get a fault, and the pipe stays usable", (_name, request, fault, flags) => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(request);
    expect(outcome(pipe)).toEqual({ type: PduType.FAULT, status: fault, flags });
    expect(call(pipe, 21, serverGetInfo()).u32()).toBe(100);
  });

  it("before a bind are a protocol error", () => {
    const pipe = openPipe("srvsvc");
    pipe.write(requestPdu(21, serverGetInfo()));
    expect(outcome(pipe)).toMatchObject({ status: 0x1c01000b });
  });

  it("flagged maybe get no answer", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, serverGetInfo(), { flags: 0x43 }));
    pipe.write(requestPdu(999, Buffer.alloc(0), { flags: 0x43 }));
    expect(pipe.read(100)).toBeUndefined();
  });

  it("let bugs of the environment through", () => {
    const shares = () => {
      throw new RangeError("a bug");
    };
    const pipe = openPipe("srvsvc", alice, service({ shares }));
    bind(pipe, SRVSVC);
    const stub = new NdrWriter();
    stub.u32(0);
    for (const value of [1, 1, 0, 0xffffffff, 0]) stub.u32(value);
    expect(() => pipe.write(requestPdu(15, Buffer.from(stub.view())))).toThrow(RangeError);
  });
});

describe("fragmentation", () => {
  const stub = serverGetInfo();
  const pieces = (sizes: readonly number[]): Buffer[] => {
    let at = 0;
    return sizes.map((size, index) => {
      const part = stub.subarray(at, index === sizes.length - 1 ? undefined : at + size);
      at += size;
      const flags = (index === 0 ? 1 : 0) | (index === sizes.length - 1 ? 2 : 0);
      return requestPdu(21, part, { flags });
    });
  };

  it("puts a request together", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    const [first, second, third] = pieces([8, 0, 16]);
    for (const fragment of [first, second, third]) {
      expect(pipe.read(100)).toBeUndefined();
      if (fragment !== undefined) pipe.write(fragment);
    }
    expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
  });

  it("takes octets in any pieces, and several PDUs at once", () => {
    const stream = Buffer.concat([
      bindPdu([{ id: 0, abstract: SRVSVC, transfers: [NDR] }]),
      ...pieces([8, 16]),
      requestPdu(21, stub, { callId: 2 }),
    ]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 80 })), (sizes) => {
        const pipe = openPipe("srvsvc");
        let at = 0;
        for (const size of sizes) {
          pipe.write(Buffer.from(stream.subarray(at, at + size)));
          at += size;
        }
        pipe.write(Buffer.from(stream.subarray(at)));
        expect(decodeBindAck(readMessage(pipe)).results).toMatchObject([{ result: 0 }]);
        expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
        expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
        expect(pipe.read(1)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it("does not keep a view of what was written", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    for (const fragment of pieces([8, 16])) {
      for (const part of [fragment.subarray(0, 20), fragment.subarray(20)]) {
        const receive = Buffer.from(part);
        pipe.write(receive);
        receive.fill(0xff);
      }
    }
    expect(readResponse(pipe).readUInt32LE(0)).toBe(100);
  });

  it("cuts answers at the client's fragment size, all but the last at a multiple of 8", () => {
    const shares = Array.from({ length: 200 }, (_, index) => ({
      name: `share${index}`,
      comment: "",
      type: 0,
      path: "",
      currentUsers: 0,
    }));
    const pipe = openPipe("srvsvc", alice, service({ shares: () => shares }));
    pipe.write(bindPdu([{ id: 0, abstract: SRVSVC, transfers: [NDR] }], { receive: 1433 }));
    readMessage(pipe);
    const request = new NdrWriter();
    request.u32(0);
    for (const value of [1, 1, 0, 0xffffffff, 0]) request.u32(value);
    pipe.write(requestPdu(15, Buffer.from(request.view())));

    const fragments: Buffer[] = [];
    do fragments.push(readMessage(pipe));
    while (((fragments.at(-1)?.readUInt8(3) ?? 0) & 2) === 0);
    expect(fragments.length).toBeGreaterThan(5);
    expect(fragments.map((fragment) => fragment.readUInt8(3))).toEqual([
      1,
      ...Array.from({ length: fragments.length - 2 }, () => 0),
      2,
    ]);
    let remaining = fragments.reduce((sum, fragment) => sum + fragment.length - 24, 0);
    for (const fragment of fragments) {
      expect(fragment.readUInt16LE(8)).toBe(fragment.length);
      expect(fragment.length).toBeLessThanOrEqual(1433);
      expect(fragment.readUInt32LE(16)).toBe(remaining);
      remaining -= fragment.length - 24;
      if (remaining > 0) expect((fragment.length - 24) % 8).toBe(0);
    }
    const stubs = new NdrReader(Buffer.concat(fragments.map((fragment) => fragment.subarray(24))));
    expect([stubs.u32(), stubs.u32(), stubs.u32() !== 0, stubs.u32()]).toEqual([1, 1, true, 200]);
  });

  it("reads a message in parts", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, stub));
    pipe.write(requestPdu(21, stub, { callId: 2 }));
    const first = pipe.read(24);
    expect(first?.data.length).toBe(24);
    expect(first?.more).toBe(true);
    const second = pipe.read(10_000);
    expect(second?.more).toBe(false);
    expect((first?.data.length ?? 0) + (second?.data.length ?? 0)).toBe(first?.data.readUInt16LE(8));
    expect(readMessage(pipe, 1).readUInt32LE(12)).toBe(2);
    expect(pipe.read(1)).toBeUndefined();
  });

  it("forgets an orphaned call", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    pipe.write(requestPdu(21, stub.subarray(0, 8), { flags: 1, callId: 9 }));
    pipe.write(pdu({ type: PduType.CANCEL, callId: 9 }, Buffer.alloc(0)));
    pipe.write(pdu({ type: PduType.ORPHANED, callId: 9 }, Buffer.alloc(0)));
    expect(call(pipe, 21, stub).u32()).toBe(100);
  });

  it.each([
    ["a middle fragment first", [requestPdu(21, stub, { flags: 0 })]],
    ["two first fragments", [requestPdu(21, stub, { flags: 1 }), requestPdu(21, stub, { flags: 1 })]],
    ["another call's fragment", [requestPdu(21, stub, { flags: 1 }), requestPdu(21, stub, { flags: 2, callId: 7 })]],
    ["a response", [pdu({ type: PduType.RESPONSE }, Buffer.alloc(8))]],
    ["a PDU of an unknown type", [pdu({ type: 99 }, Buffer.alloc(8))]],
  ])("%s ends the association with a fault", (_name, fragments) => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    for (const fragment of fragments) pipe.write(fragment);
    expect(outcome(pipe)).toMatchObject({ type: PduType.FAULT, status: 0x1c01000b });
    expect(status(() => pipe.write(Buffer.alloc(16)))).toBe(NtStatus.PIPE_DISCONNECTED);
  });
});

describe("limits", () => {
  it("end a request that grows too large", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    const part = Buffer.alloc(5816);
    let written = 0;
    let flags = 1;
    const write = () => {
      for (;;) {
        pipe.write(requestPdu(21, part, { flags }));
        written += part.length;
        flags = 0;
      }
    };
    expect(status(write)).toBe(NtStatus.PIPE_DISCONNECTED);
    expect(written).toBeGreaterThan(1024 * 1024);
    expect(written).toBeLessThan(1100 * 1024);
    expect(outcome(pipe)).toMatchObject({ type: PduType.FAULT, status: 5 });
  });

  it("end a pipe whose answers nobody reads", () => {
    const pipe = openPipe("srvsvc");
    bind(pipe, SRVSVC);
    const request = requestPdu(999, Buffer.alloc(0));
    const many = Buffer.concat(Array.from({ length: 1000 }, () => request));
    let rounds = 0;
    const write = () => {
      for (; rounds < 1000; rounds += 1) pipe.write(many);
    };
    expect(status(write)).toBe(NtStatus.INVALID_PARAMETER);
    expect(rounds).toBeLessThan(40);
  });

  it.each([
    ["a fragment longer than any may be", 65_535],
    ["a fragment shorter than its header", 15],
  ])("%s ends the pipe", (_name, length) => {
    const pipe = openPipe("srvsvc");
    const request = bindPdu([]);
    request.writeUInt16LE(length, 8);
    expect(status(() => pipe.write(request))).toBe(NtStatus.INVALID_PARAMETER);
    expect(status(() => pipe.write(bindPdu([])))).toBe(NtStatus.PIPE_DISCONNECTED);
  });

  it("refuse big-endian integers", () => {
    const request = bindPdu([]);
    request.writeUInt8(0, 4);
    expect(status(() => openPipe("srvsvc").write(request))).toBe(NtStatus.INVALID_PARAMETER);
  });
});

describe("association groups", () => {
  const openPolicy = hex("00000000 18000000 00000000 00000000 00000000 00000000 00000000 00000002");
  const queryDomain = (handle: Buffer) => Buffer.concat([handle, hex("0500")]);

  it("share context handles between pipes of one caller", () => {
    const pipes = service();
    const first = openPipe("lsarpc", alice, pipes);
    const { group } = bind(first, LSARPC);
    const handle = Buffer.from(call(first, 44, openPolicy).bytes(20));

    const second = openPipe("lsarpc", alice, pipes);
    expect(bind(second, LSARPC, group).group).toBe(group);
    first.close();
    expect(call(second, 7, queryDomain(handle)).u32()).not.toBe(0);

    const stranger = openPipe("lsarpc", administrator, pipes);
    expect(bind(stranger, LSARPC, group).group).not.toBe(group);
    stranger.write(requestPdu(7, queryDomain(handle)));
    expect(outcome(stranger)).toMatchObject({ status: 0x1c00001a });

    second.close();
    const late = openPipe("lsarpc", alice, pipes);
    expect(bind(late, LSARPC, group).group).not.toBe(group);
    late.write(requestPdu(7, queryDomain(handle)));
    expect(outcome(late)).toMatchObject({ status: 0x1c00001a });
  });
});

describe("hostile fragments", () => {
  const seeds = [
    bindPdu([{ id: 0, abstract: SRVSVC, transfers: [NDR, NDR64] }]),
    bindPdu([{ id: 1, abstract: SRVSVC, transfers: [features("ff")] }], { type: PduType.ALTER_CONTEXT }),
    requestPdu(21, serverGetInfo()),
    requestPdu(15, hex("00000000 01000000 01000000 00000200 00000000 00000000 ffffffff 00000000")),
    requestPdu(16, hex("00000000 05000000 00000000 05000000 6400610074006100 0000 0000 01000000")),
  ];

  it("give a status of the pipe or an answer, never another error, and never an answer with a wrong length", () => {
    const mutation = fc.record({ seed: fc.nat(seeds.length - 1), at: fc.nat(200), value: fc.nat(255) });
    fc.assert(
      fc.property(fc.boolean(), fc.array(mutation, { maxLength: 12 }), (bound, mutations) => {
        const pipe = openPipe("srvsvc");
        if (bound) bind(pipe, SRVSVC);
        for (const { seed, at, value } of mutations) {
          const fragment = Buffer.from(seeds[seed] ?? []);
          fragment[at % fragment.length] = value;
          const failure = status(() => pipe.write(fragment));
          expect([undefined, NtStatus.INVALID_PARAMETER, NtStatus.PIPE_DISCONNECTED]).toContain(failure);
        }
        for (;;) {
          let part: ReturnType<NamedPipe["read"]>;
          const failure = status(() => {
            part = pipe.read(65_536);
          });
          expect([undefined, NtStatus.PIPE_DISCONNECTED]).toContain(failure);
          if (part === undefined) break;
          expect(part.data.readUInt16LE(8)).toBe(part.data.length);
        }
      }),
      { numRuns: 500 },
    );
  });
});
