// SPDX-License-Identifier: Apache-2.0
/** As much of an initiator as the tests of the array need: PDUs made by hand, commands one after the other. */
import { connect, type Socket } from "node:net";
import { crc32c } from "@node-rs/crc32";
import { type SimulatedArray, startArray } from "../../../conformance/array/array.ts";

export interface ReceivedPdu {
  readonly header: Buffer;
  readonly data: Buffer;
}

export interface CommandResult {
  readonly status: number;
  readonly data: Buffer;
  /** `5/24/00`, or empty. */
  readonly sense: string;
  readonly senseData: Buffer;
  readonly residual: number;
  /** R2Ts that were answered. */
  readonly r2ts: { readonly offset: number; readonly length: number }[];
}

export interface CommandOptions {
  readonly out?: Buffer;
  /** Expected Data Transfer Length of a read. */
  readonly in?: number;
  readonly lun?: number;
  /** Bytes of `out` that go with the command; default: as many as were negotiated. */
  readonly immediate?: number;
  readonly attribute?: number;
}

const text = (keys: Readonly<Record<string, string>>) =>
  Buffer.from(
    Object.entries(keys)
      .map(([key, value]) => `${key}=${value}\0`)
      .join(""),
  );

export function readText(data: Buffer): Record<string, string> {
  const pairs = data.toString("utf8").split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => pair.split(/=(.*)/s, 2)));
}

export class TestInitiator {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  readonly #pdus: ReceivedPdu[] = [];
  #wake: () => void = () => {};
  #ended = false;
  #digests = { header: false, data: false };
  cmdSN = 1;
  #taskTag = 0;
  readonly isid: Buffer;
  firstBurst = 65_536;
  immediateData = true;
  maxSegment = 8192;

  private constructor(socket: Socket, isid: number) {
    this.#socket = socket;
    this.isid = Buffer.from([0x80, 0, 0, 0, 0, isid]);
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#cut();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on("close", end);
    socket.on("error", end);
  }

  static async connect(array: SimulatedArray, isid = 1, portal = 0): Promise<TestInitiator> {
    const { host, port } = array.portals[portal] ?? { host: "", port: 0 };
    const socket = connect({ host, port });
    await new Promise<void>((resolve, reject) => socket.once("connect", () => resolve()).once("error", reject));
    return new TestInitiator(socket, isid);
  }

