// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../../src/auth/auth.ts";
import { PduType, uuidToBytes } from "../../src/rpc/dcerpc.ts";
import { NdrReader, type NdrWriter } from "../../src/rpc/ndr.ts";
import type {
  FileListing,
  NamedPipe,
  PipeService,
  RpcEnvironment,
  SessionListing,
  ShareListing,
} from "../../src/rpc/pipe.ts";
import { createPipeService } from "../../src/rpc/service.ts";

export const DOMAIN_SID = "S-1-5-21-1000-2000-3000";

export function identity(overrides: Partial<Identity> = {}): Identity {
  return {
    kind: "user",
    userName: "alice",
    domainName: "TESSERA",
    sid: `${DOMAIN_SID}-1001`,
    groups: ["S-1-1-0", "S-1-5-11", "S-1-5-2"],
    privileges: [],
    ...overrides,
  };
}

export const alice: Identity = identity();
export const administrator: Identity = identity({
  userName: "root",
  sid: `${DOMAIN_SID}-500`,
  groups: ["S-1-1-0", "S-1-5-11", "S-1-5-32-544"],
  privileges: ["SeSecurityPrivilege"],
});
export const anonymous: Identity = identity({ kind: "anonymous", userName: "", sid: "S-1-5-7", groups: ["S-1-1-0"] });

export const defaultShares: readonly ShareListing[] = [
  { name: "data", comment: "Data share", type: 0, path: "C:\\data", currentUsers: 2, flags: 0x800 },
  {
    name: "Übung",
    comment: "",
    type: 0x0200_0000,
    path: "C:\\uebung",
    currentUsers: 0,
    securityDescriptor: Buffer.from("01000480000000000000000000000000140000000200080000000000", "hex"),
  },
  { name: "IPC$", comment: "IPC Service", type: 0x8000_0003, path: "", currentUsers: 1 },
];

export const defaultSessions: readonly SessionListing[] = [
  { client: "192.0.2.7", userName: "alice", guest: false, opens: 2, connectedFor: 65_999, idleFor: 1000 },
  { client: "2001:db8::1", userName: "guest", guest: true, opens: 0, connectedFor: 3000, idleFor: -5 },
];

export const defaultFiles: readonly FileListing[] = [
  { id: 7, permissions: 3, locks: 2, path: "C:\\data\\dir\\file", userName: "alice" },
  { id: 0xffff_fff0, permissions: 1, locks: 0, path: "C:\\data2", userName: "" },
];

const accounts = [
  { sid: `${DOMAIN_SID}-1001`, name: "alice", domain: "TESSERA", type: 1 },
  { sid: `${DOMAIN_SID}-513`, name: "users", domain: "TESSERA", type: 2 },
  { sid: "S-1-5-32-544", name: "Administrators", domain: "BUILTIN", type: 4 },
  { sid: "S-1-1-0", name: "Everyone", domain: "", type: 5 },
];

export function environment(overrides: Partial<RpcEnvironment> = {}): RpcEnvironment {
  return {
    serverName: "TESSERA",
    domainName: "WORKGROUP",
    comment: "A file server",
    domainSid: DOMAIN_SID,
    shares: () => defaultShares,
    sessions: () => defaultSessions,
    openFiles: () => defaultFiles,
    lookupSid: (sid) => accounts.find((account) => account.sid === sid),
    lookupName: (name) => {
      const wanted = name.slice(name.lastIndexOf("\\") + 1).toLowerCase();
      return accounts.find((account) => account.name.toLowerCase() === wanted);
    },
    ...overrides,
  };
}

export function service(overrides: Partial<RpcEnvironment> = {}): PipeService {
  let next = 0;
  return createPipeService(environment(overrides), {
    now: () => Date.UTC(2024, 1, 29, 13, 14, 15, 167),
    randomUuid: () => {
      next += 1;
      return `00000000-0000-4000-8000-${next.toString(16).padStart(12, "0")}`;
    },
  });
}

export function openPipe(name: string, caller: Identity = alice, pipes: PipeService = service()): NamedPipe {
  const pipe = pipes.open(name, caller);
  if (pipe === undefined) throw new Error(`no pipe ${name}`);
  return pipe;
}

/** The next whole message. */
export function readMessage(pipe: NamedPipe, maximum = 65_536): Buffer {
  const parts: Buffer[] = [];
  for (;;) {
    const part = pipe.read(maximum);
    if (part === undefined) throw new Error("nothing to read");
    parts.push(part.data);
    if (!part.more) return Buffer.concat(parts);
  }
}

export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

export interface SyntaxFixture {
  readonly uuid: string;
  readonly version: number;
}

export const NDR: SyntaxFixture = { uuid: "8a885d04-1ceb-11c9-9fe8-08002b104860", version: 2 };
export const NDR64: SyntaxFixture = { uuid: "71710533-beba-4937-8319-b5dbef9ccc36", version: 1 };
export const SRVSVC: SyntaxFixture = { uuid: "4b324fc8-1670-01d3-1278-5a47bf6ee188", version: 3 };
export const WKSSVC: SyntaxFixture = { uuid: "6bffd098-a112-3610-9833-46c3f87e345a", version: 1 };
export const LSARPC: SyntaxFixture = { uuid: "12345778-1234-abcd-ef00-0123456789ab", version: 0 };

