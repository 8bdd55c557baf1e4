// SPDX-License-Identifier: Apache-2.0

import { createHmac } from "node:crypto";

const HASH_LENGTH = 32;
const DIALECT_3_0 = 0x0300;
const DIALECT_3_1_1 = 0x0311;

/** Length in bytes of signing and application keys, whatever the cipher (MS-SMB2 3.3.1.8). */
const SIGNING_KEY_LENGTH = 16;

/**
 * SP800-108 section 5.1, key derivation in counter mode with HMAC-SHA256 and r = 32 (MS-SMB2 3.1.4.2).
 *
 * @param label without the separating zero byte that the function adds itself; SMB2 labels carry a terminating NUL
 * @param length bytes wanted: 16 or 32 in SMB2
 */
export function deriveKey(key: Buffer, label: Buffer, context: Buffer, length: number): Buffer {
  const fixed = Buffer.alloc(4 + label.length + 1 + context.length + 4);
  label.copy(fixed, 4);
  context.copy(fixed, 4 + label.length + 1);
  fixed.writeUInt32BE(length * 8, fixed.length - 4);
  const blocks: Buffer[] = [];
  for (let i = 1; (i - 1) * HASH_LENGTH < length; i++) {
    fixed.writeUInt32BE(i, 0);
    blocks.push(createHmac("sha256", key).update(fixed).digest());
  }
  return Buffer.concat(blocks, length);
}

/** A label or a context as the specification counts them: ASCII with its terminating NUL. */
const text = (value: string): Buffer => Buffer.from(`${value}\0`, "ascii");

interface Purpose {
  /** Label of 3.0 and 3.0.2, where the context is fixed. */
  readonly label30: Buffer;
  readonly context30: Buffer;
  /** Label of 3.1.1, where the context is the preauthentication integrity hash. */
  readonly label311: Buffer;
}

/** MS-SMB2 3.3.5.5.3. */
const purposes = {
  signing: { label30: text("SMB2AESCMAC"), context30: text("SmbSign"), label311: text("SMBSigningKey") },
  application: { label30: text("SMB2APP"), context30: text("SmbRpc"), label311: text("SMBAppKey") },
  serverIn: { label30: text("SMB2AESCCM"), context30: text("ServerIn "), label311: text("SMBC2SCipherKey") },
  serverOut: { label30: text("SMB2AESCCM"), context30: text("ServerOut"), label311: text("SMBS2CCipherKey") },
} satisfies Record<string, Purpose>;

function derive(
  purpose: Purpose,
  dialect: number,
  key: Buffer,
  preauthHash: Buffer | undefined,
  length: number,
): Buffer {
  if (dialect !== DIALECT_3_1_1) return deriveKey(key, purpose.label30, purpose.context30, length);
  if (preauthHash === undefined) throw new TypeError("dialect 3.1.1 derives its keys from the preauthentication hash");
  return deriveKey(key, purpose.label311, preauthHash, length);
}

export interface SigningKeyInput {
  /** DialectRevision: 0x0202, 0x0210, 0x0300, 0x0302 or 0x0311. */
  readonly dialect: number;
  /** Session.SessionKey, 16 bytes. */
  readonly sessionKey: Buffer;
  /** PreauthIntegrityHashValue of the session, or of the channel while one is bound; 3.1.1 only. */
  readonly preauthHash?: Buffer | undefined;
}

export interface SessionKeyInput extends SigningKeyInput {
  /** The whole key of the authentication mechanism: what the 256-bit ciphers start from. */
  readonly fullSessionKey: Buffer;
  /** Key length of the connection's cipher in bytes; absent where no encryption was negotiated. */
  readonly cipherKeyLength?: 16 | 32 | undefined;
}

export interface SessionKeys {
  /** 16 bytes. Dialects 2.x sign with the session key itself. */
  readonly signingKey: Buffer;
  /** What applications above SMB2 are given, 16 bytes. */
  readonly applicationKey: Buffer;
  /** Session.DecryptionKey of a server: what clients encrypt with. Absent without a cipher. */
  readonly serverIn: Buffer | undefined;
  /** Session.EncryptionKey of a server. Absent without a cipher. */
  readonly serverOut: Buffer | undefined;
}

/** Session.SigningKey, or Channel.SigningKey of a channel that is being bound (MS-SMB2 3.3.5.5.3). 16 bytes. */
export function deriveSigningKey({ dialect, sessionKey, preauthHash }: SigningKeyInput): Buffer {
  if (dialect < DIALECT_3_0) return sessionKey;
  return derive(purposes.signing, dialect, sessionKey, preauthHash, SIGNING_KEY_LENGTH);
}

/** All keys of a new session (MS-SMB2 3.3.5.5.3). Reauthentication keeps the keys that the session has. */
export function deriveSessionKeys(input: SessionKeyInput): SessionKeys {
  const { dialect, sessionKey, fullSessionKey, preauthHash, cipherKeyLength } = input;
  const signingKey = deriveSigningKey(input);
  if (dialect < DIALECT_3_0) {
    return { signingKey, applicationKey: sessionKey, serverIn: undefined, serverOut: undefined };
  }
  const applicationKey = derive(purposes.application, dialect, sessionKey, preauthHash, SIGNING_KEY_LENGTH);
  if (cipherKeyLength === undefined) {
    return { signingKey, applicationKey, serverIn: undefined, serverOut: undefined };
  }
  const base = cipherKeyLength === 32 ? fullSessionKey : sessionKey;
  return {
    signingKey,
    applicationKey,
    serverIn: derive(purposes.serverIn, dialect, base, preauthHash, cipherKeyLength),
    serverOut: derive(purposes.serverOut, dialect, base, preauthHash, cipherKeyLength),
  };
}
