// SPDX-License-Identifier: Apache-2.0

/** STORAGE_OFFLOAD_TOKEN (MS-FSCC 2.1.11), which is a ROD token of SCSI: known to the protocol, to tokens and to storage. */

/** Bytes of a token. */
export const STORAGE_OFFLOAD_TOKEN_LENGTH = 512;

/** Bytes of TokenId. */
export const TOKEN_ID_LENGTH = 504;
const TOKEN_ID_OFFSET = 8;

/** STORAGE_OFFLOAD_TOKEN_TYPE_ZERO_DATA: stands for zeros, needs no earlier read. */
export const TOKEN_TYPE_ZERO_DATA = 0xffff0001;

/** Type and length are big-endian, unlike everything else in MS-FSCC. */
export interface StorageOffloadToken {
  /** {@link TOKEN_TYPE_ZERO_DATA}, or a ROD token type of the issuer. */
  readonly tokenType: number;
  /** The significant part, at most 504 bytes. */
  readonly tokenId: Buffer;
}

/**
 * The 512 bytes of a token; the rest of TokenId is zero.
 * @throws RangeError where TokenId is too long
 */
export function encodeStorageOffloadToken({ tokenType, tokenId }: StorageOffloadToken): Buffer {
  if (tokenId.length > TOKEN_ID_LENGTH) throw new RangeError(`TokenId of ${tokenId.length} bytes`);
  const bytes = Buffer.alloc(STORAGE_OFFLOAD_TOKEN_LENGTH);
  bytes.writeUInt32BE(tokenType, 0);
  bytes.writeUInt16BE(tokenId.length, 6);
  tokenId.copy(bytes, TOKEN_ID_OFFSET);
  return bytes;
}

/**
 * TokenId is a view. A zero token has none, whatever its length field says: issuers disagree about it.
 * `undefined`: not 512 bytes, or TokenIdLength exceeds its field
 */
export function decodeStorageOffloadToken(bytes: Buffer): StorageOffloadToken | undefined {
  if (bytes.length !== STORAGE_OFFLOAD_TOKEN_LENGTH) return undefined;
  const tokenType = bytes.readUInt32BE(0);
  const length = tokenType === TOKEN_TYPE_ZERO_DATA ? 0 : bytes.readUInt16BE(6);
  if (length > TOKEN_ID_LENGTH) return undefined;
  return { tokenType, tokenId: bytes.subarray(TOKEN_ID_OFFSET, TOKEN_ID_OFFSET + length) };
}
