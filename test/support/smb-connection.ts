// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { NtStatus, statusName } from "../../src/nt/status.ts";
import type { CipherId, MessageCipher } from "../../src/smb2/crypto/encryption.ts";
import { PreauthHash } from "../../src/smb2/crypto/preauth.ts";
import { defaultSigningAlgorithm, type Signer, type SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { FrameAssembler } from "../../src/smb2/frame-assembler.ts";
import { encodeCancelRequest } from "../../src/smb2/wire/cancel.ts";
import { Command, Dialect, GlobalCapability, HeaderFlag, SecurityMode } from "../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import { frameHeader } from "../../src/smb2/wire/frame.ts";
import {
  decodeHeader,
  encodeHeader,
  HEADER_SIZE,
  type Header,
  HeaderOffset,
  NO_SIGNATURE,
  peekNextCommand,
  peekProtocolId,
  TRANSFORM_PROTOCOL_ID,
} from "../../src/smb2/wire/header.ts";
import {
  decodeNegotiateResponse,
  encodeNegotiateRequest,
  type NegotiateRequest,
  type NegotiateResponse,
} from "../../src/smb2/wire/negotiate.ts";
import {
  decodeEncryptionCapabilities,
  decodeSigningCapabilities,
  encryptionContext,
  type NegotiateContext,
  NegotiateContextType,
  preauthIntegrityContext,
  signingContext,
} from "../../src/smb2/wire/negotiate-contexts.ts";
import { TRANSFORM_HEADER_SIZE } from "../../src/smb2/wire/transform-header.ts";
import type { RequestBody } from "./smb-requests.ts";
import type { ClientTransport } from "./smb-transport.ts";

/** The server broke the protocol, or ended the connection. */
export class ClientError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ClientError";
  }
}

/** The server answered with an error. */
export class StatusError extends Error {
  readonly status: number;
  readonly reply: Reply;

  constructor(reply: Reply) {
    super(`${statusName(reply.status)} for command ${reply.header.command}`);
    this.name = "StatusError";
    this.status = reply.status;
    this.reply = reply;
  }
}

/** One response. */
export interface Reply {
  readonly header: Header;
  readonly status: number;
  /** From the header to the end, the padding of a compound included. */
  readonly message: Buffer;
  /** At the body. */
  readonly reader: Reader;
  readonly encrypted: boolean;
  readonly signed: boolean;
}

/** What a session contributes to a request: its id and its keys. */
export interface SessionKeys {
  readonly sessionId: bigint;
  readonly cipher: MessageCipher | undefined;
  signerOn(connection: SmbConnection): Signer | undefined;
}

export interface RequestOptions {
  readonly session?: SessionKeys | undefined;
  readonly treeId?: number | undefined;
  readonly sign?: boolean | undefined;
  readonly encrypt?: boolean | undefined;
  /** `false`: take the answer whether or not it is signed or encrypted as it should be. */
  readonly verify?: boolean | undefined;
  readonly related?: boolean | undefined;
  /** Header fields in place of the right ones. */
  readonly header?: Partial<Header> | undefined;
  /** A change to the message after it was signed and before it is encrypted. */
  readonly tamper?: ((message: Buffer) => void) | undefined;
}

/** A request that has been sent. */
export class Call {
  readonly messageId: bigint;
  readonly options: RequestOptions;
  /** The message as it was sent, unencrypted. */
  message: Buffer = Buffer.alloc(0);
  /** The final response. */
  readonly reply: Promise<Reply>;
  /** The interim response (MS-SMB2 3.3.4.2); rejects where the final one came first. */
  readonly pending: Promise<Reply>;
  asyncId = 0n;
  resolve: (reply: Reply) => void = () => {};
  resolvePending: (reply: Reply) => void = () => {};
  reject: (error: Error) => void = () => {};
  rejectPending: (error: Error) => void = () => {};

  constructor(messageId: bigint, options: RequestOptions) {
    this.messageId = messageId;
    this.options = options;
    this.reply = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.pending = new Promise((resolve, reject) => {
      this.resolvePending = resolve;
      this.rejectPending = reject;
    });
    this.reply.catch(() => {});
    this.pending.catch(() => {});
  }
}

export interface NegotiateOptions {
  readonly dialects?: readonly number[];
  readonly ciphers?: readonly CipherId[];
  readonly signingAlgorithms?: readonly SigningAlgorithm[];
  readonly securityMode?: number;
  readonly capabilities?: number;
  readonly clientGuid?: Buffer;
  /** In place of the contexts that follow from the other options. */
  readonly contexts?: readonly NegotiateContext[];
}

export const ALL_DIALECTS: readonly number[] = [
  Dialect.SMB_2_0_2,
  Dialect.SMB_2_1,
  Dialect.SMB_3_0,
  Dialect.SMB_3_0_2,
  Dialect.SMB_3_1_1,
];

