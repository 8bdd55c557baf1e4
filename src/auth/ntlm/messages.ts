// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../nt/status.ts";
import { NtlmFlag } from "./flags.ts";

/** First bytes of every NTLM message (MS-NLMP 2.2.1). */
export const NTLM_SIGNATURE: Buffer = Buffer.from("NTLMSSP\0", "latin1");

export const NtlmMessageType = { NEGOTIATE: 1, CHALLENGE: 2, AUTHENTICATE: 3 } as const;

export const SERVER_CHALLENGE_SIZE = 8;

const NEGOTIATE_MINIMUM = 16;
const CHALLENGE_HEADER = 56;
const AUTHENTICATE_MINIMUM = 64;
const MIC_OFFSET = 72;
const MIC_SIZE = 16;

/**
 * VERSION (MS-NLMP 2.2.2.10): 6.1, NTLMSSP_REVISION_W2K3. Clients take a server that is older than Windows 7 as one that
 * lacks what this implementation has.
 */
const VERSION = Buffer.from([6, 1, 0, 0, 0, 0, 0, 0x0f]);

function malformed(detail: string): SmbError {
  return new SmbError(NtStatus.INVALID_PARAMETER, detail);
}

/** @throws SmbError INVALID_PARAMETER: not an NTLM message, or too short for its type */
export function ntlmMessageType(message: Buffer): number {
  if (message.length < 12 || !message.subarray(0, 8).equals(NTLM_SIGNATURE)) throw malformed("not an NTLM message");
  return message.readUInt32LE(8);
}

/** A view of what the 8-byte length and offset fields at `at` point to; empty where the length is 0. */
function payload(message: Buffer, at: number): Buffer {
  const length = message.readUInt16LE(at);
  if (length === 0) return message.subarray(0, 0);
  const offset = message.readUInt32LE(at + 4);
  if (offset + length > message.length) throw malformed("NTLM field beyond the end");
  return message.subarray(offset, offset + length);
}

export interface NegotiateMessage {
  /** Unsigned. */
  readonly flags: number;
}

/** MS-NLMP 2.2.1.1. Names of domain and workstation are not read: nothing depends on them. */
export function decodeNegotiate(message: Buffer): NegotiateMessage {
  if (ntlmMessageType(message) !== NtlmMessageType.NEGOTIATE || message.length < NEGOTIATE_MINIMUM) {
    throw malformed("no NEGOTIATE_MESSAGE");
  }
  return { flags: message.readUInt32LE(12) };
}

export interface ChallengeMessage {
  readonly flags: number;
  readonly serverChallenge: Buffer;
  readonly targetName: string;
  /** Encoded AV_PAIRs. */
  readonly targetInfo: Buffer;
}

/** MS-NLMP 2.2.1.2. */
export function encodeChallenge({ flags, serverChallenge, targetName, targetInfo }: ChallengeMessage): Buffer {
  const name = Buffer.from(targetName, flags & NtlmFlag.UNICODE ? "utf16le" : "latin1");
  const message = Buffer.alloc(CHALLENGE_HEADER + name.length + targetInfo.length);
  NTLM_SIGNATURE.copy(message);
  message.writeUInt32LE(NtlmMessageType.CHALLENGE, 8);
  message.writeUInt16LE(name.length, 12);
  message.writeUInt16LE(name.length, 14);
  message.writeUInt32LE(CHALLENGE_HEADER, 16);
  message.writeUInt32LE(flags >>> 0, 20);
  serverChallenge.copy(message, 24, 0, SERVER_CHALLENGE_SIZE);
  message.writeUInt16LE(targetInfo.length, 40);
  message.writeUInt16LE(targetInfo.length, 42);
  message.writeUInt32LE(CHALLENGE_HEADER + name.length, 44);
  if (flags & NtlmFlag.VERSION) VERSION.copy(message, 48);
  name.copy(message, CHALLENGE_HEADER);
  targetInfo.copy(message, CHALLENGE_HEADER + name.length);
  return message;
}

/** Byte fields are views into the message. */
export interface AuthenticateMessage {
  readonly lmResponse: Buffer;
  readonly ntResponse: Buffer;
  readonly domainName: string;
  readonly userName: string;
  readonly workstation: string;
  readonly encryptedRandomSessionKey: Buffer;
  readonly flags: number;
}

/**
 * MS-NLMP 2.2.1.3.
 * @param negotiated flags of the CHALLENGE_MESSAGE: they decide how names are encoded
 */
export function decodeAuthenticate(message: Buffer, negotiated: number): AuthenticateMessage {
  if (ntlmMessageType(message) !== NtlmMessageType.AUTHENTICATE || message.length < AUTHENTICATE_MINIMUM) {
    throw malformed("no AUTHENTICATE_MESSAGE");
  }
  const unicode = (negotiated & NtlmFlag.UNICODE) !== 0;
  const text = (at: number): string => {
    const bytes = payload(message, at);
    if (!unicode) return bytes.toString("latin1");
    if (bytes.length % 2 !== 0) throw malformed("odd length of a UTF-16 name");
    return bytes.toString("utf16le");
  };
  return {
    lmResponse: payload(message, 12),
    ntResponse: payload(message, 20),
    domainName: text(28),
    userName: text(36),
    workstation: text(44),
    encryptedRandomSessionKey: payload(message, 52),
    flags: message.readUInt32LE(60),
  };
}

/** The MIC field of an AUTHENTICATE_MESSAGE that has one. @throws SmbError INVALID_PARAMETER: too short */
export function micOf(message: Buffer): Buffer {
  if (message.length < MIC_OFFSET + MIC_SIZE) throw malformed("no room for the MIC");
  return message.subarray(MIC_OFFSET, MIC_OFFSET + MIC_SIZE);
}

/** A copy of the AUTHENTICATE_MESSAGE with zeros for its MIC: what the MIC is computed over. */
export function withoutMic(message: Buffer): Buffer {
  return Buffer.from(message).fill(0, MIC_OFFSET, MIC_OFFSET + MIC_SIZE);
}
