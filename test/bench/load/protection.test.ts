// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { cipherOf, Gcm } from "../../../bench/load/protection.ts";
import { createMessageCipher } from "../../../src/smb2/crypto/encryption.ts";
import { TRANSFORM_HEADER_SIZE } from "../../../src/smb2/wire/transform-header.ts";

const sessionId = 0x1122_3344_5566_7788n;
const message = randomBytes(200_000);

/** Both ends of a session. */
function ends(protection: "gcm-128" | "gcm-256") {
  const length = protection === "gcm-256" ? 32 : 16;
  const [clientKey, serverKey] = [randomBytes(length), randomBytes(length)];
  return {
    client: new Gcm({ protection, sessionId, clientKey, serverKey }),
    server: createMessageCipher({
      cipher: cipherOf(protection),
      encryptionKey: serverKey,
      decryptionKey: clientKey,
    }),
  };
}

describe.each(["gcm-128", "gcm-256"] as const)("Gcm, %s", (protection) => {
  it("seals what a server can decrypt, and leaves its input as it was", () => {
    const { client, server } = ends(protection);
    for (let time = 0; time < 2; time += 1) {
      const sent = Buffer.from(message);
      const sealed = Buffer.concat(client.seal([sent.subarray(0, 112), sent.subarray(112)]));
      expect(sent.equals(message)).toBe(true);
      const header = sealed.subarray(0, TRANSFORM_HEADER_SIZE);
      expect(header.readBigUInt64LE(44)).toBe(sessionId);
      expect(server.decrypt(header, sealed.subarray(TRANSFORM_HEADER_SIZE)).equals(message)).toBe(true);
    }
  });

  it("opens what a server has encrypted, and nothing else", () => {
    const { client, server } = ends(protection);
    const frame = Buffer.concat(server.encrypt(sessionId, [Buffer.from(message)]));
    expect(client.open(frame).equals(message)).toBe(true);
    frame[100_000] = (frame[100_000] ?? 0) ^ 1;
    expect(() => client.open(frame)).toThrow();
  });

  it("sees the beginning of a message of which only the beginning is there", () => {
    const { client, server } = ends(protection);
    const frame = Buffer.concat(server.encrypt(sessionId, [Buffer.from(message)]));
    const seen = client.peek(frame.subarray(0, 256));
    expect(seen.equals(message.subarray(0, 256 - TRANSFORM_HEADER_SIZE))).toBe(true);
  });
});
