// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { AssociationGroup, AssociationGroups } from "./association.ts";
import {
  acceptedContext,
  type ContextAnswer,
  decodeBind,
  decodeHeader,
  decodeRequest,
  encodeBindAck,
  encodeBindNak,
  encodeFault,
  encodeResponse,
  FaultStatus,
  HEADER_SIZE,
  MAX_FRAGMENT_SIZE,
  MIN_FRAGMENT_SIZE,
  NDR_SYNTAX,
  negotiateFeatures,
  PduError,
  PduFlag,
  type PduHeader,
  PduType,
  type PresentationContext,
  ProviderReason,
  RejectReason,
  rejectedContext,
} from "./dcerpc.ts";
import { RpcFault } from "./fault.ts";
import type { RpcInterface } from "./interface.ts";
import { NdrError, NdrReader, NdrWriter } from "./ndr.ts";
import type { NamedPipe, PipeContents, RpcEnvironment } from "./pipe.ts";

/** Stub octets of one request over all of its fragments; MS-RPCE 3.3.3.5.4 allows up to 4 MB. */
const MAX_REQUEST_SIZE = 1024 * 1024;
/** A client that lets more answers than this pile up unread loses the pipe. */
const MAX_PENDING_SIZE = 1024 * 1024;
/** Presentation contexts of one pipe. */
const MAX_CONTEXTS = 32;

const NOTHING = Buffer.alloc(0);

export interface ConnectionOptions {
  /** The pipe's name, without a leading backslash. */
  readonly pipeName: string;
  readonly interfaces: readonly RpcInterface[];
  readonly caller: Identity;
  readonly environment: RpcEnvironment;
  readonly groups: AssociationGroups;
  readonly now: () => number;
}

/** A request whose last fragment has not come yet. */
interface PartialRequest {
  readonly callId: number;
  readonly contextId: number;
  readonly opnum: number;
  readonly flags: number;
  readonly parts: Buffer[];
  size: number;
}

/**
 * One association over one named pipe: cuts what the client writes into fragments, puts requests together, runs them,
 * and queues the answers, each fragment as a message of its own.
 */
