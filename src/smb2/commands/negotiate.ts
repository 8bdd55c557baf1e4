// SPDX-License-Identifier: Apache-2.0

import { fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Connection } from "../connection.ts";
import { CipherId } from "../crypto/encryption.ts";
import { PREAUTH_SHA_512 } from "../crypto/preauth.ts";
import { defaultSigningAlgorithm, SigningAlgorithm } from "../crypto/signing.ts";
import type { Request } from "../request.ts";
import type { CipherName, SigningAlgorithmName } from "../server-context.ts";
import { Dialect, GlobalCapability, SecurityMode } from "../wire/constants.ts";
import { decodeNegotiateRequest, encodeNegotiateResponse, type NegotiateRequest } from "../wire/negotiate.ts";
import {
  decodeEncryptionCapabilities,
  decodePreauthIntegrityCapabilities,
  decodeSigningCapabilities,
  encryptionContext,
  type NegotiateContext,
  NegotiateContextType,
  preauthIntegrityContext,
  signingContext,
} from "../wire/negotiate-contexts.ts";
import { command } from "./command.ts";

const cipherIds: Record<CipherName, CipherId> = {
  "aes-128-ccm": CipherId.AES_128_CCM,
  "aes-128-gcm": CipherId.AES_128_GCM,
  "aes-256-ccm": CipherId.AES_256_CCM,
  "aes-256-gcm": CipherId.AES_256_GCM,
};

const signingIds: Record<SigningAlgorithmName, SigningAlgorithm> = {
  "hmac-sha256": SigningAlgorithm.HMAC_SHA256,
  "aes-cmac": SigningAlgorithm.AES_CMAC,
  "aes-gmac": SigningAlgorithm.AES_GMAC,
};

const SALT_SIZE = 32;
/** Without LARGE_MTU a credit pays for the whole request, of 64 KiB at most. */
const SINGLE_CREDIT_SIZE = 65_536;

/** SMB2 NEGOTIATE (MS-SMB2 3.3.5.4). */
export const negotiate = command({
  decode: decodeNegotiateRequest,
  handle,
  session: false,
  tree: false,
});

