// SPDX-License-Identifier: Apache-2.0

import { isPromise } from "../nt/awaitable.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import type { Prepared } from "./arrivals.ts";
import type { Connection } from "./connection.ts";
import type { Signer } from "./crypto/signing.ts";
import { dispatch, isGenuineCancel, verifyMessage } from "./dispatch.ts";
import { Request } from "./request.ts";
import type { Session } from "./state/session.ts";
import type { TreeConnect } from "./state/tree-connect.ts";
import { Command, Dialect, HeaderFlag } from "./wire/constants.ts";
import { Reader, Writer } from "./wire/cursor.ts";
import { encodeErrorResponse, errorResponseWithData } from "./wire/error-response.ts";
import type { FileId } from "./wire/file-id.ts";
import { decodeHeader, encodeHeader, HEADER_SIZE, type Header, HeaderOffset, NO_SIGNATURE } from "./wire/header.ts";

/** Bytes of the direct TCP prefix (MS-SMB2 2.1). */
const FRAME_PREFIX = 4;
/** Data up to this size are copied behind the body: cheaper than a further buffer for the kernel. */
const INLINE_DATA = 2048;
const PADDING = Buffer.alloc(8);
/** Bytes of answers to the requests of one frame: together they have to fit a frame of their own, whose length has 24 bits. */
const MAX_ANSWERS = 15 * 1024 * 1024;

/** How a frame was protected. */
interface Protection {
  /** The session whose key decrypted it. */
  readonly encryptedBy?: Session;
  /** What a worker found out about its signature. */
  readonly verified?: Prepared | undefined;
}

/** A finished response, not yet sent. */
interface Response {
  readonly request: Request;
  readonly end: number;
  readonly signer: Signer | undefined;
}

/**
 * The requests of one frame: a single one, or a compound (MS-SMB2 3.3.5.2.7). They run one after the other; their
 * responses go out together, unless the last one has to wait.
 */
export class Chain {
  readonly connection: Connection;
  /** The session whose key decrypted the frame. */
  readonly encryptedBy: Session | undefined;
  /** The signature of the only message, where a worker has looked at it. */
  readonly verified: Prepared | undefined;
  /** What they came in. */
  readonly #frame: Buffer;
  readonly #messages: readonly Buffer[];
  #next = 0;
  /** Where the responses grow; a new one after each send, since the transport keeps what it was given. */
  writer = new Writer(512);
  #responses: Response[] = [];
  /** Bytes of data that wait beside the writer. */
  #dataBytes = 0;

  /** What a related request takes over from the one before (MS-SMB2 3.3.5.2.7.2). */
  session: Session | undefined;
  sessionId = 0n;
  tree: TreeConnect | undefined;
  treeId = 0;
  fileId: FileId | undefined;
  /** Status of the request before. */
  previousStatus: number = NtStatus.SUCCESS;
  /** A chain that starts with a related request has nothing to relate to. */
  #orphaned = false;

  /** @param frame what they came in; its memory is used again once nobody looks at it any more */
  constructor(connection: Connection, frame: Buffer, messages: readonly Buffer[], protection: Protection) {
    this.connection = connection;
    this.#frame = frame;
    this.#messages = messages;
    this.encryptedBy = protection.encryptedBy;
    this.verified = protection.verified;
    this.writer.zeros(FRAME_PREFIX);
  }

  /** Bytes of the frame, which is kept until all of its requests have been answered. */
  get frameLength(): number {
    return this.#frame.length;
  }

  /** True while the request now running is the last one of the frame: only that one may answer later. */
  get isLast(): boolean {
    return this.#next >= this.#messages.length;
  }

  /** The only request of its frame. */
  get isAlone(): boolean {
    return this.#messages.length === 1;
  }

  get isFirst(): boolean {
    return this.#next <= 1;
  }

  /** A request that is not related starts a chain of its own, also in the middle of a frame. */
  startOver(): void {
    this.#orphaned = false;
    this.session = undefined;
    this.tree = undefined;
    this.fileId = undefined;
  }

