// SPDX-License-Identifier: Apache-2.0

import { createCipheriv } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CipherId,
  cipherKeyLength,
  createMessageCipher,
  DecryptionError,
  type MessageCipher,
  TRANSFORM_HEADER_SIZE,
} from "../../../src/smb2/crypto/encryption.ts";
import { nodeAead } from "../../../src/smb2/crypto/node-aead.ts";

const implementations = [
  ["the default", undefined],
  ["node:crypto", nodeAead],
] as const;

function pair(
  cipher: CipherId,
  aead?: typeof nodeAead,
): { server: MessageCipher; client: MessageCipher; serverKey: Buffer } {
  const serverKey = Buffer.alloc(cipherKeyLength(cipher), 0x11);
  const clientKey = Buffer.alloc(cipherKeyLength(cipher), 0x22);
  return {
    server: createMessageCipher({ cipher, encryptionKey: serverKey, decryptionKey: clientKey }, aead),
    client: createMessageCipher({ cipher, encryptionKey: clientKey, decryptionKey: serverKey }, aead),
    serverKey,
  };
}

const ciphers = Object.entries(CipherId);

describe.each(implementations)("createMessageCipher by %s", (_name, aead) => {
  it("lays out the transform header", () => {
    const { server, serverKey } = pair(CipherId.AES_128_GCM, aead);
    server.encrypt(1n, [Buffer.from("first")]);
    const [header = Buffer.alloc(0), ...body] = server.encrypt(0x0000_1000_0000_0019n, [Buffer.from("second")]);
    // ProtocolId, (Signature), Nonce 1, OriginalMessageSize 6, Reserved, Flags 1, SessionId.
    expect(header.subarray(0, 4).toString("hex")).toBe("fd534d42");
    expect(header.subarray(20).toString("hex")).toBe(
      "01000000000000000000000000000000" + "06000000" + "0000" + "0100" + "1900000000100000",
    );
    const cipher = createCipheriv("aes-128-gcm", serverKey, header.subarray(20, 32)).setAAD(header.subarray(20));
    expect(Buffer.concat(body)).toEqual(Buffer.concat([cipher.update("second"), cipher.final()]));
    expect(header.subarray(4, 20)).toEqual(cipher.getAuthTag());
  });

  it("gives CCM a nonce of 11 bytes", () => {
    const { server, serverKey } = pair(CipherId.AES_256_CCM, aead);
    const [header = Buffer.alloc(0), body] = server.encrypt(7n, [Buffer.from("text")]);
    const cipher = createCipheriv("aes-256-ccm", serverKey, header.subarray(20, 31), { authTagLength: 16 });
    cipher.setAAD(header.subarray(20), { plaintextLength: 4 });
    expect(body).toEqual(cipher.update("text"));
    cipher.final();
    expect(header.subarray(4, 20)).toEqual(cipher.getAuthTag());
  });

  it.each(ciphers)("%s: the other side reads it, however the message is cut", (_, id) => {
    const { server, client } = pair(id, aead);
    const size = fc.oneof(
      fc.nat(200),
      fc.nat(5000),
      fc.integer({ min: 131_000, max: 132_000 }),
      fc.integer({ min: 262_100, max: 600_000 }),
    );
    fc.assert(
      fc.property(size, fc.double({ min: 0, max: 1, noNaN: true }), (length, cut) => {
        const data = Buffer.alloc(length, "tessera");
        const at = Math.floor(cut * length);
        const pieces = [Buffer.from(data.subarray(0, at)), Buffer.from(data.subarray(at))];
        const [header = Buffer.alloc(0), ...body] = server.encrypt(1n, pieces);
        expect(client.decrypt(header, Buffer.concat(body)).equals(data)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it.each(ciphers)("%s: refuses what was changed", (_, id) => {
    const { server, client } = pair(id, aead);
    const [header = Buffer.alloc(0), body = Buffer.alloc(0)] = server.encrypt(1n, [Buffer.alloc(70, 1)]);
    for (let at = 4; at < header.length; at++) {
      const changed = Buffer.from(header);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => client.decrypt(changed, body), `header byte ${at}`).toThrow(DecryptionError);
    }
    for (let at = 0; at < body.length; at++) {
      const changed = Buffer.from(body);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => client.decrypt(header, changed)).toThrow(DecryptionError);
    }
    expect(() => client.decrypt(header, body.subarray(1))).toThrow(DecryptionError);
    expect(() => client.decrypt(header.subarray(1), body)).toThrow(DecryptionError);
    expect(() => server.decrypt(header, body)).toThrow(DecryptionError);
  });

  it("refuses Flags that do not say encrypted, with the right tag", () => {
    const { client, serverKey } = pair(CipherId.AES_128_GCM, aead);
    for (const [flags, isRight] of [
      [1, true],
      [0, false],
      [2, false],
    ] as const) {
      const header = Buffer.alloc(TRANSFORM_HEADER_SIZE);
      header.write("fd534d42", "hex");
      header.writeUInt32LE(4, 36);
      header.writeUInt16LE(flags, 42);
      const cipher = createCipheriv("aes-128-gcm", serverKey, header.subarray(20, 32)).setAAD(header.subarray(20));
      const body = Buffer.concat([cipher.update("text"), cipher.final()]);
      cipher.getAuthTag().copy(header, 4);
      if (isRight) expect(client.decrypt(header, body).toString()).toBe("text");
      else expect(() => client.decrypt(header, body)).toThrow(DecryptionError);
    }
  });

  it.each(ciphers)("%s: no nonce comes twice", (_, id) => {
    const { server } = pair(id, aead);
    const data = Buffer.alloc(100, 5);
    const seen = new Set<string>();
    for (let i = 0; i < 1000; i++) seen.add((server.encrypt(1n, [data])[0] ?? data).toString("hex", 20, 36));
    expect(seen.size).toBe(1000);
  });
});