  /** Connects and logs in with the given operational keys. */
  static async login(
    array: SimulatedArray,
    options: {
      readonly isid?: number;
      readonly portal?: number;
      readonly keys?: Readonly<Record<string, string>>;
    } = {},
  ): Promise<TestInitiator> {
    const initiator = await TestInitiator.connect(array, options.isid, options.portal);
    const reply = await initiator.loginRequest(1, 3, {
      InitiatorName: "iqn.2026-01.com.example:test",
      TargetName: array.targets[0]?.name ?? "",
      SessionType: "Normal",
      InitialR2T: "No",
      MaxRecvDataSegmentLength: "65536",
      ...options.keys,
    });
    if (reply.status !== 0) throw new Error(`login refused with ${reply.status.toString(16)}`);
    initiator.#digests = {
      header: reply.keys["HeaderDigest"] === "CRC32C",
      data: reply.keys["DataDigest"] === "CRC32C",
    };
    initiator.immediateData = reply.keys["ImmediateData"] !== "No";
    initiator.maxSegment = Number(reply.keys["MaxRecvDataSegmentLength"] ?? 8192);
    return initiator;
  }

  /** Logs in and takes the unit attention that every new nexus finds. */
  static async ready(...args: Parameters<typeof TestInitiator.login>): Promise<TestInitiator> {
    const initiator = await TestInitiator.login(...args);
    for (const lun of args[0].targets[0]?.luns.keys() ?? []) await initiator.command("000000000000", { lun });
    return initiator;
  }

  get ended(): boolean {
    return this.#ended;
  }

  end(): void {
    this.#socket.destroy();
  }

  #cut(): void {
    for (;;) {
      if (this.#received.length < 48) break;
      const length = this.#received.readUIntBE(5, 3);
      const headerDigest = this.#digests.header ? 4 : 0;
      const dataDigest = this.#digests.data && length > 0 ? 4 : 0;
      const total = 48 + headerDigest + length + (-length & 3) + dataDigest;
      if (this.#received.length < total) break;
      const pdu = this.#received.subarray(0, total);
      const at = 48 + headerDigest;
      if (headerDigest > 0 && pdu.readUInt32LE(48) !== crc32c(pdu.subarray(0, 48))) throw new Error("header digest");
      if (dataDigest > 0 && pdu.readUInt32LE(total - 4) !== crc32c(pdu.subarray(at, total - 4))) {
        throw new Error("data digest");
      }
      this.#pdus.push({ header: pdu.subarray(0, 48), data: pdu.subarray(at, at + length) });
      this.#received = this.#received.subarray(total);
    }
    this.#wake();
  }

  /** The next PDU; rejects when the connection ends. */
  async receive(): Promise<ReceivedPdu> {
    while (this.#pdus.length === 0) {
      if (this.#ended) throw new Error("the connection ended");
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    const pdu = this.#pdus.shift();
    if (pdu === undefined) throw new Error("no PDU");
    return pdu;
  }

  /** Resolves when the array has cut the connection. */
  async untilEnd(): Promise<void> {
    while (!this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  send(header: Buffer, data: Buffer = Buffer.alloc(0)): void {
    header.writeUIntBE(data.length, 5, 3);
    const padding = Buffer.alloc(-data.length & 3);
    const parts = [header];
    const digest = (...of: Buffer[]) => {
      const value = Buffer.alloc(4);
      value.writeUInt32LE(crc32c(Buffer.concat(of)), 0);
      return value;
    };
    if (this.#digests.header) parts.push(digest(header));
    parts.push(data, padding);
    if (this.#digests.data && data.length > 0) parts.push(digest(data, padding));
    this.#socket.write(Buffer.concat(parts));
  }

  async loginRequest(
    stage: number,
    next: number,
    keys: Readonly<Record<string, string>>,
  ): Promise<{ status: number; keys: Record<string, string>; header: Buffer }> {
    const header = Buffer.alloc(48);
    header.writeUInt8(0x43, 0);
    header.writeUInt8(0x80 | (stage << 2) | next, 1);
    this.isid.copy(header, 8);
    header.writeUInt32BE(this.cmdSN, 24);
    this.send(header, text(keys));
    const reply = await this.receive();
    return { status: reply.header.readUInt16BE(36), keys: readText(reply.data), header: reply.header };
  }

  /** The header of a numbered request. */
  request(opcode: number, flags: number, lun = 0): Buffer {
    const header = Buffer.alloc(48);
    header.writeUInt8(opcode, 0);
    header.writeUInt8(flags, 1);
    header.writeUInt8(lun, 9);
    this.#taskTag += 1;
    header.writeUInt32BE(this.#taskTag, 16);
    header.writeUInt32BE(0xffffffff, 20);
    header.writeUInt32BE(this.cmdSN, 24);
    if ((opcode & 0x40) === 0) this.cmdSN += 1;
    return header;
  }

  /** Sends a SCSI command with its immediate data; gives the task tag. */
  start(cdb: string, options: CommandOptions = {}): number {
    const { out, lun = 0 } = options;
    const write = out === undefined ? 0 : 0x20;
    const read = options.in === undefined ? 0 : 0x40;
    const header = this.request(0x01, 0x80 | write | read | (options.attribute ?? 1), lun);
    header.writeUInt32BE(out?.length ?? options.in ?? 0, 20);
    Buffer.from(cdb.replaceAll(" ", ""), "hex").copy(header, 32);
    const most = this.immediateData ? Math.min(this.firstBurst, this.maxSegment) : 0;
    this.send(header, out?.subarray(0, options.immediate ?? most));
    return header.readUInt32BE(16);
  }

  /** Answers R2Ts and collects Data-In until the task is over. */
  async finish(taskTag: number, out?: Buffer): Promise<CommandResult> {
    const pieces: Buffer[] = [];
    const r2ts: { offset: number; length: number }[] = [];
    for (;;) {
      const { header, data } = await this.receive();
      const opcode = header.readUInt8(0) & 0x3f;
      if (header.readUInt32BE(16) !== taskTag) continue;
      if (opcode === 0x31) {
        const offset = header.readUInt32BE(40);
        const length = header.readUInt32BE(44);
        r2ts.push({ offset, length });
        this.#dataOut(
          taskTag,
          header.readUInt32BE(20),
          offset,
          out?.subarray(offset, offset + length) ?? Buffer.alloc(0),
        );
      } else if (opcode === 0x25) {
        pieces.push(data);
        if ((header.readUInt8(1) & 1) !== 0) return result(header, Buffer.concat(pieces), Buffer.alloc(0), r2ts);
      } else if (opcode === 0x21) {
        const sense = data.length > 2 ? data.subarray(2, 2 + data.readUInt16BE(0)) : Buffer.alloc(0);
        return result(header, Buffer.concat(pieces), sense, r2ts);
      } else throw new Error(`unexpected opcode ${opcode.toString(16)}`);
    }
  }

  #dataOut(taskTag: number, transferTag: number, offset: number, data: Buffer): void {
    for (let done = 0, serial = 0; done < data.length; serial += 1) {
      const piece = data.subarray(done, done + this.maxSegment);
      done += piece.length;
      const header = Buffer.alloc(48);
      header.writeUInt8(0x05, 0);
      header.writeUInt8(done === data.length ? 0x80 : 0, 1);
      header.writeUInt32BE(taskTag, 16);
      header.writeUInt32BE(transferTag, 20);
      header.writeUInt32BE(serial, 36);
      header.writeUInt32BE(offset + done - piece.length, 40);
      this.send(header, piece);
    }
  }

  command(cdb: string, options: CommandOptions = {}): Promise<CommandResult> {
    return this.finish(this.start(cdb, options), options.out);
  }
}

function result(header: Buffer, data: Buffer, senseData: Buffer, r2ts: CommandResult["r2ts"]): CommandResult {
  const hex = (value: number) => value.toString(16).padStart(2, "0");
  const descriptor = senseData.length > 0 && (senseData.readUInt8(0) & 0x7f) >= 0x72;
  const [key, code, qualifier] = descriptor ? [1, 2, 3] : [2, 12, 13];
  const sense =
    senseData.length === 0
      ? ""
      : `${(senseData.readUInt8(key) & 0xf).toString(16)}/${hex(senseData.readUInt8(code))}/${hex(senseData.readUInt8(qualifier))}`;
  return { status: header.readUInt8(3), data, sense, senseData, residual: header.readUInt32BE(44), r2ts };
}

export { startArray };
