// SPDX-License-Identifier: Apache-2.0
/**
 * A recording TCP proxy: what passes is forwarded untouched and written as a pcap file with made-up IPv4 and TCP
 * headers, server port 445. It needs no capture privilege and loses no packet.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import { createServer, type Socket, connect as tcpConnect } from "node:net";

const pcapMagic = 0xa1b2c3d4;
/** LINKTYPE_RAW: packets begin with the IP header. */
const linkTypeRaw = 101;
const maxPayload = 60_000;
const headerBytes = 40;
const flagPush = 0x18;
const flagSyn = 0x02;
const flagSynAck = 0x12;
const flagFinAck = 0x11;

interface Direction {
  readonly sourceAddress: number;
  readonly targetAddress: number;
  readonly sourcePort: number;
  readonly targetPort: number;
  sequence: number;
}

class PcapFile {
  readonly #file: number;
  #closed = false;

  constructor(path: string) {
    this.#file = openSync(path, "w");
    const header = Buffer.alloc(24);
    header.writeUInt32LE(pcapMagic, 0);
    header.writeUInt16LE(2, 4);
    header.writeUInt16LE(4, 6);
    header.writeUInt32LE(262_144, 16);
    header.writeUInt32LE(linkTypeRaw, 20);
    writeSync(this.#file, header);
  }

  packet(direction: Direction, acknowledge: number, flags: number, payload: Buffer): void {
    // A socket may still report its end after the proxy was stopped.
    if (this.#closed) return;
    const record = Buffer.alloc(16 + headerBytes);
    const now = Date.now();
    record.writeUInt32LE(Math.floor(now / 1000), 0);
    record.writeUInt32LE((now % 1000) * 1000, 4);
    record.writeUInt32LE(headerBytes + payload.length, 8);
    record.writeUInt32LE(headerBytes + payload.length, 12);
    record[16] = 0x45;
    record.writeUInt16BE(headerBytes + payload.length, 18);
    record[24] = 64;
    record[25] = 6;
    record.writeUInt32BE(direction.sourceAddress, 28);
    record.writeUInt32BE(direction.targetAddress, 32);
    record.writeUInt16BE(direction.sourcePort, 36);
    record.writeUInt16BE(direction.targetPort, 38);
    record.writeUInt32BE(direction.sequence >>> 0, 40);
    record.writeUInt32BE(acknowledge >>> 0, 44);
    record[48] = 0x50;
    record[49] = flags;
    record.writeUInt16BE(0xffff, 50);
    writeSync(this.#file, record);
    if (payload.length > 0) writeSync(this.#file, payload);
    const counted = (flags & (flagSyn | 0x01)) !== 0 ? 1 : payload.length;
    direction.sequence = (direction.sequence + counted) >>> 0;
  }

  close(): void {
    this.#closed = true;
    closeSync(this.#file);
  }
}

export interface RecordingProxy {
  /** Clients connect here instead of to the server. */
  readonly port: number;
  /** Ends all connections and closes the file. */
  readonly stop: () => Promise<void>;
}

/** Forwards 127.0.0.1:port to the server and records every byte in `file`. */
export function startRecordingProxy(serverPort: number, file: string): Promise<RecordingProxy> {
  const pcap = new PcapFile(file);
  const sockets = new Set<Socket>();
  let connections = 0;
  const listener = createServer((client) => {
    connections += 1;
    const upstream = tcpConnect({ host: "127.0.0.1", port: serverPort });
    const clientPort = 20_000 + connections;
    const there = {
      sourceAddress: 0x0a000001,
      targetAddress: 0x0a000002,
      sourcePort: clientPort,
      targetPort: 445,
      sequence: 1000,
    };
    const back = {
      sourceAddress: 0x0a000002,
      targetAddress: 0x0a000001,
      sourcePort: 445,
      targetPort: clientPort,
      sequence: 5000,
    };
    pcap.packet(there, 0, flagSyn, Buffer.alloc(0));
    pcap.packet(back, there.sequence, flagSynAck, Buffer.alloc(0));
    const relay = (from: Socket, to: Socket, direction: Direction, other: Direction) => {
      sockets.add(from);
      from.on("data", (data: Buffer) => {
        for (let offset = 0; offset < data.length; offset += maxPayload) {
          pcap.packet(direction, other.sequence, flagPush, data.subarray(offset, offset + maxPayload));
        }
        if (!to.write(data)) {
          from.pause();
          to.once("drain", () => from.resume());
        }
      });
      from.once("end", () => {
        pcap.packet(direction, other.sequence, flagFinAck, Buffer.alloc(0));
        to.end();
      });
      from.once("error", () => to.destroy());
      from.once("close", () => sockets.delete(from));
    };
    relay(client, upstream, there, back);
    relay(upstream, client, back, there);
  });
  return new Promise((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(0, "127.0.0.1", () => {
      const address = listener.address();
      if (address === null || typeof address !== "object") return reject(new Error("no port"));
      resolve({
        port: address.port,
        stop: async () => {
          const closed = new Promise((done) => listener.close(done));
          // What is on its way gets a second; a peer that does not close after that is cut off.
          const cut = setTimeout(() => {
            for (const socket of sockets) socket.destroy();
          }, 1000);
          await closed;
          clearTimeout(cut);
          pcap.close();
        },
      });
    });
  });
}