  /**
   * Gives a related request the session and tree of the one before.
   * @throws SmbError INVALID_PARAMETER for every request of a chain that starts with a related one
   */
  follow(header: Header): void {
    if (this.isFirst) this.#orphaned = true;
    if (this.#orphaned) throw new SmbError(NtStatus.INVALID_PARAMETER);
    header.sessionId = this.sessionId;
    header.treeId = this.treeId;
  }

  /**
   * Makes sure that an answer with so many bytes goes with those that are there already.
   * @throws SmbError INSUFFICIENT_RESOURCES
   */
  reserve(bytes: number): void {
    if (!this.isFirst && this.writer.position + this.#dataBytes + bytes > MAX_ANSWERS) {
      throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
    }
  }

  /** Runs the requests until the end, or until one has to wait. */
  run(): void {
    while (this.#next < this.#messages.length) {
      if (this.connection.isClosed) return;
      const message = this.#messages[this.#next++];
      if (message === undefined) break;
      const reader = new Reader(message);
      const header = decodeHeader(reader);
      verifyMessage(this.connection, header, message.length);
      if (!this.connection.acceptSequence(header)) return;
      const request = new Request(this, header, reader);
      if (header.command === Command.CANCEL) {
        if (isGenuineCancel(request)) this.connection.cancel(request);
        continue;
      }
      this.#begin(request);
      const result = dispatch(request);
      if (isPromise(result)) {
        const { slowRequests } = this.connection.server;
        this.connection.unfinished++;
        this.connection.intake.workOn(this.frameLength);
        slowRequests.begin(request);
        // What the rest of the frame throws here has no caller that could end the connection.
        result
          .then(() => {
            this.connection.unfinished--;
            slowRequests.end(request);
            this.#finish(request);
            this.run();
            this.connection.intake.doneWith(this.frameLength);
          })
          .catch((error: unknown) => this.connection.abort(error));
        return;
      }
      this.#finish(request);
    }
    this.#send();
  }

  #begin(request: Request): void {
    const writer = this.writer;
    if (writer.position > FRAME_PREFIX) this.#padMessage();
    request.start = writer.position;
    writer.beginMessage();
    writer.zeros(HEADER_SIZE);
  }

