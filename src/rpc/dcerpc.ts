// SPDX-License-Identifier: Apache-2.0

/** PDUs of connection-oriented DCE/RPC 5.0 (C706 chapter 12, MS-RPCE 2.2.2). All integers little-endian. */

export const PduType = {
  REQUEST: 0,
  RESPONSE: 2,
  FAULT: 3,
  BIND: 11,
  BIND_ACK: 12,
  BIND_NAK: 13,
  ALTER_CONTEXT: 14,
  ALTER_CONTEXT_RESP: 15,
  /** rpc_auth_3 (MS-RPCE 2.2.2.10). */
  AUTH3: 16,
  SHUTDOWN: 17,
  CANCEL: 18,
  ORPHANED: 19,
} as const;

/** `pfc_flags` (C706 12.6.3.1, MS-RPCE 2.2.2.3). */
export const PduFlag = {
  FIRST_FRAG: 0x01,
  LAST_FRAG: 0x02,
  CONC_MPX: 0x10,
  DID_NOT_EXECUTE: 0x20,
  MAYBE: 0x40,
  OBJECT_UUID: 0x80,
} as const;

/** `status` of a fault PDU (C706 appendix E; MS-ERREF 2.2 for the last ones). */
export const FaultStatus = {
  NCA_OP_RNG_ERROR: 0x1c010002,
  NCA_UNK_IF: 0x1c010003,
  NCA_PROTO_ERROR: 0x1c01000b,
  NCA_FAULT_CONTEXT_MISMATCH: 0x1c00001a,
  NCA_FAULT_REMOTE_NO_MEMORY: 0x1c00001b,
  ACCESS_DENIED: 0x00000005,
  RPC_X_BAD_STUB_DATA: 0x000006f7,
} as const;

/** `p_cont_def_result_t` (C706 12.6.3.1, MS-RPCE 2.2.2.4). */
export const ContextResult = { ACCEPTANCE: 0, USER_REJECTION: 1, PROVIDER_REJECTION: 2, NEGOTIATE_ACK: 3 } as const;

/** `p_provider_reason_t` (C706 12.6.3.1). */
export const ProviderReason = {
  NONE: 0,
  ABSTRACT_SYNTAX_NOT_SUPPORTED: 1,
  PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED: 2,
  LOCAL_LIMIT_EXCEEDED: 3,
} as const;

/** `p_reject_reason_t` of a bind_nak (C706 12.6.3.1, MS-RPCE 2.2.2.5). */
export const RejectReason = {
  NOT_SPECIFIED: 0,
  LOCAL_LIMIT_EXCEEDED: 2,
  PROTOCOL_VERSION_NOT_SUPPORTED: 4,
  AUTHENTICATION_TYPE_NOT_RECOGNIZED: 8,
} as const;

export const HEADER_SIZE = 16;
/** Header, alloc_hint, p_cont_id, cancel_count or opnum: where the stub of a request or response begins. */
const CALL_HEADER_SIZE = 24;
/** Every implementation takes fragments of this size (C706 12.6.3.1, MustRecvFragSize). */
export const MIN_FRAGMENT_SIZE = 1432;
/** The largest fragment that is taken or sent. */
export const MAX_FRAGMENT_SIZE = 5840;

/** The fragment breaks the rules of C706 chapter 12; the association cannot go on. */
export class PduError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "PduError";
  }
}

export interface PduHeader {
  readonly versionMajor: number;
  readonly type: number;
  readonly flags: number;
  readonly fragmentLength: number;
  readonly authLength: number;
  readonly callId: number;
}

/** The common header. The data representation must be little-endian, ASCII, IEEE. @throws PduError */
export function decodeHeader(fragment: Buffer): PduHeader {
  if (fragment.length < HEADER_SIZE) throw new PduError(`${fragment.length} bytes are no header`);
  if (fragment.readUInt16LE(4) !== 0x0010) throw new PduError("data representation is not little-endian, ASCII, IEEE");
  const fragmentLength = fragment.readUInt16LE(8);
  if (fragmentLength < HEADER_SIZE || fragmentLength > MAX_FRAGMENT_SIZE) {
    throw new PduError(`frag_length ${fragmentLength}`);
  }
  return {
    versionMajor: fragment.readUInt8(0),
    type: fragment.readUInt8(2),
    flags: fragment.readUInt8(3),
    fragmentLength,
    authLength: fragment.readUInt16LE(10),
    callId: fragment.readUInt32LE(12),
  };
}

/** `p_syntax_id_t`: an interface or a transfer syntax. */
export interface SyntaxId {
  /** Lower-case text of the UUID. */
  readonly uuid: string;
  readonly major: number;
  readonly minor: number;
}