const CREDITS_ASKED = 64;
const UNSOLICITED = 0xffff_ffff_ffff_ffffn;
const MAXIMUM_FRAME = 0xff_ffff;

/** A client's connection: message ids and credits, signing and encryption, requests and their responses. */
export class SmbConnection {
  readonly transport: ClientTransport;
  readonly clientGuid: Buffer;
  dialect = 0;
  cipher: CipherId | undefined;
  signingAlgorithm: SigningAlgorithm = 0;
  clientSecurityMode = 0;
  preauth = new PreauthHash();
  /** The NEGOTIATE exchange, for FSCTL_VALIDATE_NEGOTIATE_INFO. */
  negotiated: { request: NegotiateRequest; response: NegotiateResponse } | undefined;
  /** Credits in hand; a request waits where it needs more. */
  credits = 1;
  /** CreditRequest of each request. */
  creditsAsked = CREDITS_ASKED;
  nextMessageId = 0n;
  readonly sessions = new Map<bigint, SessionKeys>();
  /** Oplock and lease breaks. */
  readonly notifications: Reply[] = [];
  /** Responses to requests that were made by hand are dropped, not held against the server. */
  toleratesUnknown = false;
  /** Whole frames as they arrived. */
  onFrame: ((frame: Buffer) => void) | undefined;
  readonly closed: Promise<void>;
  isClosed = false;
  readonly #assembler = new FrameAssembler(MAXIMUM_FRAME);
  readonly #calls = new Map<bigint, Call>();
  #waiting: Array<{ needed: number; send: () => void; fail: (error: Error) => void }> = [];
  #failure: Error | undefined;

  constructor(transport: ClientTransport, clientGuid: Buffer = randomBytes(16)) {
    this.transport = transport;
    this.clientGuid = clientGuid;
    this.closed = new Promise((resolve) => {
      transport.onClose = () => {
        this.isClosed = true;
        this.#failAll(this.#failure ?? new ClientError("the connection was closed"));
        resolve();
      };
    });
    transport.onData = (chunk) => {
      try {
        this.#assembler.push(chunk, (frame) => this.#receive(frame));
      } catch (error) {
        this.#failure = error instanceof Error ? error : new ClientError(String(error));
        this.#failAll(this.#failure);
        transport.destroy();
      }
    };
  }

  /** Closes at once, without any LOGOFF. */
  close(): void {
    this.transport.destroy();
  }

  /** Bytes as they are. */
  sendRaw(bytes: Buffer): void {
    this.transport.send(bytes);
  }

  /** A message made by hand, in a frame. */
  sendFrame(message: Buffer): void {
    this.transport.send(Buffer.concat([frameHeader(message.length), message]));
  }

  async negotiate(options: NegotiateOptions = {}): Promise<NegotiateResponse> {
    const dialects = options.dialects ?? ALL_DIALECTS;
    this.clientSecurityMode = options.securityMode ?? SecurityMode.SIGNING_ENABLED;
    const request: NegotiateRequest = {
      securityMode: this.clientSecurityMode,
      capabilities:
        options.capabilities ??
        GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL | GlobalCapability.ENCRYPTION,
      clientGuid: options.clientGuid ?? this.clientGuid,
      dialects,
      contexts: options.contexts ?? contextsFor(options),
    };
    const call = this.submit({
      command: Command.NEGOTIATE,
      encode: (writer) => encodeNegotiateRequest(writer, request),
      payload: 0,
    });
    const reply = await call.reply;
    if (reply.status !== NtStatus.SUCCESS) throw new StatusError(reply);
    const response = decodeNegotiateResponse(reply.reader);
    this.dialect = response.dialect;
    this.negotiated = { request, response };
    if (response.dialect === Dialect.SMB_3_1_1) {
      this.preauth.update(call.message);
      this.preauth.update(reply.message);
    }
    this.#settleAlgorithms(response);
    return response;
  }