  /** Every response of a compound is padded to 8 bytes, the last one included (MS-SMB2 3.3.4.1.3). */
  #padMessage(): void {
    const rest = (this.writer.position - FRAME_PREFIX) % 8;
    if (rest !== 0) this.writer.zeros(8 - rest);
  }

  /** Turns a failed request into an error response (MS-SMB2 3.3.4.4). */
  fail(request: Request, status: number): void {
    request.status = status;
    request.data = undefined;
    this.writer.truncate(request.start + HEADER_SIZE);
    const { errorData } = request;
    if (errorData === undefined) encodeErrorResponse(this.writer);
    else
      encodeErrorResponse(this.writer, errorResponseWithData(errorData, this.connection.dialect >= Dialect.SMB_3_1_1));
  }

  #finish(request: Request): void {
    this.connection.completed(request);
    this.previousStatus = request.status;
    if (this.connection.isClosed) return;
    if (request.data !== undefined && request.data.length <= INLINE_DATA) {
      this.writer.bytes(request.data);
      request.data = undefined;
    }
    if (request.data === undefined) takeBack(request);
    else this.#dataBytes += request.lent?.length ?? request.data.length;
    if (this.isAlone) this.#releaseFrame(request);
    if (request.data === undefined && this.#responses.length > 0) this.#padMessage();
    if (request.asyncId === 0n) request.creditsGranted = this.connection.grantCredits(request);
    this.#responses.push({ request, end: this.writer.position, signer: this.connection.signerFor(request) });
  }

  /**
   * The frame of a WRITE carries data that nobody keeps after the answer. Of other requests parts may be kept, and their
   * frames are small.
   */
  #releaseFrame(request: Request): void {
    if (request.header.command !== Command.WRITE || request.maybeOpen?.kind === "pipe") return;
    this.connection.server.buffers.give(this.#frame);
  }

  /**
   * Sends what is finished, then the interim response of the request that now waits. Inside of a compound nothing is sent:
   * the client waits for the whole answer.
   */
  goAsync(request: Request): void {
    this.connection.registerAsync(request);
    if (!this.isLast) return;
    if (this.#responses.length > 0) {
      this.#send();
      this.#restart(request);
    }
    request.creditsGranted = this.connection.grantCredits(request);
    const writer = new Writer(FRAME_PREFIX + HEADER_SIZE + 16);
    writer.zeros(FRAME_PREFIX);
    writer.beginMessage();
    encodeHeader(writer, { ...this.#responseHeader(request), status: NtStatus.PENDING });
    encodeErrorResponse(writer);
    this.connection.sendFrame(writer.view(), [], this.#encryptingSession(request));
    request.creditsGranted = 0;
  }

  /** Gives a request whose predecessors have been sent a writer position of its own, keeping what it has written. */
  #restart(request: Request): void {
    const written = this.writer.view(request.start);
    this.writer = new Writer(512);
    this.writer.zeros(FRAME_PREFIX);
    request.start = this.writer.position;
    this.writer.beginMessage();
    this.writer.bytes(written);
  }

  #responseHeader(request: Request): Header {
    const { header } = request;
    let flags = HeaderFlag.SERVER_TO_REDIR | (header.flags & HeaderFlag.PRIORITY_MASK);
    if (request.isRelated) flags |= HeaderFlag.RELATED_OPERATIONS;
    if (request.asyncId !== 0n) flags |= HeaderFlag.ASYNC_COMMAND;
    if (header.flags & HeaderFlag.REPLAY_OPERATION) flags |= HeaderFlag.REPLAY_OPERATION;
    return {
      creditCharge: header.creditCharge,
      status: request.status,
      channelSequence: 0,
      command: header.command,
      credits: request.creditsGranted,
      flags: flags >>> 0,
      nextCommand: 0,
      messageId: header.messageId,
      asyncId: request.asyncId,
      processId: header.processId,
      treeId: header.treeId,
      sessionId: header.sessionId,
      signature: NO_SIGNATURE,
    };
  }

  /** MS-SMB2 3.3.4.1.4: also who should have encrypted a request, and did not, is told so encrypted. */
  #encryptingSession(request: Request): Session | undefined {
    if (this.encryptedBy !== undefined) return this.encryptedBy;
    const { command } = request.header;
    if (command === Command.NEGOTIATE || command === Command.SESSION_SETUP || !request.hasSession) return undefined;
    const { session } = request;
    if (session.cipher === undefined) return undefined;
    const ofShare = command !== Command.TREE_CONNECT && request.maybeTree?.encryptData === true;
    return session.encryptData || ofShare ? session : undefined;
  }

  /** Sends all finished responses as one frame: each signed by itself, the whole encrypted. */
  #send(): void {
    const responses = this.#responses;
    this.#responses = [];
    this.#dataBytes = 0;
    const first = responses[0];
    if (first === undefined || this.connection.isClosed) return;
    const writer = this.writer;
    const encrypting = this.#encryptingSession(first.request);
    for (const { request } of responses) this.#patchHeader(request);
    const whole = writer.view();
    const pieces: Buffer[] = [];
    let signing: Promise<void>[] | undefined;
    let begin = 0;
    for (let index = 0; index < responses.length; index++) {
      const response = responses[index];
      if (response === undefined) break;
      const following = responses[index + 1];
      const { request, signer } = response;
      const head = whole.subarray(request.start, following?.request.start ?? response.end);
      const message =
        request.data === undefined ? [head] : messagePieces(head, response, request.data, responses.length > 1);
      if (following !== undefined) {
        let length = 0;
        for (const piece of message) length += piece.length;
        head.writeUInt32LE(length, HeaderOffset.NEXT_COMMAND);
      }
      if (signer !== undefined && encrypting === undefined) {
        head.writeUInt32LE((head.readUInt32LE(HeaderOffset.FLAGS) | HeaderFlag.SIGNED) >>> 0, HeaderOffset.FLAGS);
        if (
          signer.isForWorker(request.data?.length ?? 0, "sign") &&
          this.connection.server.context.hasSpareProcessor()
        ) {
          signing ??= [];
          signing.push(signer.signOnWorker(message));
        } else {
          signer.sign(message);
        }
      }
      if (request.data !== undefined) {
        pieces.push(whole.subarray(begin, response.end), ...message.slice(1));
        begin = following?.request.start ?? response.end;
      }
      this.connection.responding(request, message);
    }
    const last = responses[responses.length - 1];
    if (last !== undefined && begin < last.end) pieces.push(whole.subarray(begin, last.end));
    const [head, ...rest] = pieces;
    if (head === undefined) return;
    const lent = responses.some(({ request }) => request.lent !== undefined);
    const send = () =>
      this.connection.sendFrame(head, rest, encrypting, lent ? () => takeBackAll(responses) : undefined);
    if (signing === undefined) send();
    else this.connection.whenDone(Promise.all(signing), send);
  }

  #patchHeader(request: Request): void {
    const end = this.writer.position;
    this.writer.position = request.start;
    encodeHeader(this.writer, this.#responseHeader(request));
    this.writer.position = end;
  }
}

function takeBack(request: Request): void {
  const { lent } = request;
  if (lent === undefined) return;
  request.lent = undefined;
  request.connection.intake.takeBack(lent);
}

function takeBackAll(responses: readonly Response[]): void {
  for (const { request } of responses) takeBack(request);
}

/** Head, data and padding of a response whose data are in a buffer of their own. */
function messagePieces(head: Buffer, response: Response, data: Buffer, padded: boolean): Buffer[] {
  const own = head.subarray(0, response.end - response.request.start);
  if (!padded) return [own, data];
  const rest = (own.length + data.length) % 8;
  return rest === 0 ? [own, data] : [own, data, PADDING.subarray(0, 8 - rest)];
}
