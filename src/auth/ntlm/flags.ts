// SPDX-License-Identifier: Apache-2.0

/** NegotiateFlags (MS-NLMP 2.2.2.5). */
export const NtlmFlag = {
  UNICODE: 0x00000001,
  OEM: 0x00000002,
  REQUEST_TARGET: 0x00000004,
  SIGN: 0x00000010,
  SEAL: 0x00000020,
  LM_KEY: 0x00000080,
  NTLM: 0x00000200,
  ANONYMOUS: 0x00000800,
  OEM_DOMAIN_SUPPLIED: 0x00001000,
  OEM_WORKSTATION_SUPPLIED: 0x00002000,
  ALWAYS_SIGN: 0x00008000,
  TARGET_TYPE_DOMAIN: 0x00010000,
  TARGET_TYPE_SERVER: 0x00020000,
  EXTENDED_SESSIONSECURITY: 0x00080000,
  TARGET_INFO: 0x00800000,
  VERSION: 0x02000000,
  KEY_128: 0x20000000,
  KEY_EXCH: 0x40000000,
  KEY_56: 0x80000000,
} as const;

/** What a client may ask for and gets. */
const GRANTED =
  NtlmFlag.SIGN |
  NtlmFlag.SEAL |
  NtlmFlag.EXTENDED_SESSIONSECURITY |
  NtlmFlag.VERSION |
  NtlmFlag.KEY_128 |
  NtlmFlag.KEY_EXCH |
  NtlmFlag.KEY_56;

/** What every CHALLENGE_MESSAGE says of a server that is in no domain (MS-NLMP 3.2.5.1.1). */
const ALWAYS =
  NtlmFlag.REQUEST_TARGET | NtlmFlag.NTLM | NtlmFlag.ALWAYS_SIGN | NtlmFlag.TARGET_TYPE_SERVER | NtlmFlag.TARGET_INFO;

/** NegotiateFlags of the CHALLENGE_MESSAGE that answers a NEGOTIATE_MESSAGE with these flags. Unsigned. */
export function challengeFlags(requested: number): number {
  const characters = requested & NtlmFlag.UNICODE || !(requested & NtlmFlag.OEM) ? NtlmFlag.UNICODE : NtlmFlag.OEM;
  return ((requested & GRANTED) | ALWAYS | characters) >>> 0;
}
