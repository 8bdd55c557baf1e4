// SPDX-License-Identifier: Apache-2.0

import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { deriveKey, deriveSessionKeys, deriveSigningKey } from "../../../src/smb2/crypto/key-derivation.ts";
import * as windows from "../../support/windows-session.ts";

const hex = (text: string): Buffer => Buffer.from(text, "hex");

describe("deriveKey", () => {
  it("follows SP800-108 for 128 and 256 bits", () => {
    // Written out from the standard's formula: PRF(key, [1]32 || label || 00 || context || [L]32).
    const key = hex("000102030405060708090a0b0c0d0e0f");
    const input = (bits: string): Buffer => hex(`00000001${"6c61"}00${"637478"}${bits}`);
    const label = Buffer.from("la");
    const context = Buffer.from("ctx");
    const prf = (data: Buffer): Buffer => createHmac("sha256", key).update(data).digest();
    expect(deriveKey(key, label, context, 16)).toEqual(prf(input("00000080")).subarray(0, 16));
    expect(deriveKey(key, label, context, 32)).toEqual(prf(input("00000100")));
  });

  it("goes on with the counter beyond one block", () => {
    const key = Buffer.alloc(16, 7);
    const second = createHmac("sha256", key).update(hex("0000000261006300000180")).digest();
    expect(deriveKey(key, Buffer.from("a"), Buffer.from("c"), 48).subarray(32)).toEqual(second.subarray(0, 16));
  });
});

describe("deriveSessionKeys", () => {
  it("gives the keys of a Windows session with dialect 3.0", () => {
    const sessionKey = hex("7CD451825D0450D235424E44BA6E78CC");
    const keys = deriveSessionKeys({ dialect: 0x0300, sessionKey, fullSessionKey: sessionKey, cipherKeyLength: 16 });
    expect(keys).toEqual({
      signingKey: hex("0B7E9C5CAC36C0F6EA9AB275298CEDCE"),
      applicationKey: hex("BB23A4575AA26C721AF525AF15A87B4F"),
      serverIn: hex("FAD27796665B313EBB578F388632B4F7"),
      serverOut: hex("B0F0427F7CEB416D1D9DCC0CD4F99447"),
    });
    expect(deriveSigningKey({ dialect: 0x0302, sessionKey: hex("4E01A2B313BCF660CC250BEF021AEDE6") })).toEqual(
      hex("BA1A17DBBFEC349BCA105563D598952F"),
    );
  });

  it("gives the keys of a Windows session with dialect 3.1.1", () => {
    const keys = deriveSessionKeys({
      dialect: 0x0311,
      sessionKey: windows.sessionKey,
      fullSessionKey: windows.sessionKey,
      preauthHash: windows.preauthHashes.at(-1),
      cipherKeyLength: 16,
    });
    expect(keys).toEqual({
      signingKey: windows.signingKey,
      applicationKey: windows.applicationKey,
      serverIn: windows.serverIn,
      serverOut: windows.serverOut,
    });
  });

  it("derives 256-bit cipher keys from the whole key, the others from the session key", () => {
    const sessionKey = Buffer.alloc(16, 1);
    const preauthHash = Buffer.alloc(64, 3);
    const fullSessionKey = Buffer.alloc(32, 2);
    const keys = deriveSessionKeys({
      dialect: 0x0311,
      sessionKey,
      fullSessionKey,
      preauthHash,
      cipherKeyLength: 32,
    });
    expect(keys.serverIn).toEqual(deriveKey(fullSessionKey, Buffer.from("SMBC2SCipherKey\0"), preauthHash, 32));
    expect(keys.serverOut).toEqual(deriveKey(fullSessionKey, Buffer.from("SMBS2CCipherKey\0"), preauthHash, 32));
    expect(keys.signingKey).toEqual(deriveKey(sessionKey, Buffer.from("SMBSigningKey\0"), preauthHash, 16));
  });

  it("signs with the session key itself in dialects 2.x", () => {
    const sessionKey = Buffer.alloc(16, 1);
    expect(deriveSessionKeys({ dialect: 0x0210, sessionKey, fullSessionKey: sessionKey, cipherKeyLength: 16 })).toEqual(
      { signingKey: sessionKey, applicationKey: sessionKey, serverIn: undefined, serverOut: undefined },
    );
  });

  it("has no cipher keys where no cipher was negotiated", () => {
    const sessionKey = Buffer.alloc(16, 1);
    const keys = deriveSessionKeys({ dialect: 0x0302, sessionKey, fullSessionKey: sessionKey });
    expect([keys.serverIn, keys.serverOut]).toEqual([undefined, undefined]);
  });

  it("refuses 3.1.1 without a preauthentication hash", () => {
    expect(() => deriveSigningKey({ dialect: 0x0311, sessionKey: Buffer.alloc(16) })).toThrow(TypeError);
  });
});