export const NDR_SYNTAX: SyntaxId = { uuid: "8a885d04-1ceb-11c9-9fe8-08002b104860", major: 2, minor: 0 };
/** A transfer syntax with this prefix asks for features instead of a syntax (MS-RPCE 3.3.1.5.3). */
const FEATURE_NEGOTIATION_PREFIX = "6cb71c2c-9812-4540-";
const NULL_SYNTAX: SyntaxId = { uuid: "00000000-0000-0000-0000-000000000000", major: 0, minor: 0 };

/** A UUID in its wire form, first three fields little-endian, as lower-case text. */
export function uuidToText(bytes: Buffer): string {
  const hex = (from: number, to: number) => bytes.toString("hex", from, to);
  const time = bytes.readUInt32LE(0).toString(16).padStart(8, "0");
  const middle = bytes.readUInt16LE(4).toString(16).padStart(4, "0");
  const high = bytes.readUInt16LE(6).toString(16).padStart(4, "0");
  return `${time}-${middle}-${high}-${hex(8, 10)}-${hex(10, 16)}`;
}

export function uuidToBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

export interface PresentationContext {
  readonly id: number;
  readonly abstractSyntax: SyntaxId;
  readonly transferSyntaxes: readonly SyntaxId[];
}

/** Body of bind and alter_context (C706 12.6.4.3, 12.6.4.1). */
export interface BindBody {
  readonly maxTransmitFragment: number;
  readonly maxReceiveFragment: number;
  readonly associationGroup: number;
  readonly contexts: readonly PresentationContext[];
}

/** @throws PduError when the context list is not wholly inside of the fragment */
export function decodeBind(fragment: Buffer): BindBody {
  const need = (at: number, size: number): number => {
    if (at + size > fragment.length) throw new PduError(`bind of ${fragment.length} bytes ends inside of a field`);
    return at;
  };
  const syntaxAt = (at: number): SyntaxId => {
    need(at, 20);
    return {
      uuid: uuidToText(fragment.subarray(at, at + 16)),
      major: fragment.readUInt16LE(at + 16),
      minor: fragment.readUInt16LE(at + 18),
    };
  };
  need(HEADER_SIZE, 12);
  const count = fragment.readUInt8(24);
  const contexts: PresentationContext[] = [];
  let at = 28;
  for (let index = 0; index < count; index += 1) {
    need(at, 24);
    const id = fragment.readUInt16LE(at);
    const transferCount = fragment.readUInt8(at + 2);
    const abstractSyntax = syntaxAt(at + 4);
    at += 24;
    const transferSyntaxes: SyntaxId[] = [];
    for (let transfer = 0; transfer < transferCount; transfer += 1) {
      transferSyntaxes.push(syntaxAt(at));
      at += 20;
    }
    contexts.push({ id, abstractSyntax, transferSyntaxes });
  }
  return {
    maxTransmitFragment: fragment.readUInt16LE(16),
    maxReceiveFragment: fragment.readUInt16LE(18),
    associationGroup: fragment.readUInt32LE(20),
    contexts,
  };
}

/** `p_result_t`: the answer for one presentation context. */
export interface ContextAnswer {
  readonly result: number;
  /** `p_provider_reason_t`, or the feature bits of a negotiate_ack (MS-RPCE 2.2.2.15). */
  readonly reason: number;
  readonly transferSyntax: SyntaxId;
}

export const acceptedContext: ContextAnswer = {
  result: ContextResult.ACCEPTANCE,
  reason: ProviderReason.NONE,
  transferSyntax: NDR_SYNTAX,
};

export function rejectedContext(reason: number): ContextAnswer {
  return { result: ContextResult.PROVIDER_REJECTION, reason, transferSyntax: NULL_SYNTAX };
}

/** KeepConnectionOnOrphanSupported: an orphaned PDU ends its call, not the association (MS-RPCE 2.2.2.15). */
const SUPPORTED_FEATURES = 0x02;

/** The negotiate_ack for a context that asks for features, `undefined` for any other context (MS-RPCE 3.3.1.5.3). */
export function negotiateFeatures(context: PresentationContext): ContextAnswer | undefined {
  const [syntax] = context.transferSyntaxes;
  if (syntax === undefined || context.transferSyntaxes.length !== 1) return undefined;
  if (!syntax.uuid.startsWith(FEATURE_NEGOTIATION_PREFIX) || syntax.major !== 1 || syntax.minor !== 0) return undefined;
  const asked = Number.parseInt(syntax.uuid.slice(FEATURE_NEGOTIATION_PREFIX.length).slice(0, 2), 16);
  return { result: ContextResult.NEGOTIATE_ACK, reason: asked & SUPPORTED_FEATURES, transferSyntax: NULL_SYNTAX };
}

function beginPdu(size: number, type: number, flags: number, callId: number): Buffer {
  const pdu = Buffer.alloc(size);
  pdu.writeUInt8(5, 0);
  pdu.writeUInt8(type, 2);
  pdu.writeUInt8(flags, 3);
  pdu.writeUInt8(0x10, 4);
  pdu.writeUInt16LE(size, 8);
  pdu.writeUInt32LE(callId, 12);
  return pdu;
}

