// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { ntHashOfPassword } from "../../../src/auth/nt-hash.ts";
import { AvId, decodeAvPairs, encodeAvPairs } from "../../../src/auth/ntlm/av-pairs.ts";
import { challengeFlags, NtlmFlag } from "../../../src/auth/ntlm/flags.ts";
import { decodeAuthenticate, decodeNegotiate, encodeChallenge } from "../../../src/auth/ntlm/messages.ts";
import { ntowfV2, ntProof, rc4k, sessionBaseKey } from "../../../src/auth/ntlm/ntlmv2.ts";
import { firstSignature, sealKey, serverIntegrity, signKey } from "../../../src/auth/ntlm/session-security.ts";
import { Rc4 } from "../../../src/auth/rc4.ts";
import { decodeSpnego } from "../../../src/auth/spnego/tokens.ts";
import { NtStatus } from "../../../src/nt/status.ts";
import * as windows from "../../support/windows-session.ts";

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");

describe("MS-NLMP 4.2.4", () => {
  const serverChallenge = hex("0123456789abcdef");
  const authenticate = hex(`
    4e544c4d5353500003000000180018006c00000054005400840000000c000c00480000000800080054000000100010005c00000010001000
    d8000000358288e20501280a0000000f44006f006d00610069006e00550073006500720043004f004d005000550054004500520086c35097
    ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa68cd0ab851e51c96aabc927bebef6a1c01010000000000000000000000000000aaaaaaaa
    aaaaaaaa0000000002000c0044006f006d00610069006e0001000c005300650072007600650072000000000000000000c5dad2544fc97990
    94ce1ce90bc9d03e`);

  it("NTOWFv2, proof, keys", async () => {
    const responseKey = ntowfV2(await ntHashOfPassword("Password"), "User", "Domain");
    expect(responseKey.toString("hex")).toBe("0c868a403bfd7a93a3001ef22ef02e3f");
    const message = decodeAuthenticate(authenticate, 0xe28a8233);
    const proof = ntProof(responseKey, serverChallenge, message.ntResponse.subarray(16));
    expect(proof.toString("hex")).toBe("68cd0ab851e51c96aabc927bebef6a1c");
    expect(message.ntResponse.subarray(0, 16)).toEqual(proof);
    const baseKey = sessionBaseKey(responseKey, proof);
    expect(baseKey.toString("hex")).toBe("8de40ccadbc14a82f15cb0ad0de95ca3");
    expect(rc4k(baseKey, message.encryptedRandomSessionKey)).toEqual(Buffer.alloc(16, 0x55));
  });

  it("AUTHENTICATE_MESSAGE", () => {
    const message = decodeAuthenticate(authenticate, 0xe28a8233);
    expect(message).toMatchObject({
      domainName: "Domain",
      userName: "User",
      workstation: "COMPUTER",
      flags: 0xe2888235,
    });
    expect(message.lmResponse.toString("hex")).toBe("86c35097ac9cec102554764a57cccc19aaaaaaaaaaaaaaaa");
    expect(decodeAvPairs(message.ntResponse.subarray(44))).toEqual([
      { id: AvId.NB_DOMAIN_NAME, value: Buffer.from("Domain", "utf16le") },
      { id: AvId.NB_COMPUTER_NAME, value: Buffer.from("Server", "utf16le") },
    ]);
  });

  it("CHALLENGE_MESSAGE", () => {
    const targetInfo = encodeAvPairs([
      { id: AvId.NB_DOMAIN_NAME, value: Buffer.from("Domain", "utf16le") },
      { id: AvId.NB_COMPUTER_NAME, value: Buffer.from("Server", "utf16le") },
    ]);
    const encoded = encodeChallenge({ flags: 0xe28a8233, serverChallenge, targetName: "Server", targetInfo });
    const expected = hex(`
      4e544c4d53535000020000000c000c003800000033828ae20123456789abcdef00000000000000002400240044000000060070170000000f
      53006500720076006500720002000c0044006f006d00610069006e0001000c0053006500720076006500720000000000`);
    // The version of the operating system is ours.
    hex("060100000000000f").copy(expected, 48);
    expect(encoded).toEqual(expected);
  });

  it("signature", () => {
    const key = Buffer.alloc(16, 0x55);
    const flags = 0xe28a8233;
    expect(sealKey(flags, key, "client").toString("hex")).toBe("59f600973cc4960a25480a7c196e4c58");
    expect(signKey(key, "client").toString("hex")).toBe("4788dc861b4782f35d43fd98fe1a2d39");
    const plaintext = Buffer.from("Plaintext", "utf16le");
    const withoutExchange = firstSignature(flags & ~NtlmFlag.KEY_EXCH, key, "client", plaintext);
    expect(withoutExchange.toString("hex")).toBe("01000000" + "70352851f2564309" + "00000000");
    // The example seals the text with the same RC4 state before it comes to the checksum.
    const rc4 = new Rc4(sealKey(flags, key, "client"));
    expect(rc4.update(plaintext).toString("hex")).toBe("54e50165bf1936dc996020c1811b0f06fb5f");
    expect(rc4.update(withoutExchange.subarray(4, 12)).toString("hex")).toBe("7fb38ec5c55d4976");
    const withExchange = firstSignature(flags, key, "client", plaintext).subarray(4, 12);
    expect(withExchange).toEqual(rc4k(sealKey(flags, key, "client"), hex("70352851f2564309")));
  });
});

