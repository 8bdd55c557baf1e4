// SPDX-License-Identifier: Apache-2.0

import { createHmac } from "node:crypto";
import { foldName } from "../../nt/names.ts";
import { Rc4 } from "../rc4.ts";

export const NT_PROOF_SIZE = 16;

/** Bytes of NTLMv2_CLIENT_CHALLENGE before its AV_PAIRs (MS-NLMP 2.2.2.7). */
export const CLIENT_CHALLENGE_HEADER = 28;

/** Shortest NTLMv2_RESPONSE: the proof and a client challenge with no AV_PAIR (MS-NLMP 2.2.2.8). */
export const NTLMV2_RESPONSE_MINIMUM: number = NT_PROOF_SIZE + CLIENT_CHALLENGE_HEADER;

export function hmacMd5(key: Buffer, ...data: readonly Buffer[]): Buffer {
  const hmac = createHmac("md5", key);
  for (const part of data) hmac.update(part);
  return hmac.digest();
}

/** NTOWFv2 (MS-NLMP 3.3.2), from the NT hash instead of the password. The domain counts as the client wrote it. */
export function ntowfV2(ntHash: Buffer, userName: string, domainName: string): Buffer {
  return hmacMd5(ntHash, Buffer.from(foldName(userName) + domainName, "utf16le"));
}

/** NTProofStr (MS-NLMP 3.3.2) for a client challenge, which is `temp` there. */
export function ntProof(responseKeyNt: Buffer, serverChallenge: Buffer, clientChallenge: Buffer): Buffer {
  return hmacMd5(responseKeyNt, serverChallenge, clientChallenge);
}

/** SessionBaseKey, with NTLMv2 also the KeyExchangeKey (MS-NLMP 3.3.2, 3.4.5.1). */
export function sessionBaseKey(responseKeyNt: Buffer, proof: Buffer): Buffer {
  return hmacMd5(responseKeyNt, proof);
}

/** RC4K (MS-NLMP section 6). */
export function rc4k(key: Buffer, data: Buffer): Buffer {
  return new Rc4(key).update(data);
}
