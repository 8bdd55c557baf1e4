// SPDX-License-Identifier: Apache-2.0

import { AesCmac } from "./aes-cmac.ts";
import { AesGmac, AesGmacSigner } from "./aes-gmac.ts";
import { HmacSha256 } from "./hmac-sha256.ts";
import { opensslCmac, opensslGmac, opensslHmacSha256 } from "./openssl/mac.ts";
import { MacSigner, type Signer, type SigningRole } from "./signer.ts";

/** SigningAlgorithms of SMB2_SIGNING_CAPABILITIES (MS-SMB2 2.2.3.1.7). */
export const SigningAlgorithm = {
  HMAC_SHA256: 0x0000,
  AES_CMAC: 0x0001,
  AES_GMAC: 0x0002,
} as const;

export type SigningAlgorithm = (typeof SigningAlgorithm)[keyof typeof SigningAlgorithm];

/** The algorithm of a connection where SMB2_SIGNING_CAPABILITIES did not choose one (MS-SMB2 3.1.4.1). */
export function defaultSigningAlgorithm(dialect: number): SigningAlgorithm {
  return dialect < 0x0300 ? SigningAlgorithm.HMAC_SHA256 : SigningAlgorithm.AES_CMAC;
}

/**
 * Signs by OpenSSL called directly where that can be, else by node:crypto.
 * @param key Session.SigningKey or Channel.SigningKey, 16 bytes; Session.SessionKey for dialects 2.x
 * @param role which side we are: AES-GMAC mixes the sender's side into its nonce
 */
export function createSigner(algorithm: SigningAlgorithm, key: Buffer, role: SigningRole = "server"): Signer {
  switch (algorithm) {
    case SigningAlgorithm.HMAC_SHA256:
      return new MacSigner(opensslHmacSha256(key) ?? new HmacSha256(key));
    case SigningAlgorithm.AES_CMAC:
      return new MacSigner(opensslCmac(key) ?? new AesCmac(key));
    case SigningAlgorithm.AES_GMAC:
      return new AesGmacSigner(opensslGmac(key) ?? new AesGmac(key), role);
  }
}

export type { Signer, SigningRole } from "./signer.ts";
