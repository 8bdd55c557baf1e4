// SPDX-License-Identifier: Apache-2.0

import { ProtocolError, TransportError } from "../errors.ts";
import { initiatorTaskTagOf, NO_TAG, Opcode, opcodeOf, statSnOf } from "./bhs.ts";
import { isLoginResult, Login, type LoginOptions, type LoginResult } from "./login.ts";
import { initialParameters, type SessionParameters } from "./negotiation.ts";
import { type DataPlacement, type PduHandler, PduReader } from "./pdu-reader.ts";
import { assemblePdu } from "./pdu-writer.ts";
import { nextSerial, serialDistance } from "./serial.ts";
import type { ByteStream, StreamEvents } from "./transport.ts";

/** What a connection tells in the full feature phase. Whatever a handler throws ends the connection. */
export interface ConnectionEvents extends PduHandler {
  /** Once; no buffer is in use any more. */
  closed(error: Error): void;
}

const NO_DATA: readonly Buffer[] = [];

/** True for PDUs whose StatSN is taken up: those that the target numbers (RFC 7143 4.2.2.2). */
function isNumbered(bhs: Buffer): boolean {
  switch (opcodeOf(bhs)) {
    case Opcode.DATA_IN:
      return ((bhs[1] ?? 0) & 0x01) !== 0;
    case Opcode.R2T:
      return false;
    case Opcode.NOP_IN:
      return initiatorTaskTagOf(bhs) !== NO_TAG;
    default:
      return true;
  }
}

/** One TCP connection: login, then PDUs (RFC 7143 4.2). */
export class IscsiConnection implements PduHandler, StreamEvents {
  parameters: SessionParameters = initialParameters();
  expStatSn = 0;
  readonly #stream: ByteStream;
  readonly #reader: PduReader;
  #login: Login | undefined;
  #attach: ((result: LoginResult) => ConnectionEvents) | undefined;
  #loginFailed: ((error: Error) => void) | undefined;
  #events: ConnectionEvents | undefined;
  #error: Error | undefined;

  constructor(stream: ByteStream, maxRecvDataSegmentLength: number) {
    this.#stream = stream;
    this.#reader = new PduReader(this, maxRecvDataSegmentLength);
  }

  get localAddress(): string {
    return this.#stream.localAddress;
  }

  /** True until the connection has failed or was given up. */
  get open(): boolean {
    return this.#error === undefined;
  }

  /**
   * Goes through the login phase. `attach` is called as soon as it is over, before anything further that has come is looked at.
   * @throws LoginRedirect, LoginError, TransportError; the connection is closed then
   */
  login(options: LoginOptions, attach: (result: LoginResult) => ConnectionEvents): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#loginFailed = reject;
      this.#attach = (result) => {
        resolve();
        return attach(result);
      };
      try {
        this.#login = new Login(options);
        const { bhs, data } = this.#login.start();
        this.#stream.begin(this);
        this.send(bhs, [data], data.length);
      } catch (error) {
        this.#stream.begin(this);
        this.fail(asError(error));
      }
    });
  }

  /** Queues a PDU. Its data must not be changed until `done`, or until the connection is closed. */
  send(bhs: Buffer, data: readonly Buffer[] = NO_DATA, length = 0, done?: () => void): void {
    const { headerDigest, dataDigest } = this.#reader;
    this.#stream.send(assemblePdu(bhs, data, length, headerDigest, dataDigest), done);
  }

  /** Gives the connection up; `closed` follows. */
  fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    this.#stream.destroy();
  }

  received(chunk: Buffer): void {
    if (this.#error !== undefined) return;
    try {
      this.#reader.feed(chunk);
    } catch (error) {
      this.fail(asError(error));
    }
  }

  room(): Buffer | undefined {
    return this.#error === undefined ? this.#reader.room() : undefined;
  }

  filled(count: number): void {
    if (this.#error !== undefined) return;
    try {
      this.#reader.filled(count);
    } catch (error) {
      this.fail(asError(error));
    }
  }

  closed(error: Error | undefined): void {
    const cause = this.#error ?? new TransportError(error?.message ?? "the target closed the connection");
    this.#error = cause;
    this.#loginFailed?.(cause);
    this.#loginFailed = undefined;
    this.#events?.closed(cause);
  }

  header(bhs: Buffer): DataPlacement | undefined {
    if (this.#error !== undefined) throw this.#error;
    return this.#events?.header(bhs);
  }

  pdu(bhs: Buffer, data: Buffer): void {
    if (this.#events === undefined) {
      this.#loginPdu(bhs, data);
      return;
    }
    if (isNumbered(bhs)) {
      const next = nextSerial(statSnOf(bhs));
      if (serialDistance(next, this.expStatSn) > 0) this.expStatSn = next;
    }
    this.#events.pdu(bhs, data);
  }

  #loginPdu(bhs: Buffer, data: Buffer): void {
    if (this.#login === undefined || this.#attach === undefined || opcodeOf(bhs) !== Opcode.LOGIN_RESPONSE) {
      throw new ProtocolError("something else came than the answer to a login");
    }
    const step = this.#login.receive(bhs, data);
    if (!isLoginResult(step)) {
      this.send(step.bhs, [step.data], step.data.length);
      return;
    }
    this.parameters = step.parameters;
    this.expStatSn = step.expStatSn;
    this.#reader.headerDigest = step.parameters.headerDigest;
    this.#reader.dataDigest = step.parameters.dataDigest;
    this.#loginFailed = undefined;
    this.#events = this.#attach(step);
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new TransportError(String(error));
}
