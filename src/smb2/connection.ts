// SPDX-License-Identifier: Apache-2.0

import { discard } from "../memory/discard.ts";
import { totalLength } from "../memory/total-length.ts";
import { type Prepared, prepareOnWorker } from "./arrivals.ts";
import { AsyncRequests, strand } from "./async-requests.ts";
import { Chain } from "./chain.ts";
import { handleSmb1Negotiate } from "./commands/smb1-negotiate.ts";
import { splitCompound } from "./compound.ts";
import { type CipherId, DecryptionError } from "./crypto/encryption.ts";
import { PreauthHash } from "./crypto/preauth.ts";
import type { Signer, SigningAlgorithm } from "./crypto/signing.ts";
import { Intake } from "./intake.ts";
import type { Request } from "./request.ts";
import type { Smb2Server } from "./server.ts";
import type { Transport } from "./server-context.ts";
import { SequenceWindow } from "./state/sequence-window.ts";
import type { Session } from "./state/session.ts";
import { Command, HeaderFlag } from "./wire/constants.ts";
import { MalformedPacketError } from "./wire/cursor.ts";
import { FRAME_HEADER_SIZE, frameHeader, writeFrameHeader } from "./wire/frame.ts";
import {
  COMPRESSION_PROTOCOL_ID,
  HEADER_SIZE,
  type Header,
  PROTOCOL_ID,
  peekFlags,
  peekProtocolId,
  peekSessionId,
  SMB1_PROTOCOL_ID,
  TRANSFORM_PROTOCOL_ID,
} from "./wire/header.ts";
import { peekTransformSessionId, TRANSFORM_HEADER_SIZE } from "./wire/transform-header.ts";

/** Largest frame before a session exists: enough for every NEGOTIATE and SESSION_SETUP. */
const MAX_UNAUTHENTICATED_FRAME = 128 * 1024;
/** Room for headers and other fixed parts beside the largest payload. */
const FRAME_OVERHEAD = 64 * 1024;
/** Ended sessions whose keys are kept to sign the news of their end. */
const MAX_DEPARTED = 16;
/** A client's transport connection and what has been negotiated on it (Connection, MS-SMB2 3.3.1.7). */
export class Connection {
  readonly server: Smb2Server;
  readonly transport: Transport;
  readonly sessions = new Map<bigint, Session>();
  /** Sessions that are being bound to it (Connection.PreauthSessionTable). */
  readonly binding = new Set<Session>();
  /** Where requests come in. */
  readonly intake: Intake;
  readonly #window: SequenceWindow;
  readonly #async: AsyncRequests;
  readonly #departed = new Map<bigint, Signer>();
  #closed = false;

  /** Requests whose handler has not settled yet. */
  unfinished = 0;
  /** NegotiateDialect: 0 before NEGOTIATE, 0x02FF after an SMB1 one that wants to go on. */
  dialect = 0;
  clientDialects: readonly number[] = [];
  clientCapabilities = 0;
  serverCapabilities = 0;
  clientSecurityMode = 0;
  serverSecurityMode = 0;
  clientGuid: Buffer = Buffer.alloc(16);
  supportsMultiCredit = false;
  /** Bytes of file data, and of other variable parts, that one request sends or asks for at most. */
  maxTransactSize = 0;
  maxReadSize = 0;
  maxWriteSize = 0;
  /** Connection.SupportsNotifications. */
  supportsNotifications = false;
  cipher: CipherId | undefined;
  signingAlgorithm: SigningAlgorithm = 0;
  preauth = new PreauthHash();

  constructor(server: Smb2Server, transport: Transport) {
    const { options } = server.context;
    this.server = server;
    this.transport = transport;
    this.#window = new SequenceWindow(options.maxCredits);
    this.#async = new AsyncRequests(options.maxAsyncPerConnection);
    this.intake = new Intake(transport, server, MAX_UNAUTHENTICATED_FRAME, {
      prepare: (frame) => prepareOnWorker(this, frame),
      handle: (frame, prepared) => this.#handleFrame(frame, prepared),
      failed: (error) => this.abort(error),
    });
  }