const WHOLE = PduFlag.FIRST_FRAG | PduFlag.LAST_FRAG;

export interface BindAck {
  readonly type: typeof PduType.BIND_ACK | typeof PduType.ALTER_CONTEXT_RESP;
  readonly flags: number;
  readonly callId: number;
  readonly maxTransmitFragment: number;
  readonly maxReceiveFragment: number;
  readonly associationGroup: number;
  /** ASCII, without its terminator; empty in an alter_context_resp. */
  readonly secondaryAddress: string;
  readonly answers: readonly ContextAnswer[];
}

/** bind_ack and alter_context_resp (C706 12.6.4.4, 12.6.4.2). */
export function encodeBindAck(ack: BindAck): Buffer {
  const address = ack.secondaryAddress === "" ? Buffer.alloc(0) : Buffer.from(`${ack.secondaryAddress}\0`, "latin1");
  const resultsAt = Math.ceil((26 + address.length) / 4) * 4;
  const pdu = beginPdu(resultsAt + 4 + ack.answers.length * 24, ack.type, WHOLE | ack.flags, ack.callId);
  pdu.writeUInt16LE(ack.maxTransmitFragment, 16);
  pdu.writeUInt16LE(ack.maxReceiveFragment, 18);
  pdu.writeUInt32LE(ack.associationGroup, 20);
  pdu.writeUInt16LE(address.length, 24);
  pdu.set(address, 26);
  pdu.writeUInt8(ack.answers.length, resultsAt);
  ack.answers.forEach((answer, index) => {
    const at = resultsAt + 4 + index * 24;
    pdu.writeUInt16LE(answer.result, at);
    pdu.writeUInt16LE(answer.reason, at + 2);
    pdu.set(uuidToBytes(answer.transferSyntax.uuid), at + 4);
    pdu.writeUInt16LE(answer.transferSyntax.major, at + 20);
    pdu.writeUInt16LE(answer.transferSyntax.minor, at + 22);
  });
  return pdu;
}

/** bind_nak, naming 5.0 as the one version spoken (C706 12.6.4.5). */
export function encodeBindNak(callId: number, reason: number): Buffer {
  const pdu = beginPdu(24, PduType.BIND_NAK, WHOLE, callId);
  pdu.writeUInt16LE(reason, 16);
  pdu.writeUInt8(1, 18);
  pdu.writeUInt8(5, 19);
  return pdu;
}

/** fault (C706 12.6.4.7). `executed`: the operation may have run. */
export function encodeFault(callId: number, contextId: number, status: number, executed: boolean): Buffer {
  const pdu = beginPdu(32, PduType.FAULT, executed ? WHOLE : WHOLE | PduFlag.DID_NOT_EXECUTE, callId);
  pdu.writeUInt16LE(contextId, 20);
  pdu.writeUInt32LE(status >>> 0, 24);
  return pdu;
}

export interface RequestFragment {
  readonly contextId: number;
  readonly opnum: number;
  /** A view into the fragment. */
  readonly stub: Buffer;
}

/** Body of a request without an authentication verifier (C706 12.6.4.9). @throws PduError */
export function decodeRequest(fragment: Buffer, flags: number): RequestFragment {
  const stubAt = CALL_HEADER_SIZE + (flags & PduFlag.OBJECT_UUID ? 16 : 0);
  if (fragment.length < stubAt) throw new PduError(`request of ${fragment.length} bytes`);
  return {
    contextId: fragment.readUInt16LE(20),
    opnum: fragment.readUInt16LE(22),
    stub: fragment.subarray(stubAt),
  };
}

/** Cuts a stub into response fragments of at most `maxFragment` octets (C706 12.6.4.10). */
export function encodeResponse(callId: number, contextId: number, stub: Buffer, maxFragment: number): Buffer[] {
  // All stub parts but the last are a multiple of 8 octets, as C706 12.6.2 asks.
  const room = Math.floor((maxFragment - CALL_HEADER_SIZE) / 8) * 8;
  const fragments: Buffer[] = [];
  let at = 0;
  do {
    const part = stub.subarray(at, at + room);
    let flags = 0;
    if (at === 0) flags |= PduFlag.FIRST_FRAG;
    if (at + part.length >= stub.length) flags |= PduFlag.LAST_FRAG;
    const pdu = beginPdu(CALL_HEADER_SIZE + part.length, PduType.RESPONSE, flags, callId);
    pdu.writeUInt32LE(stub.length - at, 16);
    pdu.writeUInt16LE(contextId, 20);
    pdu.set(part, CALL_HEADER_SIZE);
    fragments.push(pdu);
    at += part.length;
  } while (at < stub.length);
  return fragments;
}
