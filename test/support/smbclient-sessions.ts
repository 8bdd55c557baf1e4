// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import { ntHashOfPassword } from "../../src/auth/nt-hash.ts";
import { decodeAvPairs } from "../../src/auth/ntlm/av-pairs.ts";
import { type AuthenticateMessage, decodeAuthenticate } from "../../src/auth/ntlm/messages.ts";
import { ntowfV2, ntProof, rc4k, sessionBaseKey } from "../../src/auth/ntlm/ntlmv2.ts";
import { decodeSpnego, type ResponseToken } from "../../src/auth/spnego/tokens.ts";

/**
 * Sessions of smbclient 4.17 with a Samba server of the same version, recorded from the loopback interface: user
 * "nobody", password "Tessera-1". Messages without their transport header, in the order of the wire.
 */
export interface RecordedMessage {
  readonly from: "client" | "server";
  readonly bytes: Buffer;
}

const file = new URL("smbclient-sessions.json", import.meta.url);
const parsed: Record<string, { from: "client" | "server"; hex: string }[]> = JSON.parse(readFileSync(file, "utf8"));

export const recordedSessions: Record<string, readonly RecordedMessage[]> = Object.fromEntries(
  Object.entries(parsed).map(([name, messages]) => [
    name,
    messages.map(({ from, hex }) => ({ from, bytes: Buffer.from(hex, "hex") })),
  ]),
);

export const RECORDED_PASSWORD = "Tessera-1";

export interface RecordedLogon {
  readonly mechTypes: readonly string[];
  readonly mechTypeList: Buffer;
  readonly negotiate: Buffer;
  readonly challenge: Buffer;
  readonly authenticate: Buffer;
  readonly decoded: AuthenticateMessage;
  readonly clientResponse: ResponseToken;
  readonly challengeResponse: ResponseToken;
  readonly finalResponse: ResponseToken;
  readonly avPairs: ReturnType<typeof decodeAvPairs>;
  readonly expectedProof: Buffer;
  readonly exportedSessionKey: Buffer;
}

/** The security buffer of a SESSION_SETUP message, whose fields are 12 bytes into the request, 4 into the response. */
function securityBuffer({ from, bytes }: RecordedMessage): Buffer {
  const fields = 64 + (from === "client" ? 12 : 4);
  const offset = bytes.readUInt16LE(fields);
  return bytes.subarray(offset, offset + bytes.readUInt16LE(fields + 2));
}

function at(messages: readonly RecordedMessage[], index: number): RecordedMessage {
  const message = messages[index];
  if (message === undefined) throw new Error(`no message ${index}`);
  return message;
}

function response(message: RecordedMessage): ResponseToken {
  const token = decodeSpnego(securityBuffer(message));
  if (token.kind !== "response") throw new Error("not a NegTokenResp");
  return token.response;
}

/** Takes the logon apart; the session setup is what follows the NEGOTIATE request and response. */
export async function recordedLogon(messages: readonly RecordedMessage[]): Promise<RecordedLogon> {
  const first = decodeSpnego(securityBuffer(at(messages, 2)));
  if (first.kind !== "init" || first.init.mechToken === undefined) throw new Error("not a NegTokenInit");
  const challengeResponse = response(at(messages, 3));
  const clientResponse = response(at(messages, 4));
  const challenge = challengeResponse.responseToken ?? Buffer.alloc(0);
  const authenticate = clientResponse.responseToken ?? Buffer.alloc(0);
  const decoded = decodeAuthenticate(authenticate, challenge.readUInt32LE(20));
  const responseKey = ntowfV2(await ntHashOfPassword(RECORDED_PASSWORD), decoded.userName, decoded.domainName);
  const expectedProof = ntProof(responseKey, challenge.subarray(24, 32), decoded.ntResponse.subarray(16));
  return {
    mechTypes: first.init.mechTypes,
    mechTypeList: first.init.mechTypeList,
    negotiate: first.init.mechToken,
    challenge,
    authenticate,
    decoded,
    clientResponse,
    challengeResponse,
    finalResponse: response(at(messages, 5)),
    avPairs: decodeAvPairs(decoded.ntResponse.subarray(44)),
    expectedProof,
    exportedSessionKey: rc4k(sessionBaseKey(responseKey, expectedProof), decoded.encryptedRandomSessionKey),
  };
}
