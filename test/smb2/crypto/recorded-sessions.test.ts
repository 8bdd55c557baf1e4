// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { CipherId, cipherKeyLength, createMessageCipher } from "../../../src/smb2/crypto/encryption.ts";
import { deriveSessionKeys, type SessionKeys } from "../../../src/smb2/crypto/key-derivation.ts";
import { PreauthHash } from "../../../src/smb2/crypto/preauth.ts";
import { createSigner, SigningAlgorithm } from "../../../src/smb2/crypto/signing.ts";
import { type RecordedMessage, recordedLogon, recordedSessions } from "../../support/smbclient-sessions.ts";

const FLAG_SIGNED = 0x8;

/** A pair of a request and its response in one compound is not in these sessions: a message is a chain of one. */
function sessionMessages(name: string): readonly RecordedMessage[] {
  const messages = recordedSessions[name];
  if (messages === undefined) throw new Error(`no session ${name}`);
  return messages;
}

async function keysOf(name: string, dialect: number, cipherKey?: 16 | 32): Promise<SessionKeys> {
  const messages = sessionMessages(name);
  const { exportedSessionKey } = await recordedLogon(messages);
  const preauth = new PreauthHash();
  for (const { bytes } of messages.slice(0, 5)) preauth.update(bytes);
  return deriveSessionKeys({
    dialect,
    sessionKey: exportedSessionKey,
    fullSessionKey: exportedSessionKey,
    preauthHash: preauth.value,
    cipherKeyLength: cipherKey,
  });
}

/** Both ways: the server verifies what the client signed, the client what the server signed. */
function verifySigned(messages: readonly RecordedMessage[], algorithm: SigningAlgorithm, key: Buffer): number {
  const server = createSigner(algorithm, key, "server");
  const client = createSigner(algorithm, key, "client");
  let count = 0;
  for (const { from, bytes } of messages) {
    if (bytes[0] !== 0xfe || !(bytes.readUInt32LE(16) & FLAG_SIGNED)) continue;
    expect((from === "client" ? server : client).verify([bytes])).toBe(true);
    count++;
  }
  return count;
}

describe("recorded sessions", () => {
  it("2.1 is signed with HMAC-SHA256", async () => {
    const name = "2.1 HMAC-SHA256";
    const { signingKey } = await keysOf(name, 0x0210);
    expect(verifySigned(sessionMessages(name), SigningAlgorithm.HMAC_SHA256, signingKey)).toBe(9);
  });

  it("3.1.1 is signed with AES-GMAC", async () => {
    const name = "3.1.1 AES-GMAC";
    const { signingKey } = await keysOf(name, 0x0311);
    expect(verifySigned(sessionMessages(name), SigningAlgorithm.AES_GMAC, signingKey)).toBe(19);
  });

  it.each([
    ["3.1.1 AES-256-CCM", CipherId.AES_256_CCM, SigningAlgorithm.AES_CMAC],
    ["3.1.1 AES-128-GCM", CipherId.AES_128_GCM, SigningAlgorithm.AES_GMAC],
  ] as const)("%s is decrypted in both directions", async (name, cipher, algorithm) => {
    const { signingKey, serverIn, serverOut } = await keysOf(name, 0x0311, cipherKeyLength(cipher));
    if (serverIn === undefined || serverOut === undefined) throw new Error("no cipher keys");
    const server = createMessageCipher({ cipher, encryptionKey: serverOut, decryptionKey: serverIn });
    const client = createMessageCipher({ cipher, encryptionKey: serverIn, decryptionKey: serverOut });
    const messages = sessionMessages(name);
    expect(verifySigned(messages, algorithm, signingKey)).toBe(1);
    const encrypted = messages.filter(({ bytes }) => bytes[0] === 0xfd);
    expect(encrypted.length).toBeGreaterThan(6);
    for (const { from, bytes } of encrypted) {
      const message = (from === "client" ? server : client).decrypt(bytes.subarray(0, 52), bytes.subarray(52));
      expect(message.toString("latin1", 0, 4)).toBe("\xfeSMB");
    }
  });
});
