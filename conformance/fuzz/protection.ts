// SPDX-License-Identifier: Apache-2.0
/** Signs or encrypts what the fuzzer has changed, so that it passes for the client's own and reaches the handlers. */
import {
  CipherId,
  cipherKeyLength,
  createMessageCipher,
  TRANSFORM_HEADER_SIZE,
} from "../../src/smb2/crypto/encryption.ts";
import { deriveSessionKeys } from "../../src/smb2/crypto/key-derivation.ts";
import { createSigner, SigningAlgorithm } from "../../src/smb2/crypto/signing.ts";
import { Dialect, HeaderFlag } from "../../src/smb2/wire/constants.ts";
import { HEADER_SIZE, HeaderOffset } from "../../src/smb2/wire/header.ts";
import { compoundStarts } from "./mutate.ts";

/** How the messages of a session travel. Unprotected ones need a dialect below 3.1.1 to be believed in. */
export type Protection = "none" | "signed" | "encrypted";

export interface Seal {
  /** The message as it goes out; the original is used up. */
  seal(message: Buffer): Buffer;
  /** The message inside of what came in; `undefined` for what is none. */
  unseal(received: Buffer): Buffer | undefined;
}

export const openSeal: Seal = { seal: (message) => message, unseal: (received) => received };

/** What a connection with 3.1.1 offers: one algorithm of each kind, so that nothing is left to choose. */
export const OFFERED_CIPHER = CipherId.AES_128_GCM;
export const OFFERED_SIGNING = SigningAlgorithm.AES_CMAC;

export interface SealInput {
  readonly sessionId: bigint;
  readonly sessionKey: Buffer;
  /** Over NEGOTIATE and SESSION_SETUP, the last request included. */
  readonly preauthHash: Buffer;
}

/** The seal of a session of dialect 3.1.1. */
export function createSeal(
  protection: "signed" | "encrypted",
  { sessionId, sessionKey, preauthHash }: SealInput,
): Seal {
  const keys = deriveSessionKeys({
    dialect: Dialect.SMB_3_1_1,
    sessionKey,
    fullSessionKey: sessionKey,
    preauthHash,
    cipherKeyLength: cipherKeyLength(OFFERED_CIPHER),
  });
  if (protection === "signed") {
    const signer = createSigner(OFFERED_SIGNING, keys.signingKey, "client");
    return { ...openSeal, seal: (message) => signed(message, (part) => signer.sign([part])) };
  }
  if (keys.serverIn === undefined || keys.serverOut === undefined) throw new Error("no keys for encryption");
  const cipher = createMessageCipher({
    cipher: OFFERED_CIPHER,
    encryptionKey: keys.serverIn,
    decryptionKey: keys.serverOut,
  });
  return {
    seal: (message) => Buffer.concat(cipher.encrypt(sessionId, [message])),
    unseal: (received) => {
      if (received[0] !== 0xfd || received.length < TRANSFORM_HEADER_SIZE) return received;
      const [header, body] = [received.subarray(0, TRANSFORM_HEADER_SIZE), received.subarray(TRANSFORM_HEADER_SIZE)];
      return cipher.decrypt(header, Buffer.from(body));
    },
  };
}

/** Signs each request of a compound as the server will cut it. What is too short for a header goes as it is. */
function signed(message: Buffer, sign: (part: Buffer) => void): Buffer {
  const starts = compoundStarts(message);
  for (const [index, start] of starts.entries()) {
    const part = message.subarray(start, starts[index + 1] ?? message.length);
    if (part.length < HEADER_SIZE) continue;
    part.writeUInt32LE((part.readUInt32LE(HeaderOffset.FLAGS) | HeaderFlag.SIGNED) >>> 0, HeaderOffset.FLAGS);
    sign(part);
  }
  return message;
}