  get remoteAddress(): string {
    return this.transport.remoteAddress;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Requests are being worked on, besides those that wait for something else: a shutdown lets them finish. */
  get isBusy(): boolean {
    return this.unfinished > this.#async.waiting || this.intake.isBusy;
  }

  /** True once a user is logged on. */
  get isAuthenticated(): boolean {
    for (const session of this.sessions.values()) if (session.state !== "in-progress") return true;
    return false;
  }

  /** From now on frames may be as large as the negotiated payloads. */
  allowLargeFrames(): void {
    this.intake.maximumFrame = Math.max(this.maxReadSize, this.maxWriteSize, this.maxTransactSize) + FRAME_OVERHEAD;
  }

  /** Takes bytes from the transport, in whatever pieces; their memory is lent for the call. */
  receive(chunk: Buffer): void {
    this.intake.receive(chunk);
  }

  /** Where the next bytes are wanted: the rest of a frame that has begun. */
  get space(): Buffer | undefined {
    return this.intake.space;
  }

  /** The transport has put so many bytes at the start of {@link space}. */
  filled(count: number): void {
    this.intake.filled(count);
  }

  /** Bytes that go nowhere unless the client does something: takes its answers, or sends the rest of a request. */
  get awaitedBytes(): number {
    return this.intake.awaitedBytes;
  }

  /** Bytes that the client has sent, and those that it has taken, as far as that is known. */
  get movedBytes(): number {
    const { transport } = this;
    return this.intake.receivedBytes + (transport.acknowledgedBytes() ?? transport.sentBytes - transport.queuedBytes);
  }

  /** Ends the connection: at bytes that break the protocol, which are the client's doing, or at a bug, which is logged. */
  abort(error: unknown): void {
    const { log } = this.server.context;
    if (error instanceof MalformedPacketError || error instanceof DecryptionError) {
      log.warn({ client: this.remoteAddress, reason: error.message }, "connection ended: malformed packet");
    } else {
      log.error({ client: this.remoteAddress, err: error }, "connection ended: failure inside the server");
    }
    this.disconnect();
  }

  #handleFrame(frame: Buffer, prepared: Prepared | undefined): void {
    switch (peekProtocolId(frame)) {
      case PROTOCOL_ID:
        new Chain(this, frame, splitCompound(frame), { verified: prepared }).run();
        break;
      case TRANSFORM_PROTOCOL_ID:
        this.#handleEncrypted(frame, prepared);
        break;
      case SMB1_PROTOCOL_ID:
        handleSmb1Negotiate(this, frame);
        break;
      case COMPRESSION_PROTOCOL_ID:
        throw new MalformedPacketError("compressed message, but compression was not negotiated");
      default:
        throw new MalformedPacketError("unknown ProtocolId");
    }
  }

