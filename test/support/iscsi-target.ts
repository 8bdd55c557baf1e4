// SPDX-License-Identifier: Apache-2.0

import type { ByteStream, Dial, Portal, StreamEvents } from "../../src/scsi/iscsi/transport.ts";

/** One PDU without digests and padding. */
export interface Pdu {
  readonly bhs: Buffer;
  readonly data: Buffer;
}

export const opcode = (pdu: Pdu): number => (pdu.bhs[0] ?? 0) & 0x3f;

/** Bytes that are received at a time where they belong nowhere in particular. */
const SMALL_READ = 100;

/** Target's side of a connection in memory: what the initiator sends is cut into PDUs, what the test says is received. */
export class ScriptedConnection implements ByteStream {
  readonly localAddress = "initiator:1";
  readonly portal: Portal;
  /** What the initiator sent, and nobody has taken yet. */
  readonly sent: Pdu[] = [];
  closed = false;
  /** What has been sent stays with the initiator. */
  hold = false;
  /** Digests that the initiator is to send; they are cut off. */
  headerDigest = false;
  dataDigest = false;
  /** Answers each PDU as it comes; what it leaves goes to `sent`. */
  respond: (pdu: Pdu) => boolean = () => false;
  readonly #held: (() => void)[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #events: StreamEvents | undefined;
  #statSn = 100;
  /** What the next PDUs say of the command window. */
  expCmdSn = 0;
  maxCmdSn = 0;

  constructor(portal: Portal) {
    this.portal = portal;
  }

  get queuedBytes(): number {
    return this.#held.length;
  }

  begin(events: StreamEvents): void {
    this.#events = events;
  }

  send(buffers: readonly Buffer[], done?: () => void): void {
    if (this.closed) return;
    this.#bytes = Buffer.concat([this.#bytes, ...buffers]);
    if (done !== undefined) {
      if (this.hold) this.#held.push(done);
      else queueMicrotask(() => !this.closed && done());
    }
    for (let pdu = this.#next(); pdu !== undefined; pdu = this.#next()) {
      if (!this.respond(pdu)) this.sent.push(pdu);
    }
  }

  /** Lets go what was held. */
  release(): void {
    this.hold = false;
    for (const done of this.#held.splice(0)) done();
  }

  destroy(): void {
    this.cut();
  }

  /** The connection ends. */
  cut(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    queueMicrotask(() => this.#events?.closed(error));
  }

  /** The next PDU that was sent. */
  take(): Pdu {
    const pdu = this.sent.shift();
    if (pdu === undefined) throw new Error("nothing was sent");
    return pdu;
  }

  /** The initiator receives these bytes: data where it wants them, if it says so. */
  receive(bytes: Buffer): void {
    const events = this.#events;
    for (let at = 0; at < bytes.length && events !== undefined && !this.closed; ) {
      const room = events.room();
      const size = Math.min(room?.length ?? SMALL_READ, bytes.length - at);
      if (room === undefined) events.received(bytes.subarray(at, at + size));
      else {
        bytes.copy(room, 0, at, at + size);
        events.filled(size);
      }
      at += size;
    }
  }

  /** A PDU from the target: opcode, flags, task tag, fields by their offsets (32 bits, or whole buffers), data. */
  reply(
    code: number,
    flags: number,
    tag: number,
    fields: Readonly<Record<number, number | Buffer>> = {},
    data: Buffer = Buffer.alloc(0),
    { numbered = true }: { readonly numbered?: boolean } = {},
  ): void {
    const bhs = Buffer.alloc(48);
    bhs[0] = code;
    bhs[1] = flags;
    bhs.writeUIntBE(data.length, 5, 3);
    bhs.writeUInt32BE(tag >>> 0, 16);
    bhs.writeUInt32BE(this.#statSn >>> 0, 24);
    if (numbered) this.#statSn++;
    bhs.writeUInt32BE(this.expCmdSn >>> 0, 28);
    bhs.writeUInt32BE(this.maxCmdSn >>> 0, 32);
    for (const [at, value] of Object.entries(fields)) {
      if (typeof value === "number") bhs.writeUInt32BE(value >>> 0, Number(at));
      else value.copy(bhs, Number(at));
    }
    this.receive(Buffer.concat([bhs, data, Buffer.alloc(-data.length & 3)]));
  }

  #next(): Pdu | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 48) return undefined;
    const length = bytes.readUIntBE(5, 3);
    const start = 48 + (this.headerDigest ? 4 : 0);
    const end = start + length + (-length & 3) + (length > 0 && this.dataDigest ? 4 : 0);
    if (bytes.length < end) return undefined;
    this.#bytes = Buffer.from(bytes.subarray(end));
    return { bhs: Buffer.from(bytes.subarray(0, 48)), data: Buffer.from(bytes.subarray(start, start + length)) };
  }
}

/** Portals in memory. */
export class ScriptedTarget {
  readonly connections: ScriptedConnection[] = [];
  /** Called with each new connection; throws where there is none to be. */
  accept: (connection: ScriptedConnection) => void = () => undefined;

  readonly dial: Dial = async (portal) => {
    const connection = new ScriptedConnection(portal);
    this.accept(connection);
    this.connections.push(connection);
    return connection;
  };

  /** The latest connection. */
  get connection(): ScriptedConnection {
    const connection = this.connections.at(-1);
    if (connection === undefined) throw new Error("nobody has connected");
    return connection;
  }
}

export const text = (pairs: Readonly<Record<string, string>>): Buffer =>
  Buffer.from(
    Object.entries(pairs)
      .map(([key, value]) => `${key}=${value}\0`)
      .join(""),
  );

/** Answers the login requests of a connection: no authentication, then these keys. */
export function acceptLogin(
  connection: ScriptedConnection,
  keys: Readonly<Record<string, string>> = {},
  window = 32,
): void {
  connection.respond = (pdu) => {
    if (opcode(pdu) !== 0x03) return false;
    const flags = pdu.bhs[1] ?? 0;
    const cmdSn = pdu.bhs.readUInt32BE(24);
    connection.expCmdSn = cmdSn;
    connection.maxCmdSn = cmdSn + window - 1;
    const security = ((flags >> 2) & 3) === 0;
    const data = security ? text({ TargetPortalGroupTag: "1", AuthMethod: "None" }) : text(keys);
    // Transit from the stage that was asked to be left, with a TSIH at the end.
    connection.reply(0x23, flags, 0, security ? {} : { 12: Buffer.from([0, 0, 0, 1]) }, data);
    return true;
  };
}
