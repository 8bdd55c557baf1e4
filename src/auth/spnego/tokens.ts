// SPDX-License-Identifier: Apache-2.0

import {
  AsnArray,
  AsnParser,
  AsnProp,
  AsnPropTypes,
  AsnSerializer,
  AsnType,
  AsnTypeTypes,
} from "@peculiar/asn1-schema";
import { NtStatus, SmbError } from "../../nt/status.ts";

/** negState of a NegTokenResp (RFC 4178 4.2.2). */
export const NegState = { ACCEPT_COMPLETED: 0, ACCEPT_INCOMPLETE: 1, REJECT: 2, REQUEST_MIC: 3 } as const;

/** What a negHints says for decades (MS-SPNG 2.2.1). */
const HINT_NAME = "not_defined_in_RFC4178@please_ignore";

/** SPNEGO, 1.3.6.1.5.5.2, with its tag and length: what follows the header of a GSS token (RFC 2743 3.1). */
const SPNEGO_OID = Buffer.from("06062b0601050502", "hex");

/** [APPLICATION 0], constructed. */
const GSS_TAG = 0x60;

/** A token has a handful of nodes; more is not worth looking at. */
const BER_LIMITS = { maxDepth: 16, maxNodes: 512 };

// The schema functions of the library are decorators; they are called here, because decorators are not erasable syntax.

class MechTypeList extends AsnArray<string> {}
AsnType({ type: AsnTypeTypes.Sequence, itemType: AsnPropTypes.ObjectIdentifier })(MechTypeList);

class NegHints {
  hintName = HINT_NAME;
}
AsnProp({ type: AsnPropTypes.GeneralString, context: 0 })(NegHints.prototype, "hintName");
AsnType({ type: AsnTypeTypes.Sequence })(NegHints);

/**
 * NegTokenInit (RFC 4178 4.2.1) and NegTokenInit2 (MS-SPNG 2.2.1), which differ in what [3] is. Of [3] and [4] nothing
 * is used on receipt: hints are for clients, and a MIC comes in a NegTokenResp wherever the mechanism takes two turns.
 */
class NegTokenInit {
  /** The encoded MechTypeList, byte for byte: the mechListMIC is computed over it. */
  mechTypes: ArrayBuffer | undefined;
  reqFlags: ArrayBuffer | undefined;
  mechToken: ArrayBuffer | undefined;
  third: ArrayBuffer | undefined;
  fourth: ArrayBuffer | undefined;
}
const any = (context: number) => ({ type: AsnPropTypes.Any, context, optional: true });
AsnProp(any(0))(NegTokenInit.prototype, "mechTypes");
AsnProp(any(1))(NegTokenInit.prototype, "reqFlags");
AsnProp({ type: AsnPropTypes.OctetString, context: 2, optional: true })(NegTokenInit.prototype, "mechToken");
AsnProp(any(3))(NegTokenInit.prototype, "third");
AsnProp(any(4))(NegTokenInit.prototype, "fourth");
AsnType({ type: AsnTypeTypes.Sequence })(NegTokenInit);

/** RFC 4178 4.2.2. */
class NegTokenResp {
  negState: number | undefined;
  supportedMech: string | undefined;
  responseToken: ArrayBuffer | undefined;
  mechListMIC: ArrayBuffer | undefined;
}
AsnProp({ type: AsnPropTypes.Enumerated, context: 0, optional: true })(NegTokenResp.prototype, "negState");
AsnProp({ type: AsnPropTypes.ObjectIdentifier, context: 1, optional: true })(NegTokenResp.prototype, "supportedMech");
AsnProp({ type: AsnPropTypes.OctetString, context: 2, optional: true })(NegTokenResp.prototype, "responseToken");
AsnProp({ type: AsnPropTypes.OctetString, context: 3, optional: true })(NegTokenResp.prototype, "mechListMIC");
AsnType({ type: AsnTypeTypes.Sequence })(NegTokenResp);

/** NegotiationToken (RFC 4178 4.2). */
class NegotiationToken {
  negTokenInit: NegTokenInit | undefined;
  negTokenResp: NegTokenResp | undefined;
}
AsnProp({ type: NegTokenInit, context: 0 })(NegotiationToken.prototype, "negTokenInit");
AsnProp({ type: NegTokenResp, context: 1 })(NegotiationToken.prototype, "negTokenResp");
AsnType({ type: AsnTypeTypes.Choice })(NegotiationToken);

export interface InitToken {
  /** Object identifiers in the client's order of preference. */
  readonly mechTypes: readonly string[];
  /** The same as it was encoded. */
  readonly mechTypeList: Buffer;
  readonly mechToken?: Buffer | undefined;
}

export interface ResponseToken {
  readonly negState?: number | undefined;
  readonly supportedMech?: string | undefined;
  readonly responseToken?: Buffer | undefined;
  readonly mechListMic?: Buffer | undefined;
}

export type SpnegoToken =
  | { readonly kind: "init"; readonly init: InitToken }
  | { readonly kind: "response"; readonly response: ResponseToken };