  #settleAlgorithms(response: NegotiateResponse): void {
    this.signingAlgorithm = defaultSigningAlgorithm(response.dialect);
    if (response.dialect !== Dialect.SMB_3_1_1) {
      const ccm = (response.capabilities & GlobalCapability.ENCRYPTION) !== 0;
      this.cipher = response.dialect >= Dialect.SMB_3_0 && ccm ? 1 : undefined;
      return;
    }
    for (const { type, data } of response.contexts) {
      if (type === NegotiateContextType.ENCRYPTION_CAPABILITIES) {
        const [cipher] = decodeEncryptionCapabilities(data);
        this.cipher = cipher === 0 ? undefined : (cipher as CipherId);
      } else if (type === NegotiateContextType.SIGNING_CAPABILITIES) {
        this.signingAlgorithm = decodeSigningCapabilities(data)[0] as SigningAlgorithm;
      }
    }
  }

  /** Sends one request, as soon as there are credits for it. */
  submit(body: RequestBody, options: RequestOptions = {}): Call {
    const [call] = this.submitCompound([{ body, options }]);
    if (call === undefined) throw new ClientError("no request");
    return call;
  }

  /** Sends one request and waits for its final response, whatever its status. */
  exchange(body: RequestBody, options: RequestOptions = {}): Promise<Reply> {
    return this.submit(body, options).reply;
  }

  /** Sends requests in one frame. They are encrypted together where the first one is. */
  submitCompound(parts: readonly { body: RequestBody; options: RequestOptions }[]): Call[] {
    const charges = parts.map(({ body, options }) => options.header?.creditCharge ?? this.#chargeFor(body.payload));
    const calls = parts.map(({ options }, index) => {
      const messageId = options.header?.messageId ?? this.nextMessageId;
      if (options.header?.messageId === undefined) this.nextMessageId += BigInt(this.#consumed(charges[index] ?? 1));
      const call = new Call(messageId, options);
      this.#calls.set(messageId, call);
      return call;
    });
    const needed = charges.reduce((sum, charge) => sum + this.#consumed(charge), 0);
    const send = () => {
      this.credits -= needed;
      this.#send(parts, calls, charges);
    };
    const fail = (error: Error) => {
      for (const call of calls) this.#fail(call, error);
    };
    if (this.isClosed) fail(this.#failure ?? new ClientError("the connection is closed"));
    else if (this.credits >= needed && this.#waiting.length === 0) send();
    else this.#waiting.push({ needed, send, fail });
    return calls;
  }

  #consumed(charge: number): number {
    return Math.max(charge, 1);
  }

  #chargeFor(payload: number): number {
    if (this.dialect <= Dialect.SMB_2_0_2) return 0;
    return payload === 0 ? 1 : Math.floor((payload - 1) / 65_536) + 1;
  }

  #send(
    parts: readonly { body: RequestBody; options: RequestOptions }[],
    calls: readonly Call[],
    charges: readonly number[],
  ): void {
    const messages = parts.map(({ body, options }, index) => {
      const last = index === parts.length - 1;
      const message = this.#build(body, options, calls[index]?.messageId ?? 0n, charges[index] ?? 1, last);
      const call = calls[index];
      if (call !== undefined) call.message = message;
      return message;
    });
    const { session, encrypt } = parts[0]?.options ?? {};
    if (encrypt !== true) {
      this.sendFrame(Buffer.concat(messages));
      return;
    }
    if (session?.cipher === undefined) throw new ClientError("the session has no key to encrypt with");
    this.sendFrame(Buffer.concat(session.cipher.encrypt(session.sessionId, messages)));
  }

  #build(body: RequestBody, options: RequestOptions, messageId: bigint, charge: number, last: boolean): Buffer {
    const writer = new Writer(256);
    writer.beginMessage();
    encodeHeader(writer, {
      creditCharge: charge,
      status: 0,
      channelSequence: 0,
      command: body.command,
      credits: this.creditsAsked,
      flags: options.related === true ? HeaderFlag.RELATED_OPERATIONS : 0,
      nextCommand: 0,
      messageId,
      asyncId: 0n,
      processId: 0xfeff,
      treeId: options.treeId ?? 0,
      sessionId: options.session?.sessionId ?? 0n,
      signature: NO_SIGNATURE,
      ...options.header,
    });
    body.encode(writer);
    if (!last) {
      writer.align(8);
      writer.patchU32(HeaderOffset.NEXT_COMMAND, options.header?.nextCommand ?? writer.position);
    }
    const message = writer.view();
    if (options.sign === true && options.encrypt !== true) {
      const signer = options.session?.signerOn(this);
      if (signer === undefined) throw new ClientError("the session has no key to sign with");
      message.writeUInt32LE(message.readUInt32LE(HeaderOffset.FLAGS) | HeaderFlag.SIGNED, HeaderOffset.FLAGS);
      signer.sign([message]);
    }
    options.tamper?.(message);
    return message;
  }

  /** Cancels a request (MS-SMB2 3.2.4.24): by its AsyncId once that is known. CANCEL has no response. */
  cancel(call: Call, options: RequestOptions = call.options): void {
    const async = call.asyncId !== 0n;
    const message = this.#build(
      { command: Command.CANCEL, encode: encodeCancelRequest, payload: 0 },
      {
        ...options,
        header: {
          flags: async ? HeaderFlag.ASYNC_COMMAND : 0,
          asyncId: call.asyncId,
          credits: 0,
          ...options.header,
        },
      },
      async ? 0n : call.messageId,
      0,
      true,
    );
    const { session, encrypt } = options;
    if (encrypt === true && session?.cipher !== undefined) {
      this.sendFrame(Buffer.concat(session.cipher.encrypt(session.sessionId, [message])));
    } else {
      this.sendFrame(message);
    }
  }

  #receive(frame: Buffer): void {
    this.onFrame?.(frame);
    let message = frame;
    let encryptedBy: bigint | undefined;
    if (peekProtocolId(frame) === TRANSFORM_PROTOCOL_ID) {
      encryptedBy = frame.readBigUInt64LE(44);
      const cipher = this.sessions.get(encryptedBy)?.cipher;
      if (cipher === undefined) throw new ClientError("encrypted response of an unknown session");
      message = cipher.decrypt(frame.subarray(0, TRANSFORM_HEADER_SIZE), frame.subarray(TRANSFORM_HEADER_SIZE));
    }
    for (let at = 0; ; ) {
      const next = peekNextCommand(message, at);
      if (next % 8 !== 0) throw new ClientError("NextCommand of a response is not a multiple of 8");
      this.#receiveOne(message.subarray(at, next === 0 ? message.length : at + next), encryptedBy);
      if (next === 0) return;
      at += next;
    }
  }

  #receiveOne(message: Buffer, encryptedBy: bigint | undefined): void {
    const reader = new Reader(message);
    const header = decodeHeader(reader);
    if ((header.flags & HeaderFlag.SERVER_TO_REDIR) === 0) throw new ClientError("the server sent a request");
    const reply: Reply = {
      header,
      status: header.status,
      message,
      reader,
      encrypted: encryptedBy !== undefined,
      signed: (header.flags & HeaderFlag.SIGNED) !== 0,
    };
    this.credits += header.credits;
    if (header.messageId === UNSOLICITED) {
      this.notifications.push(reply);
      return;
    }
    const call = this.#calls.get(header.messageId);
    if (call === undefined) {
      if (!this.toleratesUnknown) throw new ClientError(`response to unknown message ${header.messageId}`);
      return;
    }
    const pending = header.status === NtStatus.PENDING && (header.flags & HeaderFlag.ASYNC_COMMAND) !== 0;
    const wrong = call.options.verify === false ? undefined : this.#judge(call, reply, encryptedBy, pending);
    if (wrong !== undefined) {
      this.#fail(call, new ClientError(wrong));
    } else if (pending) {
      call.asyncId = header.asyncId;
      call.resolvePending(reply);
    } else {
      this.#calls.delete(header.messageId);
      call.rejectPending(new ClientError("the final response came at once"));
      call.resolve(reply);
    }
    this.#sendWaiting();
  }

  /** What is wrong with the protection of a response (MS-SMB2 3.2.5.1.1, 3.2.5.1.3). */
  #judge(call: Call, reply: Reply, encryptedBy: bigint | undefined, pending: boolean): string | undefined {
    const { session, sign, encrypt } = call.options;
    if (reply.header.status !== NtStatus.PENDING && call.asyncId !== 0n && call.asyncId !== reply.header.asyncId) {
      return "the final response has another AsyncId than the interim response";
    }
    if (encryptedBy !== undefined) {
      return encryptedBy === session?.sessionId ? undefined : "response encrypted for another session";
    }
    if (encrypt === true) return "response to an encrypted request is not encrypted";
    const signer = session?.signerOn(this);
    if (signer === undefined || reply.header.sessionId !== session?.sessionId) return undefined;
    if (reply.signed) return signer.verify([reply.message]) ? undefined : "wrong signature of a response";
    return sign === true && !pending ? "response to a signed request is not signed" : undefined;
  }

  #sendWaiting(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.credits >= first.needed; first = this.#waiting[0]) {
      this.#waiting.shift();
      first.send();
    }
  }

  #fail(call: Call, error: Error): void {
    this.#calls.delete(call.messageId);
    call.reject(error);
    call.rejectPending(error);
  }

  #failAll(error: Error): void {
    for (const call of [...this.#calls.values()]) this.#fail(call, error);
    this.#waiting = [];
  }
}

const SALT = 32;

function contextsFor(options: NegotiateOptions): NegotiateContext[] {
  const contexts = [preauthIntegrityContext({ hashAlgorithms: [1], salt: randomBytes(SALT) })];
  const ciphers = options.ciphers ?? [2, 1, 4, 3];
  if (ciphers.length > 0) contexts.push(encryptionContext(ciphers));
  const algorithms = options.signingAlgorithms ?? [2, 1, 0];
  if (algorithms.length > 0) contexts.push(signingContext(algorithms));
  return contexts;
}

/** The response, if it is not an error: @throws StatusError */
export function succeeded(reply: Reply): Reply {
  if (reply.status !== NtStatus.SUCCESS) throw new StatusError(reply);
  return reply;
}

/** Length of the SMB2 header, for tests that build messages by hand. */
export const HEADER_LENGTH = HEADER_SIZE;
