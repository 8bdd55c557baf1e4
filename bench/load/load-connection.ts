// SPDX-License-Identifier: Apache-2.0

import { discard } from "../../src/memory/discard.ts";
import { NtStatus, statusName } from "../../src/nt/status.ts";
import type { Signer } from "../../src/smb2/crypto/signing.ts";
import { Dialect, HeaderFlag } from "../../src/smb2/wire/constants.ts";
import { Writer } from "../../src/smb2/wire/cursor.ts";
import { FRAME_HEADER_SIZE, frameHeader } from "../../src/smb2/wire/frame.ts";
import {
  encodeHeader,
  HEADER_SIZE,
  HeaderOffset,
  NO_SIGNATURE,
  peekNextCommand,
  peekProtocolId,
  TRANSFORM_PROTOCOL_ID,
} from "../../src/smb2/wire/header.ts";
import { align8 } from "../../src/smb2/wire/layout.ts";
import { TRANSFORM_HEADER_SIZE } from "../../src/smb2/wire/transform-header.ts";
import { type Account, logOn, type SmbTree } from "../../test/support/smb-client.ts";
import { SmbConnection } from "../../test/support/smb-connection.ts";
import type { RequestBody } from "../../test/support/smb-requests.ts";
import { FrameStream } from "./frame-stream.ts";
import { cipherOf, Gcm, isEncrypted, isSigned, type Protection, signingAlgorithmOf } from "./protection.ts";
import { ReusedBufferTransport } from "./reused-buffer-transport.ts";

/** A request that can be sent any number of times. */
export interface Message {
  /** Header and body, without MessageId and Signature. */
  readonly bytes: Buffer;
  readonly creditCharge: number;
  /** Follows `bytes`; it is never copied. Only in a message that is sent alone, or last. */
  readonly payload?: Buffer;
}

/**
 * Looks at a response.
 * @param message from its header on, good for the time of the call; at least its fixed part is there
 * @param length of the whole message
 * @param index of the request that it answers, in its compound
 */
export type Accept = (message: Buffer, length: number, index: number) => void;

export interface ConnectionOptions {
  readonly port: number;
  readonly account: Account;
  readonly share: string;
  readonly protection: Protection;
}

interface Exchange {
  missing: number;
  status: number;
  readonly accept: Accept | undefined;
  readonly resolve: (status: number) => void;
  readonly reject: (error: Error) => void;
}

interface Place {
  readonly exchange: Exchange;
  readonly index: number;
}

interface Waiting {
  readonly bytes: Buffer;
  readonly messages: readonly Message[];
  readonly needed: number;
  readonly exchange: Exchange;
}

const CREDITS_ASKED = 512;
/** One in so many of the signed responses has its signature checked. Encrypted ones are checked where they are whole. */
const VERIFYING = 16;
/** The bits of an NTSTATUS that make it an error (MS-ERREF 2.3). */
const ERROR_SEVERITY = 0xc000_0000;

/**
 * A connection that sends as much as it can for as little as it can: prepared requests, no copy of what comes in, and a check of
 * a sample of what is long or signed. It speaks 3.1.1 and knows one session and one tree connect.
 */
export class LoadConnection {
  readonly transport: ReusedBufferTransport;
  readonly maximumSize: number;
  readonly #tree: SmbTree;
  readonly #signer: Signer | undefined;
  readonly #gcm: Gcm | undefined;
  readonly #places = new Map<number, Place>();
  #waiting: Waiting[] = [];
  #nextMessageId: number;
  #credits: number;
  #responses = 0;
  #failure: Error | undefined;

