// SPDX-License-Identifier: Apache-2.0
/** One end of the socket that limits.ts measures; a process of its own. Messages have 1 MiB, with a tag in front of each. */
import { type CipherGCM, createCipheriv, createDecipheriv, createSecretKey, type DecipherGCM } from "node:crypto";
import { connect, createServer, type Socket } from "node:net";
import { discard } from "../src/memory/discard.ts";
import { machineClock } from "./load/machine-clock.ts";
import type { Protection } from "./load/protection.ts";

export interface StreamOrder {
  readonly role: "sender" | "receiver";
  readonly port: number;
  readonly protection: Protection;
  readonly seconds: number;
  readonly warmUp: number;
}

export interface StreamReport {
  readonly bytes: number;
  readonly seconds: number;
  /** Of a processor, for this end. */
  readonly share: number;
  /** Processors that anybody used. */
  readonly busy: number;
}

const MESSAGE = 1024 * 1024;
const PIECE = 64 * 1024;
const TAG = 16;
/** Bytes that are taken from the socket at a time. */
const RECEIVED = 256 * 1024;
/** Messages that wait for the socket. */
const WAITING = 4;

const algorithmOf = (protection: Protection) => (protection === "gcm-256" ? "aes-256-gcm" : "aes-128-gcm");
const keyOf = (protection: Protection) => createSecretKey(Buffer.alloc(protection === "gcm-256" ? 32 : 16, 1));

function nonces(): () => Buffer {
  let count = 0;
  return () => {
    const nonce = Buffer.alloc(12);
    nonce.writeUIntLE(count++, 0, 6);
    return nonce;
  };
}

function measureFrom(warmUp: number, seconds: number, done: (report: StreamReport) => void): (bytes: number) => void {
  let bytes = 0;
  setTimeout(() => {
    const started = performance.now();
    const cpu = process.cpuUsage();
    const machine = machineClock();
    bytes = 0;
    setTimeout(() => {
      const elapsed = (performance.now() - started) / 1000;
      const { user, system } = process.cpuUsage(cpu);
      const busy = (machineClock().busy - machine.busy) / elapsed;
      done({ bytes, seconds: elapsed, share: (user + system) / 1e6 / elapsed, busy });
    }, seconds * 1000);
  }, warmUp * 1000);
  return (count) => {
    bytes += count;
  };
}

function send(socket: Socket, protection: Protection, sent: (bytes: number) => void): void {
  const key = keyOf(protection);
  const nonce = nonces();
  const data = Buffer.alloc(MESSAGE, "data of a stream ");
  const noTag = Buffer.alloc(TAG);
  let waiting = 0;
  const more = () => {
    for (; waiting < WAITING; waiting += 1) {
      socket.cork();
      one();
      socket.uncork();
    }
  };
  const written = (error?: Error | null) => {
    if (error) return;
    waiting -= 1;
    sent(MESSAGE);
    more();
  };
  const one = () => {
    if (protection === "off") {
      socket.write(noTag);
      socket.write(data, written);
      return;
    }
    const cipher: CipherGCM = createCipheriv(algorithmOf(protection), key, nonce());
    if (protection === "gmac") {
      cipher.setAAD(data);
      cipher.final();
      socket.write(cipher.getAuthTag());
      socket.write(data, written);
      return;
    }
    const pieces: Buffer[] = [];
    for (let at = 0; at < MESSAGE; at += PIECE) pieces.push(cipher.update(data.subarray(at, at + PIECE)));
    cipher.final();
    socket.write(cipher.getAuthTag());
    pieces.forEach((piece, index) => {
      socket.write(piece, (error) => {
        discard(piece);
        if (index === pieces.length - 1) written(error);
      });
    });
  };
  more();
}

/** Takes bytes as they come, and checks the tag at the end of each message. */
function receiverOf(protection: Protection, received: (bytes: number) => void): (chunk: Buffer) => void {
  const key = keyOf(protection);
  const nonce = nonces();
  const tag = Buffer.alloc(TAG);
  let position = 0;
  let decipher: DecipherGCM | undefined;
  return (chunk) => {
    for (let at = 0; at < chunk.length; ) {
      if (position < TAG) {
        const copied = chunk.copy(tag, position, at, at + TAG - position);
        position += copied;
        at += copied;
        if (position < TAG) return;
        if (protection !== "off") {
          decipher = createDecipheriv(algorithmOf(protection), key, nonce()).setAuthTag(Buffer.from(tag));
        }
        continue;
      }
      const part = chunk.subarray(at, at + Math.min(chunk.length - at, TAG + MESSAGE - position));
      if (protection === "gmac") decipher?.setAAD(part);
      else if (decipher !== undefined) discard(decipher.update(part));
      at += part.length;
      position += part.length;
      received(part.length);
      if (position === TAG + MESSAGE) {
        decipher?.final();
        position = 0;
      }
    }
  };
}

function report(result: StreamReport): void {
  process.send?.(result, () => process.exit());
}

process.once("message", ({ role, port, protection, seconds, warmUp }: StreamOrder) => {
  if (role === "sender") {
    const server = createServer((socket) => {
      // It is there for a little longer than the receiver measures.
      const sent = measureFrom(warmUp, seconds + 0.2, report);
      socket.setNoDelay(true).on("error", () => {});
      send(socket, protection, sent);
    });
    server.listen(port, "127.0.0.1", () => process.send?.("ready"));
    return;
  }
  const take = receiverOf(protection, measureFrom(warmUp, seconds, report));
  // Memory that is used again stays in the processor's cache, and costs nothing else.
  const buffer = Buffer.allocUnsafeSlow(RECEIVED);
  const callback = (length: number) => {
    take(buffer.subarray(0, length));
    return true;
  };
  connect({ port, host: "127.0.0.1", onread: { buffer, callback } }).on("error", () => {});
});