  /** MS-SMB2 3.3.5.2.1.1. */
  #handleEncrypted(frame: Buffer, prepared: Prepared | undefined): void {
    if (frame.length < TRANSFORM_HEADER_SIZE + HEADER_SIZE) throw new MalformedPacketError("short encrypted message");
    const sessionId = peekTransformSessionId(frame);
    const session = this.sessions.get(sessionId) ?? this.server.sessions.get(sessionId);
    if (session?.cipher === undefined || session.state === "closing") {
      throw new MalformedPacketError("encrypted message for a session without keys");
    }
    const message =
      prepared?.kind === "decrypted" && prepared.by === session.cipher
        ? prepared.message
        : session.cipher.decrypt(frame.subarray(0, TRANSFORM_HEADER_SIZE), frame.subarray(TRANSFORM_HEADER_SIZE));
    if (peekProtocolId(message) !== PROTOCOL_ID) throw new MalformedPacketError("no SMB2 message inside encryption");
    const messages = splitCompound(message);
    for (let index = 0; index < messages.length; index++) {
      const inner = messages[index];
      if (inner === undefined) continue;
      const related = (peekFlags(inner) & HeaderFlag.RELATED_OPERATIONS) !== 0;
      if (related && index === 0) throw new MalformedPacketError("an encrypted message begins with a related request");
      if (!related && peekSessionId(inner) !== sessionId) {
        throw new MalformedPacketError("session inside of an encrypted message is another one");
      }
    }
    new Chain(this, frame, messages, { encryptedBy: session }).run();
  }

  /**
   * Takes the message ids of a request out of the window (MS-SMB2 3.3.5.2.3). False, and the connection gone, where they
   * were not the client's to use.
   */
  acceptSequence(header: Header): boolean {
    if ((header.flags & HeaderFlag.SERVER_TO_REDIR) !== 0) {
      this.abort(new MalformedPacketError("a response was sent to the server"));
      return false;
    }
    if (header.command === Command.CANCEL) return true;
    const charge = this.supportsMultiCredit ? Math.max(header.creditCharge, 1) : 1;
    if (!this.#window.consume(Number(header.messageId), charge)) {
      this.abort(new MalformedPacketError(`message id ${header.messageId} is outside of the sequence window`));
      return false;
    }
    return true;
  }

  /** Takes message id 0 for an SMB1 NEGOTIATE that is answered with SMB2 (MS-SMB2 3.3.5.3). */
  acceptSmb1Sequence(): boolean {
    return this.#window.consume(0, 1);
  }

  /** Credits for a response (MS-SMB2 3.3.1.2). Clients that have not logged on here get no more than they use. */
  grantCredits(request: Request): number {
    const { header } = request;
    const trusted = request.hasSession && request.session.channels.has(this);
    return this.#window.grant(trusted ? Math.max(header.credits, 1) : 1);
  }

  grantFirstCredit(): number {
    return this.#window.grant(1);
  }

  /** A request that may wait. @throws SmbError INSUFFICIENT_RESOURCES */
  registerAsync(request: Request): void {
    this.#async.add(request);
    if (this.#closed) strand(request);
  }

  /** The request has its final status. */
  completed(request: Request): void {
    if (request.asyncKey !== 0n) this.#async.remove(request);
    this.server.context.metrics.request(request.header.command, request.status);
  }

  /** A session has ended: its client can still be told so in an answer that it can trust. */
  rememberSigner(sessionId: bigint, signer: Signer): void {
    if (this.#departed.size >= MAX_DEPARTED) this.#departed.delete(this.#departed.keys().next().value ?? 0n);
    this.#departed.set(sessionId, signer);
  }

  departedSigner(sessionId: bigint): Signer | undefined {
    return this.#departed.get(sessionId);
  }

  /** CANCEL has no response (MS-SMB2 3.3.5.16). */
  cancel(request: Request): void {
    this.#async.cancel(request.header);
  }

  /** Cancels what the given test selects, such as all requests of a session that ends. */
  cancelWhere(test: (request: Request) => boolean): void {
    this.#async.cancelWhere(test);
  }

  /** How a response is signed (MS-SMB2 3.3.4.1.1). */
  signerFor(request: Request): Signer | undefined {
    if (request.isEncrypted) return undefined;
    if (request.responseSigner !== undefined || !request.hasSession) return request.responseSigner;
    const { session } = request;
    if (!request.isSigned && !session.signingRequired) return undefined;
    return session.channels.get(this)?.signer;
  }

  /** Sees each response just before it is sent: SESSION_SETUP hashes it (MS-SMB2 3.3.5.5.3). */
  responding(request: Request, message: readonly Buffer[]): void {
    request.onResponse?.(message);
  }

  /**
   * Sends one frame; `head` starts with room for the direct TCP prefix.
   * @param sent the buffers are no longer in use
   */
  sendFrame(head: Buffer, rest: readonly Buffer[], encrypting: Session | undefined, sent?: () => void): void {
    if (this.#closed) {
      sent?.();
      return;
    }
    const length = head.length - FRAME_HEADER_SIZE + totalLength(rest);
    if (encrypting?.cipher === undefined) {
      writeFrameHeader(head, length);
      this.#send(rest.length === 0 ? [head] : [head, ...rest], sent);
      return;
    }
    const { cipher, sessionId } = encrypting;
    const pieces = [head.subarray(FRAME_HEADER_SIZE), ...rest];
    if (cipher.isForWorker(length) && this.server.context.hasSpareProcessor()) {
      this.whenDone(cipher.encryptOnWorker(sessionId, pieces), (message) => this.#sendEncrypted(message, sent));
    } else {
      this.#sendEncrypted(cipher.encrypt(sessionId, pieces), sent);
    }
  }

  #sendEncrypted(message: readonly Buffer[], sent: (() => void) | undefined): void {
    this.#send([frameHeader(totalLength(message)), ...message], () => {
      sent?.();
      // What the cipher made anew; memory of the pool is left alone.
      for (const piece of message) discard(piece);
    });
  }

  #send(frame: readonly Buffer[], sent: (() => void) | undefined): void {
    this.transport.send(frame, sent);
    this.intake.sent();
  }

  /** Sends what workers are busy with as soon as they are done: what the client awaits is not finished before. */
  whenDone<T>(work: Promise<T>, send: (result: T) => void): void {
    this.unfinished++;
    work
      .finally(() => {
        this.unfinished--;
      })
      .then(send)
      .catch((error: unknown) => this.abort(error));
  }

  /** The transport has room again. */
  drained(): void {
    this.intake.drained();
  }

  /** Ends the connection at once (MS-SMB2 3.3.7.1). */
  disconnect(): void {
    if (this.#closed) return;
    this.closed();
    this.transport.destroy();
  }

  /** Ends a connection that gets nothing through to the client: it has another one, or is gone, or does not go on. */
  giveUp(reason = "nothing gets through"): void {
    if (this.#closed) return;
    this.server.context.log.info({ client: this.remoteAddress, reason }, "connection ended");
    this.transport.reset();
    this.closed();
  }

  /** The transport is gone: everything that lives on the connection ends. */
  closed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.intake.close();
    this.#async.cancelWhere((request) => !strand(request));
    this.server.connectionClosed(this);
  }
}
