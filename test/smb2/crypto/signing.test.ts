// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createSigner, defaultSigningAlgorithm, SigningAlgorithm } from "../../../src/smb2/crypto/signing.ts";
import * as windows from "../../support/windows-session.ts";

const key = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");

function message(size: number, { command = 5, messageId = 0x1122334455667788n } = {}): Buffer {
  const data = Buffer.alloc(size, 0xa5);
  data.write("\xfeSMB", "latin1");
  data.writeUInt16LE(command, 12);
  data.writeBigUInt64LE(messageId, 24);
  return data;
}

function zeroed(data: Buffer): Buffer {
  return Buffer.from(data).fill(0, 48, 64);
}

/** GMAC straight from node:crypto over a message in one piece. */
function gmac(data: Buffer, nonce: string): Buffer {
  const cipher = createCipheriv("aes-128-gcm", key, Buffer.from(nonce, "hex"));
  cipher.setAAD(zeroed(data));
  cipher.final();
  return cipher.getAuthTag();
}

describe("signing", () => {
  it("verifies and repeats what Windows signed with AES-CMAC", () => {
    const signer = createSigner(SigningAlgorithm.AES_CMAC, windows.signingKey);
    const response = Buffer.from(windows.sessionSetupResponse2);
    expect(signer.verify([response])).toBe(true);
    response.fill(0xff, 48, 64);
    signer.sign([response]);
    expect(response).toEqual(windows.sessionSetupResponse2);
  });

  it("cuts HMAC-SHA256 to 16 bytes", () => {
    const data = message(200);
    createSigner(SigningAlgorithm.HMAC_SHA256, key).sign([data]);
    const expected = createHmac("sha256", key).update(zeroed(data)).digest().subarray(0, 16);
    expect(data.subarray(48, 64)).toEqual(expected);
  });

  it("builds the GMAC nonce from MessageId, sender and CANCEL", () => {
    const server = createSigner(SigningAlgorithm.AES_GMAC, key, "server");
    const client = createSigner(SigningAlgorithm.AES_GMAC, key, "client");
    const signatureOf = (signer: typeof server, data: Buffer): Buffer => {
      signer.sign([data]);
      return data.subarray(48, 64);
    };
    const echo = message(68);
    expect(signatureOf(server, echo)).toEqual(gmac(echo, "887766554433221101000000"));
    expect(signatureOf(client, echo)).toEqual(gmac(echo, "887766554433221100000000"));
    const cancel = message(68, { command: 12 });
    expect(signatureOf(client, cancel)).toEqual(gmac(cancel, "887766554433221102000000"));
    expect(server.verify([cancel])).toBe(true);
    expect(client.verify([cancel])).toBe(false);
  });

  it.each(Object.entries(SigningAlgorithm))(
    "%s: either side verifies the other, however the message is cut",
    (_, id) => {
      const client = createSigner(id, key, "client");
      const server = createSigner(id, key, "server");
      for (const size of [64, 65, 80, 16_384, 16_385, 70_000]) {
        const data = message(size);
        client.sign([data]);
        const before = Buffer.from(data);
        expect(server.verify([data])).toBe(true);
        expect(server.verify([data.subarray(0, 64), data.subarray(64, 64), data.subarray(64)])).toBe(true);
        expect(data.equals(before)).toBe(true);
        const cut = message(size);
        const half = 64 + ((size - 64) >> 1);
        client.sign([cut.subarray(0, half), cut.subarray(half)]);
        expect(cut.equals(data)).toBe(true);
      }
    },
  );

  it.each(Object.entries(SigningAlgorithm))("%s: any changed byte is noticed", (_, id) => {
    const client = createSigner(id, key, "client");
    const server = createSigner(id, key, "server");
    const data = message(120);
    client.sign([data]);
    for (let at = 0; at < data.length; at++) {
      const changed = Buffer.from(data);
      changed[at] = (changed[at] ?? 0) ^ 0x40;
      expect(server.verify([changed])).toBe(false);
    }
    expect(createSigner(id, Buffer.alloc(16), "server").verify([data])).toBe(false);
  });

  it("refuses a message without a whole header", () => {
    const signer = createSigner(SigningAlgorithm.AES_CMAC, key);
    expect(() => signer.sign([])).toThrow(RangeError);
    expect(() => signer.verify([Buffer.alloc(63), Buffer.alloc(10)])).toThrow(RangeError);
  });

  it("falls back to the algorithm of the dialect", () => {
    expect([0x0202, 0x0210, 0x0300, 0x0302, 0x0311].map(defaultSigningAlgorithm)).toEqual([0, 0, 1, 1, 1]);
  });
});

describe.each(Object.entries(SigningAlgorithm))("signing long messages with %s", (_name, algorithm) => {
  const server = createSigner(algorithm, key, "server");
  const client = createSigner(algorithm, key, "client");

  it("is left to other threads", () => {
    expect(server.isForWorker(1 << 20, "sign")).toBe(true);
    expect(server.isForWorker(32 * 1024, "sign")).toBe(false);
    expect(server.isForWorker(1 << 20, "verify")).toBe(algorithm !== SigningAlgorithm.AES_GMAC);
  });

  it("gives the same signatures there", async () => {
    const messages = Array.from({ length: 6 }, (_, index) => message(300_000 + index, { messageId: BigInt(index) }));
    const expected = messages.map((whole) => {
      const copy = Buffer.from(whole);
      server.sign([copy]);
      return copy;
    });
    await Promise.all(messages.map((whole) => server.signOnWorker([whole.subarray(0, 80), whole.subarray(80)])));
    expect(messages.map((whole, index) => whole.equals(expected[index] ?? whole.subarray(1)))).toEqual(
      messages.map(() => true),
    );
  });

  it("tells right from wrong there, and leaves the message as it was", async () => {
    const right = message(300_000);
    client.sign([right]);
    const wrong = Buffer.from(right);
    wrong[299_999] = 0;
    const forged = Buffer.from(right).fill(0, 48, 64);
    const before = Buffer.from(right);
    expect(await Promise.all([right, wrong, forged].map((whole) => server.verifyOnWorker([whole])))).toEqual([
      true,
      false,
      false,
    ]);
    expect(right.equals(before)).toBe(true);
    await expect(server.verifyOnWorker([right.subarray(0, 63)])).rejects.toThrow(RangeError);
  });
});