describe("a Windows logon", () => {
  const token = (message: Buffer, at: number, length: number): Buffer => message.subarray(at, at + length);
  const first = decodeSpnego(token(windows.sessionSetupRequest1, 0x58, 0x4a));
  const second = decodeSpnego(token(windows.sessionSetupResponse1, 0x48, 0xb3));
  const third = decodeSpnego(token(windows.sessionSetupRequest2, 0x58, 0x1cf));
  const last = decodeSpnego(token(windows.sessionSetupResponse2, 0x48, 0x1d));
  if (first.kind !== "init" || second.kind !== "response" || third.kind !== "response" || last.kind !== "response") {
    throw new Error("tokens of another kind");
  }
  const challenge = second.response.responseToken ?? Buffer.alloc(0);
  const authenticate = third.response.responseToken ?? Buffer.alloc(0);

  it("leads to the published keys", async () => {
    const message = decodeAuthenticate(authenticate, challenge.readUInt32LE(20));
    expect(message).toMatchObject({ userName: windows.userName, domainName: "SUT311", workstation: "DRIVER311" });
    const ntHash = await ntHashOfPassword(windows.password);
    expect(ntHash).toEqual(windows.ntHash);
    const responseKey = ntowfV2(ntHash, message.userName, message.domainName);
    expect(responseKey).toEqual(windows.responseKeyNt);
    const proof = ntProof(responseKey, challenge.subarray(24, 32), message.ntResponse.subarray(16));
    expect(proof).toEqual(windows.ntProofStr);
    const keyExchangeKey = sessionBaseKey(responseKey, proof);
    expect(keyExchangeKey).toEqual(windows.keyExchangeKey);
    expect(rc4k(keyExchangeKey, message.encryptedRandomSessionKey)).toEqual(windows.sessionKey);
  });

  it("has both mechListMICs", () => {
    const flags = authenticate.readUInt32LE(60);
    expect(signKey(windows.sessionKey, "server")).toEqual(windows.serverSigningKey);
    expect(signKey(windows.sessionKey, "client")).toEqual(windows.clientSigningKey);
    expect(sealKey(flags, windows.sessionKey, "server")).toEqual(windows.serverSealingKey);
    expect(sealKey(flags, windows.sessionKey, "client")).toEqual(windows.clientSealingKey);
    const integrity = serverIntegrity(flags, windows.sessionKey);
    expect(integrity?.verify(first.init.mechTypeList, third.response.mechListMic ?? Buffer.alloc(0))).toBe(true);
    expect(integrity?.sign(first.init.mechTypeList)).toEqual(last.response.mechListMic);
  });
});

describe("challengeFlags", () => {
  it("grants what is asked for and known, and says what this server is", () => {
    const windows10 = decodeNegotiate(
      hex("4e544c4d5353500001000000978208e2000000000000000000000000000000000a00614a0000000f"),
    ).flags;
    expect(windows10).toBe(0xe2088297);
    // Without LM_KEY, which extended session security rules out.
    expect(challengeFlags(windows10)).toBe(0xe28a8215);
  });

  it("falls back to OEM characters only where Unicode is not offered", () => {
    expect(challengeFlags(NtlmFlag.OEM) & 3).toBe(NtlmFlag.OEM);
    expect(challengeFlags(NtlmFlag.OEM | NtlmFlag.UNICODE) & 3).toBe(NtlmFlag.UNICODE);
    expect(challengeFlags(0) & 3).toBe(NtlmFlag.UNICODE);
  });

  it("gives no integrity without the flags for it", () => {
    expect(serverIntegrity(NtlmFlag.SIGN, Buffer.alloc(16))).toBeUndefined();
    expect(serverIntegrity(NtlmFlag.EXTENDED_SESSIONSECURITY, Buffer.alloc(16))).toBeUndefined();
  });
});

describe("broken messages", () => {
  const status = { status: NtStatus.INVALID_PARAMETER };
  it("are INVALID_PARAMETER", () => {
    expect(() => decodeNegotiate(Buffer.from("NTLMSSP\0\x01\0\0\0", "latin1"))).toThrow(
      expect.objectContaining(status),
    );
    expect(() => decodeNegotiate(Buffer.from("NTLMSSP\0\x03\0\0\0\0\0\0\0", "latin1"))).toThrow(
      expect.objectContaining(status),
    );
    expect(() => decodeAuthenticate(Buffer.alloc(100), 0)).toThrow(expect.objectContaining(status));
    expect(() => decodeAvPairs(hex("0100050000"))).toThrow(expect.objectContaining(status));
  });

  it("have no field that reaches beyond the end, and no odd name", () => {
    const message = Buffer.alloc(90);
    message.write("NTLMSSP\0\x03", "latin1");
    message.writeUInt16LE(4, 36);
    message.writeUInt32LE(87, 40);
    expect(() => decodeAuthenticate(message, NtlmFlag.UNICODE)).toThrow("beyond the end");
    message.writeUInt16LE(3, 36);
    expect(() => decodeAuthenticate(message, NtlmFlag.UNICODE)).toThrow("odd length");
    expect(decodeAuthenticate(message, NtlmFlag.OEM).userName).toBe("\0\0\0");
  });
});