  private constructor(transport: ReusedBufferTransport, tree: SmbTree, protection: Protection) {
    const { session } = tree;
    const { connection, keys, sessionId } = session;
    this.transport = transport;
    this.#tree = tree;
    this.#nextMessageId = Number(connection.nextMessageId);
    this.#credits = connection.credits;
    this.maximumSize = connection.negotiated?.response.maxReadSize ?? 65_536;
    if (isSigned(protection)) this.#signer = session.signerOn(connection);
    if (isEncrypted(protection)) {
      const { serverIn, serverOut } = keys ?? {};
      if (serverIn === undefined || serverOut === undefined) throw new Error("the server does not encrypt");
      this.#gcm = new Gcm({ protection, sessionId, clientKey: serverIn, serverKey: serverOut });
    }
    const frames = new FrameStream((bytes, length) => this.#receive(bytes, length));
    transport.onData = (chunk) => {
      try {
        frames.push(chunk);
      } catch (error) {
        this.#fail(error instanceof Error ? error : new Error(String(error)));
        transport.destroy();
      }
    };
    transport.onClose = () => this.#fail(new Error("the connection was closed"));
    transport.lends = true;
  }

  /** Connects, negotiates, logs on and connects to a share. @throws StatusError, ClientError */
  static async open({ port, account, share, protection }: ConnectionOptions): Promise<LoadConnection> {
    const transport = await ReusedBufferTransport.connect(port);
    try {
      const connection = new SmbConnection(transport);
      connection.creditsAsked = CREDITS_ASKED;
      await connection.negotiate({
        dialects: [Dialect.SMB_3_1_1],
        ciphers: [cipherOf(protection)],
        signingAlgorithms: [signingAlgorithmOf(protection)],
      });
      const session = await logOn(connection, account, {
        encrypt: isEncrypted(protection),
        sign: isSigned(protection),
      });
      return new LoadConnection(transport, await session.treeConnect(share), protection);
    } catch (error) {
      transport.destroy();
      throw error;
    }
  }

  /** Credits in hand. */
  get credits(): number {
    return this.#credits;
  }

  close(): void {
    this.transport.destroy();
  }

  prepare(body: RequestBody, options: { readonly related?: boolean; readonly payload?: Buffer } = {}): Message {
    const { related = false, payload } = options;
    const creditCharge = Math.max(1, Math.ceil(body.payload / 65_536));
    const writer = new Writer(256);
    writer.beginMessage();
    encodeHeader(writer, {
      creditCharge,
      status: 0,
      channelSequence: 0,
      command: body.command,
      credits: CREDITS_ASKED,
      flags: (related ? HeaderFlag.RELATED_OPERATIONS : 0) | (this.#signer === undefined ? 0 : HeaderFlag.SIGNED),
      nextCommand: 0,
      messageId: 0n,
      asyncId: 0n,
      processId: 0xfeff,
      treeId: this.#tree.treeId,
      sessionId: this.#tree.session.sessionId,
      signature: NO_SIGNATURE,
    });
    body.encode(writer);
    return { bytes: Buffer.from(writer.view()), creditCharge, ...(payload === undefined ? {} : { payload }) };
  }

  /**
   * Sends a request, or several in one frame, and waits for all of their responses. What is sent is what the messages are now.
   * @returns the NTSTATUS of the last one
   * @throws Error where one of them is an error
   */
  exchange(messages: readonly Message[], accept?: Accept): Promise<number> {
    return new Promise((resolve, reject) => {
      const exchange: Exchange = { missing: messages.length, status: 0, accept, resolve, reject };
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      const needed = messages.reduce((sum, { creditCharge }) => sum + creditCharge, 0);
      const waiting = { bytes: joined(messages), messages, needed, exchange };
      if (this.#waiting.length === 0 && this.#credits >= needed) this.#send(waiting);
      else this.#waiting.push(waiting);
    });
  }

  #send({ bytes, messages, needed, exchange }: Waiting): void {
    this.#credits -= needed;
    const payload = messages[messages.length - 1]?.payload;
    let at = FRAME_HEADER_SIZE;
    for (const [index, message] of messages.entries()) {
      const last = index === messages.length - 1;
      const end = last ? bytes.length : at + align8(message.bytes.length);
      const id = this.#nextMessageId;
      this.#nextMessageId += message.creditCharge;
      bytes.writeUInt32LE(id >>> 0, at + HeaderOffset.MESSAGE_ID);
      bytes.writeUInt32LE(Math.floor(id / 2 ** 32), at + HeaderOffset.MESSAGE_ID + 4);
      if (!last) bytes.writeUInt32LE(end - at, at + HeaderOffset.NEXT_COMMAND);
      const view = bytes.subarray(at, end);
      this.#signer?.sign(last && payload !== undefined ? [view, payload] : [view]);
      this.#places.set(id, { exchange, index });
      at = end;
    }
    const more = payload === undefined ? [] : [payload];
    if (this.#gcm === undefined) {
      bytes.writeUInt32BE(bytes.length - FRAME_HEADER_SIZE + (payload?.length ?? 0));
      this.transport.write([bytes, ...more]);
      return;
    }
    const sealed = this.#gcm.seal([bytes.subarray(FRAME_HEADER_SIZE), ...more]);
    const length = sealed.reduce((sum, piece) => sum + piece.length, 0);
    this.transport.write([frameHeader(length), ...sealed], () => sealed.forEach(discard));
  }

  #receive(frame: Buffer, frameLength: number): void {
    let message = frame;
    let length = frameLength;
    const whole = frame.length === frameLength;
    if (peekProtocolId(frame) === TRANSFORM_PROTOCOL_ID) {
      if (this.#gcm === undefined) throw new Error("an encrypted response without need");
      message = whole ? this.#gcm.open(frame) : this.#gcm.peek(frame);
      length = frameLength - TRANSFORM_HEADER_SIZE;
    } else if (this.#gcm !== undefined) {
      throw new Error("a response that is not encrypted");
    }
    for (let at = 0; ; ) {
      const next = peekNextCommand(message, at);
      if (next !== 0 && !whole) throw new Error("a compound response that is too long");
      const end = next === 0 ? message.length : at + next;
      this.#receiveOne(message.subarray(at, end), next === 0 ? length - at : next, whole);
      if (next === 0) return;
      at = end;
    }
  }

  #receiveOne(message: Buffer, length: number, whole: boolean): void {
    const status = message.readUInt32LE(HeaderOffset.STATUS);
    const flags = message.readUInt32LE(HeaderOffset.FLAGS);
    this.#credits += message.readUInt16LE(HeaderOffset.CREDITS);
    const interim = status === NtStatus.PENDING && (flags & HeaderFlag.ASYNC_COMMAND) !== 0;
    const id =
      message.readUInt32LE(HeaderOffset.MESSAGE_ID) + message.readUInt32LE(HeaderOffset.MESSAGE_ID + 4) * 2 ** 32;
    const place = this.#places.get(id);
    // Oplock breaks have no place; none is asked for.
    if (place === undefined || interim) return;
    this.#places.delete(id);
    this.#responses += 1;
    if (this.#signer !== undefined && whole && this.#responses % VERIFYING === 0 && !this.#signer.verify([message])) {
      throw new Error("a wrong signature");
    }
    const { exchange, index } = place;
    if (status >= ERROR_SEVERITY) {
      const command = message.readUInt16LE(HeaderOffset.COMMAND);
      exchange.reject(new Error(`${statusName(status)} for command ${command}`));
    } else {
      exchange.accept?.(message, length, index);
    }
    exchange.status = status;
    exchange.missing -= 1;
    if (exchange.missing === 0) exchange.resolve(exchange.status);
    this.#sendWaiting();
  }

  #sendWaiting(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#credits >= first.needed; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#send(first);
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { exchange } of this.#places.values()) exchange.reject(this.#failure);
    for (const { exchange } of this.#waiting) exchange.reject(this.#failure);
    this.#places.clear();
    this.#waiting = [];
  }
}

/** The messages of a frame behind each other, with room for the frame's header in front. */
function joined(messages: readonly Message[]): Buffer {
  let length = FRAME_HEADER_SIZE;
  messages.forEach(({ bytes }, index) => {
    length += index === messages.length - 1 ? bytes.length : align8(bytes.length);
  });
  const result = Buffer.allocUnsafe(length);
  let at = FRAME_HEADER_SIZE;
  for (const { bytes } of messages) {
    bytes.copy(result, at);
    const end = Math.min(align8(bytes.length) + at, length);
    result.fill(0, at + bytes.length, end);
    at = end;
  }
  return result;
}

/** Where the fields of responses are that loads look at, from the header on. */
export const ResponseOffset = {
  /** FileId of a CREATE response (MS-SMB2 2.2.14). */
  CREATE_FILE_ID: HEADER_SIZE + 64,
  /** DataLength of a READ response (MS-SMB2 2.2.20). */
  READ_LENGTH: HEADER_SIZE + 4,
  /** Count of a WRITE response (MS-SMB2 2.2.22). */
  WRITE_COUNT: HEADER_SIZE + 4,
} as const;
