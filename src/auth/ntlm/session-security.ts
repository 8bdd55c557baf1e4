// SPDX-License-Identifier: Apache-2.0

import { createHash, timingSafeEqual } from "node:crypto";
import type { MessageIntegrity } from "../mechanism.ts";
import { Rc4 } from "../rc4.ts";
import { NtlmFlag } from "./flags.ts";
import { hmacMd5 } from "./ntlmv2.ts";

export type NtlmSide = "client" | "server";

const direction = { client: "client-to-server", server: "server-to-client" } as const;

function md5(...data: readonly (Buffer | string)[]): Buffer {
  const hash = createHash("md5");
  for (const part of data) hash.update(part);
  return hash.digest();
}

/** SIGNKEY with extended session security (MS-NLMP 3.4.5.2). */
export function signKey(exportedSessionKey: Buffer, sender: NtlmSide): Buffer {
  return md5(exportedSessionKey, `session key to ${direction[sender]} signing key magic constant\0`);
}

/** SEALKEY with extended session security (MS-NLMP 3.4.5.3). */
export function sealKey(flags: number, exportedSessionKey: Buffer, sender: NtlmSide): Buffer {
  const size = flags & NtlmFlag.KEY_128 ? 16 : flags & NtlmFlag.KEY_56 ? 7 : 5;
  return md5(exportedSessionKey.subarray(0, size), `session key to ${direction[sender]} sealing key magic constant\0`);
}

/**
 * NTLMSSP_MESSAGE_SIGNATURE for extended session security (MS-NLMP 2.2.2.9.2, 3.4.4.2) with sequence number 0 and a
 * fresh RC4 state: what a mechListMIC uses (MS-SPNG 3.2.5.1).
 */
export function firstSignature(flags: number, exportedSessionKey: Buffer, sender: NtlmSide, message: Buffer): Buffer {
  const sequence = Buffer.alloc(4);
  let checksum = hmacMd5(signKey(exportedSessionKey, sender), sequence, message).subarray(0, 8);
  if (flags & NtlmFlag.KEY_EXCH) checksum = new Rc4(sealKey(flags, exportedSessionKey, sender)).update(checksum);
  const signature = Buffer.alloc(16);
  signature.writeUInt32LE(1, 0);
  checksum.copy(signature, 4);
  return signature;
}

/**
 * The server's integrity functions for the one message that SPNEGO signs in each direction; `undefined` where the
 * negotiated flags give none that is worth having.
 */
export function serverIntegrity(flags: number, exportedSessionKey: Buffer): MessageIntegrity | undefined {
  const needed = NtlmFlag.EXTENDED_SESSIONSECURITY | NtlmFlag.SIGN;
  if ((flags & needed) !== needed) return undefined;
  return {
    sign: (message) => firstSignature(flags, exportedSessionKey, "server", message),
    verify: (message, signature) =>
      signature.length === 16 &&
      timingSafeEqual(firstSignature(flags, exportedSessionKey, "client", message), signature),
  };
}