function handle(request: Request, message: NegotiateRequest): void {
  const { connection } = request;
  if (connection.dialect !== 0 && connection.dialect !== Dialect.WILDCARD) {
    connection.disconnect();
    return;
  }
  // Nobody has a key yet (MS-SMB2 3.3.5.2.4).
  if (request.isSigned) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (message.dialects.length === 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { options } = request.server.context;
  let dialect = 0;
  for (const offered of message.dialects) {
    if (!supportedDialects.has(offered) || offered < options.minDialect || offered > options.maxDialect) continue;
    if (offered > dialect) dialect = offered;
  }
  if (dialect === 0) throw new SmbError(NtStatus.NOT_SUPPORTED);

  // Nothing is settled before all of it can be: after a failure the client may try again.
  const settled = dialect === Dialect.SMB_3_1_1 ? negotiateContexts(connection, message.contexts) : undefined;
  connection.dialect = dialect;
  connection.clientDialects = message.dialects;
  connection.clientCapabilities = message.capabilities;
  connection.clientSecurityMode = message.securityMode;
  connection.clientGuid = Buffer.from(message.clientGuid);
  connection.supportsMultiCredit = dialect >= Dialect.SMB_2_1;
  connection.signingAlgorithm = settled?.signingAlgorithm ?? defaultSigningAlgorithm(dialect);
  // Before 3.1.1 the only cipher is AES-128-CCM, announced by a capability of both sides.
  const ccmAllowed = options.encryption !== "off" && options.ciphers.includes("aes-128-ccm");
  const is30 = dialect === Dialect.SMB_3_0 || dialect === Dialect.SMB_3_0_2;
  const ccm = is30 && ccmAllowed && (message.capabilities & GlobalCapability.ENCRYPTION) !== 0;
  connection.cipher = ccm ? CipherId.AES_128_CCM : settled?.cipher;
  respond(request, settled?.contexts ?? []);

  if (dialect === Dialect.SMB_3_1_1) {
    connection.preauth.update(request.reader.buffer);
    request.onResponse = (response) => connection.preauth.update(...response);
  }
}

const supportedDialects: ReadonlySet<number> = new Set([
  Dialect.SMB_2_0_2,
  Dialect.SMB_2_1,
  Dialect.SMB_3_0,
  Dialect.SMB_3_0_2,
  Dialect.SMB_3_1_1,
]);

/** What the contexts of 3.1.1 have come to. */
interface Settled {
  /** The server's own. */
  readonly contexts: readonly NegotiateContext[];
  readonly cipher: CipherId | undefined;
  readonly signingAlgorithm: SigningAlgorithm;
}

function negotiateContexts(connection: Connection, offered: readonly NegotiateContext[]): Settled {
  const { context } = connection.server;
  const { options } = context;
  const preauth = single(offered, NegotiateContextType.PREAUTH_INTEGRITY_CAPABILITIES);
  const encryption = single(offered, NegotiateContextType.ENCRYPTION_CAPABILITIES);
  const signing = single(offered, NegotiateContextType.SIGNING_CAPABILITIES);
  single(offered, NegotiateContextType.COMPRESSION_CAPABILITIES);
  single(offered, NegotiateContextType.RDMA_TRANSFORM_CAPABILITIES);
  if (preauth === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (!decodePreauthIntegrityCapabilities(preauth).hashAlgorithms.includes(PREAUTH_SHA_512)) {
    throw new SmbError(NtStatus.SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP);
  }
  const contexts = [
    preauthIntegrityContext({ hashAlgorithms: [PREAUTH_SHA_512], salt: context.randomBytes(SALT_SIZE) }),
  ];
  let cipher: CipherId | undefined;
  if (encryption !== undefined && options.encryption !== "off") {
    const ciphers = decodeEncryptionCapabilities(encryption);
    const name = options.ciphers.find((candidate) => ciphers.includes(cipherIds[candidate]));
    if (name !== undefined) cipher = cipherIds[name];
    contexts.push(encryptionContext([cipher ?? 0]));
  }
  let signingAlgorithm: SigningAlgorithm = SigningAlgorithm.AES_CMAC;
  if (signing !== undefined) {
    const algorithms = decodeSigningCapabilities(signing);
    const name = options.signingAlgorithms.find((algorithm) => algorithms.includes(signingIds[algorithm]));
    if (name !== undefined) signingAlgorithm = signingIds[name];
    contexts.push(signingContext([signingAlgorithm]));
  }
  return { contexts, cipher, signingAlgorithm };
}

/** The one context of a type; two are refused. */
function single(contexts: readonly NegotiateContext[], type: number): Buffer | undefined {
  let found: Buffer | undefined;
  for (const context of contexts) {
    if (context.type !== type) continue;
    if (found !== undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
    found = context.data;
  }
  return found;
}

/** Writes the NEGOTIATE response of a connection whose dialect is settled, or is the wildcard of SMB1 clients. */
export function respond(request: Request, contexts: readonly NegotiateContext[]): void {
  const { connection } = request;
  encodeNegotiateResponse(request.writer, describeServer(connection, contexts));
}

/** What the NEGOTIATE response, and FSCTL_VALIDATE_NEGOTIATE_INFO after it, say of the server. */
export function describeServer(connection: Connection, contexts: readonly NegotiateContext[]) {
  const { context } = connection.server;
  const { options } = context;
  const { dialect } = connection;
  let capabilities = 0;
  if (connection.supportsMultiCredit) capabilities |= GlobalCapability.LARGE_MTU | GlobalCapability.LEASING;
  if (dialect >= Dialect.SMB_3_0) {
    capabilities |= GlobalCapability.DIRECTORY_LEASING & connection.clientCapabilities;
    capabilities |= GlobalCapability.MULTI_CHANNEL & connection.clientCapabilities;
    if (connection.server.persistentOpens !== undefined) {
      capabilities |= GlobalCapability.PERSISTENT_HANDLES & connection.clientCapabilities;
    }
    if (dialect !== Dialect.SMB_3_1_1 && connection.cipher !== undefined) capabilities |= GlobalCapability.ENCRYPTION;
  }
  if (dialect === Dialect.SMB_3_1_1) capabilities |= GlobalCapability.NOTIFICATIONS & connection.clientCapabilities;
  connection.supportsNotifications = (capabilities & GlobalCapability.NOTIFICATIONS) !== 0;
  let securityMode: number = SecurityMode.SIGNING_ENABLED;
  if (options.signingRequired) securityMode |= SecurityMode.SIGNING_REQUIRED;
  connection.serverCapabilities = capabilities;
  connection.serverSecurityMode = securityMode;
  const limit = connection.supportsMultiCredit ? Number.MAX_SAFE_INTEGER : SINGLE_CREDIT_SIZE;
  connection.maxTransactSize = Math.min(options.maxTransactSize, limit);
  connection.maxReadSize = Math.min(options.maxReadSize, limit);
  connection.maxWriteSize = Math.min(options.maxWriteSize, limit);
  return {
    securityMode,
    dialect,
    serverGuid: context.serverGuid,
    capabilities,
    maxTransactSize: connection.maxTransactSize,
    maxReadSize: connection.maxReadSize,
    maxWriteSize: connection.maxWriteSize,
    systemTime: fileTimeFromMilliseconds(context.clock.now()),
    serverStartTime: 0n,
    securityBuffer: context.authenticator.initialToken,
    contexts,
  };
}