function syntaxBytes(syntax: SyntaxFixture): Buffer {
  const version = Buffer.alloc(4);
  version.writeUInt32LE(syntax.version);
  return Buffer.concat([uuidToBytes(syntax.uuid), version]);
}

export interface PduFixture {
  readonly type: number;
  readonly flags?: number;
  readonly callId?: number;
  readonly authLength?: number;
}

export function pdu(fixture: PduFixture, body: Buffer): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt8(5, 0);
  header.writeUInt8(fixture.type, 2);
  header.writeUInt8(fixture.flags ?? 3, 3);
  header.writeUInt8(0x10, 4);
  header.writeUInt16LE(16 + body.length, 8);
  header.writeUInt16LE(fixture.authLength ?? 0, 10);
  header.writeUInt32LE(fixture.callId ?? 1, 12);
  return Buffer.concat([header, body]);
}

export interface ContextFixture {
  readonly id: number;
  readonly abstract: SyntaxFixture;
  readonly transfers: readonly SyntaxFixture[];
}

export function bindPdu(
  contexts: readonly ContextFixture[],
  options: Partial<PduFixture> & { transmit?: number; receive?: number; group?: number } = {},
): Buffer {
  const fixed = Buffer.alloc(12);
  fixed.writeUInt16LE(options.transmit ?? 4280, 0);
  fixed.writeUInt16LE(options.receive ?? 4280, 2);
  fixed.writeUInt32LE(options.group ?? 0, 4);
  fixed.writeUInt8(contexts.length, 8);
  const elements = contexts.map((context) => {
    const element = Buffer.alloc(4);
    element.writeUInt16LE(context.id, 0);
    element.writeUInt8(context.transfers.length, 2);
    return Buffer.concat([element, syntaxBytes(context.abstract), ...context.transfers.map(syntaxBytes)]);
  });
  return pdu({ type: PduType.BIND, ...options }, Buffer.concat([fixed, ...elements]));
}

export function requestPdu(
  opnum: number,
  stub: Buffer,
  options: Partial<PduFixture> & { contextId?: number } = {},
): Buffer {
  const body = Buffer.alloc(8);
  body.writeUInt32LE(stub.length, 0);
  body.writeUInt16LE(options.contextId ?? 0, 4);
  body.writeUInt16LE(opnum, 6);
  return pdu({ type: PduType.REQUEST, ...options }, Buffer.concat([body, stub]));
}

export interface BindResult {
  readonly result: number;
  readonly reason: number;
  readonly transfer: Buffer;
}

export function decodeBindAck(message: Buffer) {
  const addressLength = message.readUInt16LE(24);
  const at = Math.ceil((26 + addressLength) / 4) * 4;
  const results: BindResult[] = [];
  for (let index = 0; index < message.readUInt8(at); index += 1) {
    const element = at + 4 + index * 24;
    results.push({
      result: message.readUInt16LE(element),
      reason: message.readUInt16LE(element + 2),
      transfer: message.subarray(element + 4, element + 24),
    });
  }
  return {
    type: message.readUInt8(2),
    transmit: message.readUInt16LE(16),
    receive: message.readUInt16LE(18),
    group: message.readUInt32LE(20),
    address: message.toString("latin1", 26, 26 + addressLength),
    results,
    end: at + 4 + results.length * 24,
  };
}

/** Binds `syntax` as context 0. */
export function bind(pipe: NamedPipe, syntax: SyntaxFixture, group = 0) {
  pipe.write(bindPdu([{ id: 0, abstract: syntax, transfers: [NDR] }], { group }));
  return decodeBindAck(readMessage(pipe));
}

/** Reads response fragments up to the last one and gives the whole stub. @throws Error with the status of a fault */
export function readResponse(pipe: NamedPipe): Buffer {
  const stubs: Buffer[] = [];
  for (;;) {
    const message = readMessage(pipe);
    if (message.readUInt16LE(8) !== message.length) throw new Error("frag_length is not the message's length");
    if (message.readUInt8(2) === PduType.FAULT) throw new Error(`fault 0x${message.readUInt32LE(24).toString(16)}`);
    if (message.readUInt8(2) !== PduType.RESPONSE) throw new Error(`PDU type ${message.readUInt8(2)}`);
    stubs.push(message.subarray(24));
    if (message.readUInt8(3) & 2) return Buffer.concat(stubs);
  }
}

/** One call in one fragment; the result reads the answer's stub. */
export function call(pipe: NamedPipe, opnum: number, stub: Buffer | NdrWriter): NdrReader {
  pipe.write(requestPdu(opnum, Buffer.isBuffer(stub) ? stub : stub.view()));
  return new NdrReader(readResponse(pipe));
}

/** Sends a captured PDU as it is. */
export function replay(pipe: NamedPipe, request: string): NdrReader {
  pipe.write(hex(request));
  return new NdrReader(readResponse(pipe));
}
