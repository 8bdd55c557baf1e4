// SPDX-License-Identifier: Apache-2.0
/** One TCP connection: PDUs in and out, first the login, then the full feature phase. */
import type { Socket } from "node:net";
import { discard } from "../../../src/memory/discard.ts";
import { digestOf } from "./digest.ts";
import { FullFeaturePhase } from "./full-feature.ts";
import type { IscsiHost } from "./host.ts";
import { type LoginAnswer, LoginPhase } from "./login.ts";
import { ConnectionError, nextSN, Opcode, opcodeOf, type Pdu, paddingOf } from "./pdu.ts";
import { PduReader } from "./pdu-reader.ts";
import type { Session } from "./session.ts";

/** RFC 7143 13.12: nothing longer comes before MaxRecvDataSegmentLength was declared. */
const loginDataSegment = 8192;
/** With more than this waiting to be sent, no more commands are read. */
const maxUnsentBytes = 8 * 1024 * 1024;
const zeros = Buffer.alloc(3);

export class Connection {
  readonly portalGroup: number;
  /** address:port of the array's end, as the initiator reached it. */
  readonly localAddress: string;
  readonly #socket: Socket;
  readonly #host: IscsiHost;
  readonly #reader = new PduReader(loginDataSegment, (header, bytes) => this.#phase?.placeOf(header, bytes));
  #login: LoginPhase | undefined;
  #phase: FullFeaturePhase | undefined;
  #session: Session | undefined;
  #statSN = 1;
  #headerDigest = false;
  #dataDigest = false;
  #corrupt: "header" | "data" | undefined;

  constructor(socket: Socket, portalGroup: number, host: IscsiHost) {
    this.portalGroup = portalGroup;
    const { localAddress = "", localPort = 0 } = socket;
    this.localAddress = localAddress.includes(":") ? `[${localAddress}]:${localPort}` : `${localAddress}:${localPort}`;
    this.#socket = socket;
    this.#host = host;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => socket.resume());
    socket.on("error", () => this.drop());
    socket.on("close", () => this.#ended());
  }

  get session(): Session | undefined {
    return this.#session;
  }

  /** The StatSN of the next response. */
  get statSN(): number {
    return this.#statSN;
  }

  /** The next PDU with data, or the next one at all, goes out with a digest that does not match. */
  corruptNext(what: "header" | "data"): void {
    this.#corrupt = what;
  }

  /**
   * Sends a PDU that does not take a StatSN; bytes 24 to 27 are the caller's.
   *
   * @param sent called once the operating system has the data; never where the connection ends before
   */
  send(header: Buffer, data?: Buffer, sent?: () => void): void {
    const session = this.#session;
    if (session !== undefined) {
      header.writeUInt32BE(session.expCmdSN, 28);
      header.writeUInt32BE(session.maxCmdSN, 32);
    }
    const length = data?.length ?? 0;
    header.writeUIntBE(length, 5, 3);
    const socket = this.#socket;
    socket.cork();
    socket.write(header);
    if (this.#headerDigest) socket.write(this.#digest("header", header));
    if (data !== undefined && length > 0) {
      if (sent === undefined) socket.write(data);
      else socket.write(data, (error) => (error ? undefined : sent()));
      const padding = zeros.subarray(0, paddingOf(length));
      if (padding.length > 0) socket.write(padding);
      if (this.#dataDigest) socket.write(this.#digest("data", data, padding));
    }
    socket.uncork();
    if (socket.writableLength > maxUnsentBytes) socket.pause();
  }

  /** Sends a PDU that takes the next StatSN. */
  sendStatus(header: Buffer, data?: Buffer, sent?: () => void): void {
    header.writeUInt32BE(this.#statSN, 24);
    this.#statSN = nextSN(this.#statSN);
    this.send(header, data, sent);
  }

  /** Asks the initiator for a sign of life. */
  ping(): void {
    this.#phase?.ping();
  }

  /** Sends an Asynchronous Message; one that announces the end is followed by it. */
  announce(event: number, parameters: readonly [number, number, number]): void {
    this.#phase?.announce(event, parameters);
  }

  /** Cuts the connection off; nothing that waits is sent. */
  drop(): void {
    this.#socket.destroy();
  }

  /** Ends the connection once everything is sent. */
  end(): void {
    this.#socket.end();
  }

  #digest(kind: "header" | "data", ...parts: Buffer[]): Buffer {
    const digest = digestOf(...parts);
    if (this.#corrupt === kind) {
      this.#corrupt = undefined;
      digest.writeUInt8(digest.readUInt8(0) ^ 0xff, 0);
    }
    return digest;
  }

  #receive(chunk: Buffer): void {
    try {
      this.#reader.push(chunk, (pdu) => {
        if (!this.#socket.destroyed) this.#deliver(pdu);
      });
      discard(chunk);
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#host.log(`connection dropped: ${error.message}`);
      this.drop();
    }
  }

  #deliver(pdu: Pdu): void {
    if (this.#phase !== undefined) {
      this.#phase.handle(pdu);
      return;
    }
    if (opcodeOf(pdu.header) !== Opcode.LOGIN_REQUEST) throw new ConnectionError("no login");
    this.#login ??= new LoginPhase({
      options: this.#host.options,
      portalGroup: this.portalGroup,
      admit: (name) => this.#host.admit(name, this.portalGroup),
      establish: (identity) => {
        const session = this.#host.establish(identity, this);
        if (typeof session === "number") return { refused: session };
        this.#session = session;
        return { tsih: session.tsih };
      },
    });
    this.#answerLogin(this.#login, this.#login.handle(pdu));
  }

  #answerLogin(login: LoginPhase, answer: LoginAnswer): void {
    this.send(answer.header, answer.data);
    if (answer.refused) {
      this.end();
      return;
    }
    const { established } = answer;
    const session = this.#session;
    if (established === undefined || session === undefined) return;
    const { parameters } = established;
    this.#statSN = login.statSN;
    this.#headerDigest = parameters.headerDigest;
    this.#dataDigest = parameters.dataDigest;
    this.#reader.headerDigest = parameters.headerDigest;
    this.#reader.dataDigest = parameters.dataDigest;
    this.#reader.maxDataSegment = this.#host.options.maxRecvDataSegmentLength;
    this.#login = undefined;
    this.#phase = new FullFeaturePhase(this, session, this.#host);
  }

  #ended(): void {
    this.#phase?.close();
    if (this.#session !== undefined) this.#host.sessionEnded(this.#session);
    this.#host.connectionEnded(this);
  }
}