export class RpcConnection implements NamedPipe {
  readonly #options: ConnectionOptions;
  readonly #contexts = new Map<number, RpcInterface>();
  #group: AssociationGroup | undefined;
  #maxTransmitFragment = MIN_FRAGMENT_SIZE;
  /** Octets of a fragment that is not complete yet. */
  #incoming: Buffer = Buffer.alloc(0);
  #partial: PartialRequest | undefined;
  #outgoing: Buffer[] = [];
  #outgoingSize = 0;
  #disconnected = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  write(data: Buffer): void {
    if (this.#disconnected) throw new SmbError(NtStatus.PIPE_DISCONNECTED);
    const input = this.#incoming.length === 0 ? data : Buffer.concat([this.#incoming, data]);
    let at = 0;
    try {
      while (input.length - at >= HEADER_SIZE) {
        const rest = input.subarray(at);
        const header = decodeHeader(rest);
        if (rest.length < header.fragmentLength) break;
        if (this.#outgoingSize > MAX_PENDING_SIZE) throw new PduError("answers are not read");
        this.#receive(header, rest.subarray(0, header.fragmentLength));
        at += header.fragmentLength;
      }
    } catch (error) {
      if (!(error instanceof PduError)) throw error;
      this.#disconnect();
      throw new SmbError(NtStatus.INVALID_PARAMETER, error.message);
    }
    // The tail outlives the request that brought it, so it is copied out of the receive buffer.
    this.#incoming = at === input.length ? Buffer.alloc(0) : Buffer.from(input.subarray(at));
  }

  read(maximum: number): { readonly data: Buffer; readonly more: boolean } | undefined {
    const [message] = this.#outgoing;
    if (message === undefined) {
      if (this.#disconnected) throw new SmbError(NtStatus.PIPE_DISCONNECTED);
      return undefined;
    }
    const data = message.subarray(0, maximum);
    this.#outgoingSize -= data.length;
    if (data.length < message.length) {
      this.#outgoing[0] = message.subarray(data.length);
      return { data, more: true };
    }
    this.#outgoing.shift();
    return { data, more: false };
  }

  peek(): PipeContents {
    const [first] = this.#outgoing;
    if (first === undefined && this.#disconnected) throw new SmbError(NtStatus.PIPE_DISCONNECTED);
    return { first: first ?? NOTHING, available: this.#outgoingSize, messages: this.#outgoing.length };
  }

  close(): void {
    this.#disconnect();
    this.#outgoing = [];
    this.#outgoingSize = 0;
  }

  #disconnect(): void {
    this.#disconnected = true;
    this.#incoming = Buffer.alloc(0);
    this.#partial = undefined;
    this.#contexts.clear();
    if (this.#group !== undefined) this.#options.groups.leave(this.#group);
    this.#group = undefined;
  }

  #send(fragment: Buffer): void {
    this.#outgoing.push(fragment);
    this.#outgoingSize += fragment.length;
  }

  /** The client broke the protocol: one fault, which it may still read, and the end of the association. */
  #protocolError(header: PduHeader): void {
    this.#send(encodeFault(header.callId, 0, FaultStatus.NCA_PROTO_ERROR, false));
    this.#disconnect();
  }

  #receive(header: PduHeader, fragment: Buffer): void {
    if (this.#disconnected) throw new PduError("fragment after a protocol error");
    switch (header.type) {
      case PduType.BIND:
        this.#bind(header, fragment);
        return;
      case PduType.ALTER_CONTEXT:
        this.#alterContext(header, fragment);
        return;
      case PduType.REQUEST:
        this.#request(header, fragment);
        return;
      case PduType.ORPHANED:
        if (this.#partial?.callId === header.callId) this.#partial = undefined;
        return;
      case PduType.CANCEL:
        // Every call has run by the time that a cancel can arrive.
        return;
      default:
        this.#protocolError(header);
    }
  }

  #bind(header: PduHeader, fragment: Buffer): void {
    if (this.#group !== undefined) {
      this.#protocolError(header);
      return;
    }
    if (header.versionMajor !== 5) {
      this.#send(encodeBindNak(header.callId, RejectReason.PROTOCOL_VERSION_NOT_SUPPORTED));
      return;
    }
    // The SMB session has authenticated the caller; no security provider is offered inside of it.
    if (header.authLength !== 0) {
      this.#send(encodeBindNak(header.callId, RejectReason.AUTHENTICATION_TYPE_NOT_RECOGNIZED));
      return;
    }
    const bind = decodeBind(fragment);
    if (bind.maxReceiveFragment < MIN_FRAGMENT_SIZE || bind.maxTransmitFragment < MIN_FRAGMENT_SIZE) {
      this.#send(encodeBindNak(header.callId, RejectReason.NOT_SPECIFIED));
      return;
    }
    const group = this.#options.groups.join(bind.associationGroup, this.#options.caller);
    if (group === undefined) {
      this.#send(encodeBindNak(header.callId, RejectReason.LOCAL_LIMIT_EXCEEDED));
      return;
    }
    this.#group = group;
    this.#maxTransmitFragment = Math.min(bind.maxReceiveFragment, MAX_FRAGMENT_SIZE);
    this.#send(
      encodeBindAck({
        type: PduType.BIND_ACK,
        flags: header.flags & PduFlag.CONC_MPX,
        callId: header.callId,
        maxTransmitFragment: this.#maxTransmitFragment,
        maxReceiveFragment: Math.min(bind.maxTransmitFragment, MAX_FRAGMENT_SIZE),
        associationGroup: group.id,
        secondaryAddress: `\\PIPE\\${this.#options.pipeName}`,
        answers: bind.contexts.map((context) => this.#negotiate(context)),
      }),
    );
  }

  #alterContext(header: PduHeader, fragment: Buffer): void {
    if (this.#group === undefined || this.#partial !== undefined) {
      this.#protocolError(header);
      return;
    }
    if (header.authLength !== 0) {
      this.#send(encodeFault(header.callId, 0, FaultStatus.ACCESS_DENIED, false));
      return;
    }
    const bind = decodeBind(fragment);
    this.#send(
      encodeBindAck({
        type: PduType.ALTER_CONTEXT_RESP,
        flags: 0,
        callId: header.callId,
        maxTransmitFragment: this.#maxTransmitFragment,
        maxReceiveFragment: MAX_FRAGMENT_SIZE,
        associationGroup: this.#group.id,
        secondaryAddress: "",
        answers: bind.contexts.map((context) => this.#negotiate(context)),
      }),
    );
  }

  #negotiate(context: PresentationContext): ContextAnswer {
    const features = negotiateFeatures(context);
    if (features !== undefined) return features;
    const { uuid, major, minor } = context.abstractSyntax;
    const found = this.#options.interfaces.find(
      ({ syntax }) => syntax.uuid === uuid && syntax.major === major && syntax.minor >= minor,
    );
    if (found === undefined) return rejectedContext(ProviderReason.ABSTRACT_SYNTAX_NOT_SUPPORTED);
    const offersNdr = context.transferSyntaxes.some(
      (syntax) => syntax.uuid === NDR_SYNTAX.uuid && syntax.major === NDR_SYNTAX.major,
    );
    if (!offersNdr) return rejectedContext(ProviderReason.PROPOSED_TRANSFER_SYNTAXES_NOT_SUPPORTED);
    if (this.#contexts.size >= MAX_CONTEXTS && !this.#contexts.has(context.id)) {
      return rejectedContext(ProviderReason.LOCAL_LIMIT_EXCEEDED);
    }
    this.#contexts.set(context.id, found);
    return acceptedContext;
  }

  #request(header: PduHeader, fragment: Buffer): void {
    if (this.#group === undefined) {
      this.#protocolError(header);
      return;
    }
    if (header.authLength !== 0) {
      this.#partial = undefined;
      this.#send(encodeFault(header.callId, 0, FaultStatus.ACCESS_DENIED, false));
      return;
    }
    const { contextId, opnum, stub } = decodeRequest(fragment, header.flags);
    const first = (header.flags & PduFlag.FIRST_FRAG) !== 0;
    const last = (header.flags & PduFlag.LAST_FRAG) !== 0;
    if (first !== (this.#partial === undefined)) {
      this.#protocolError(header);
      return;
    }
    if (first && last) {
      this.#execute(header, contextId, opnum, stub);
      return;
    }
    if (this.#partial === undefined) {
      this.#partial = { callId: header.callId, contextId, opnum, flags: header.flags, parts: [], size: 0 };
    }
    const partial = this.#partial;
    if (partial.callId !== header.callId) {
      this.#protocolError(header);
      return;
    }
    if (partial.size + stub.length > MAX_REQUEST_SIZE) {
      this.#send(encodeFault(header.callId, contextId, FaultStatus.ACCESS_DENIED, false));
      this.#disconnect();
      return;
    }
    // An empty fragment moves nothing and would cost memory without an end.
    if (stub.length > 0) partial.parts.push(Buffer.from(stub));
    partial.size += stub.length;
    if (!last) return;
    this.#partial = undefined;
    this.#execute({ ...header, flags: partial.flags }, partial.contextId, partial.opnum, Buffer.concat(partial.parts));
  }

  #execute(header: PduHeader, contextId: number, opnum: number, stub: Buffer): void {
    const group = this.#group;
    const operations = this.#contexts.get(contextId)?.operations;
    const reply = (header.flags & PduFlag.MAYBE) === 0;
    const fault = (status: number, executed: boolean): void => {
      if (reply) this.#send(encodeFault(header.callId, contextId, status, executed));
    };
    if (group === undefined || operations === undefined) {
      fault(FaultStatus.NCA_UNK_IF, false);
      return;
    }
    const operation = operations.get(opnum);
    if (operation === undefined) {
      fault(FaultStatus.NCA_OP_RNG_ERROR, false);
      return;
    }
    const { caller, environment, now } = this.#options;
    const output = new NdrWriter();
    try {
      operation({ caller, environment, handles: group.handles, now }, new NdrReader(stub), output);
    } catch (error) {
      if (error instanceof NdrError) fault(FaultStatus.RPC_X_BAD_STUB_DATA, false);
      else if (error instanceof RpcFault) fault(error.status, true);
      else throw error;
      return;
    }
    if (!reply) return;
    for (const part of encodeResponse(header.callId, contextId, output.view(), this.#maxTransmitFragment)) {
      this.#send(part);
    }
  }
}