function toArrayBuffer(data: Buffer): ArrayBuffer {
  const copy = new ArrayBuffer(data.length);
  new Uint8Array(copy).set(data);
  return copy;
}

const toBuffer = (data: ArrayBuffer | undefined): Buffer | undefined =>
  data === undefined ? undefined : Buffer.from(data);

/** The definite length at `at` in DER (X.690 8.1.3); `undefined` where there is none or it is wrong. */
function readLength(data: Buffer, at: number): { readonly length: number; readonly end: number } | undefined {
  const first = data[at];
  if (first === undefined || first === 0x80) return undefined;
  if (first < 0x80) return { length: first, end: at + 1 };
  const size = first & 0x7f;
  if (size > 4 || at + 1 + size > data.length) return undefined;
  return { length: data.readUIntBE(at + 1, size), end: at + 1 + size };
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const size = length < 0x100 ? 1 : length < 0x10000 ? 2 : 3;
  const encoded = Buffer.alloc(1 + size);
  encoded[0] = 0x80 | size;
  encoded.writeUIntBE(length, 1, size);
  return encoded;
}

/** What the GSS header of an initial token encloses (RFC 2743 3.1). */
function unwrapGss(token: Buffer): Buffer | undefined {
  const length = readLength(token, 1);
  if (length === undefined || length.end + length.length !== token.length) return undefined;
  const inner = token.subarray(length.end);
  return inner.subarray(0, SPNEGO_OID.length).equals(SPNEGO_OID) ? inner.subarray(SPNEGO_OID.length) : undefined;
}

function wrapGss(inner: Buffer): Buffer {
  return Buffer.concat([Buffer.from([GSS_TAG]), encodeLength(SPNEGO_OID.length + inner.length), SPNEGO_OID, inner]);
}

/** @throws SmbError INVALID_PARAMETER: anything but one well-formed token */
export function decodeSpnego(token: Buffer): SpnegoToken {
  try {
    const initial = token[0] === GSS_TAG;
    const inner = initial ? unwrapGss(token) : token;
    if (inner !== undefined) {
      const choice = AsnParser.parse(toArrayBuffer(inner), NegotiationToken, { berOptions: BER_LIMITS });
      if (initial && choice.negTokenInit !== undefined) return decodeInit(choice.negTokenInit);
      if (!initial && choice.negTokenResp !== undefined) return decodeResponse(choice.negTokenResp);
    }
  } catch (error) {
    // Whatever the library throws for bytes from outside, they are the reason.
    throw new SmbError(NtStatus.INVALID_PARAMETER, error instanceof Error ? error.message : "SPNEGO token");
  }
  throw new SmbError(NtStatus.INVALID_PARAMETER, "no SPNEGO token");
}

function decodeInit({ mechTypes, mechToken }: NegTokenInit): SpnegoToken {
  if (mechTypes === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER, "no mechTypes");
  return {
    kind: "init",
    init: {
      mechTypes: [...AsnParser.parse(mechTypes, MechTypeList, { berOptions: BER_LIMITS })],
      mechTypeList: Buffer.from(mechTypes),
      mechToken: toBuffer(mechToken),
    },
  };
}

function decodeResponse({ negState, supportedMech, responseToken, mechListMIC }: NegTokenResp): SpnegoToken {
  return {
    kind: "response",
    response: {
      negState,
      supportedMech,
      responseToken: toBuffer(responseToken),
      mechListMic: toBuffer(mechListMIC),
    },
  };
}

/** The encoded MechTypeList that a mechListMIC is computed over. */
export function encodeMechTypeList(mechTypes: readonly string[]): Buffer {
  return Buffer.from(AsnSerializer.serialize(new MechTypeList([...mechTypes])));
}

/** A client's first token. */
export function encodeInit(mechTypes: readonly string[], mechToken?: Buffer): Buffer {
  const init = new NegTokenInit();
  init.mechTypes = toArrayBuffer(encodeMechTypeList(mechTypes));
  if (mechToken !== undefined) init.mechToken = toArrayBuffer(mechToken);
  return wrapInit(init);
}

/** The NegTokenInit2 with which a server begins (MS-SPNG 3.2.5.2). */
export function encodeInit2(mechTypes: readonly string[]): Buffer {
  const init = new NegTokenInit();
  init.mechTypes = toArrayBuffer(encodeMechTypeList(mechTypes));
  init.third = AsnSerializer.serialize(new NegHints());
  return wrapInit(init);
}

function wrapInit(init: NegTokenInit): Buffer {
  const token = new NegotiationToken();
  token.negTokenInit = init;
  return wrapGss(Buffer.from(AsnSerializer.serialize(token)));
}

export function encodeResponse({ negState, supportedMech, responseToken, mechListMic }: ResponseToken): Buffer {
  const response = new NegTokenResp();
  response.negState = negState;
  response.supportedMech = supportedMech;
  if (responseToken !== undefined) response.responseToken = toArrayBuffer(responseToken);
  if (mechListMic !== undefined) response.mechListMIC = toArrayBuffer(mechListMic);
  const token = new NegotiationToken();
  token.negTokenResp = response;
  return Buffer.from(AsnSerializer.serialize(token));
}
