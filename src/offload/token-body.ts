// SPDX-License-Identifier: Apache-2.0

import { sidFromBuffer, sidLength, sidToBuffer } from "../nt/sid.ts";

/** Who may use a token: the user who asked for it, everybody on the server that issued it, everybody who has it. */
export const tokenScopes = ["user", "server", "cluster"] as const;
export type TokenScope = (typeof tokenScopes)[number];

/** Where another server finds the data of a token. */
export type TokenPlace =
  /** Nowhere: only the server that issued the token knows them. */
  | { readonly kind: "issuer" }
  /** Published under the name of the token. */
  | { readonly kind: "published"; readonly volume: Buffer }
  /** In the file where they were, as long as nobody changes it; the locator is the volume's own. */
  | { readonly kind: "unchanged"; readonly volume: Buffer; readonly locator: Buffer };

/** What a token says. */
export interface TokenBody {
  /** 16 random bytes: the name under which the issuer knows the token. */
  readonly name: Buffer;
  /** 8 random bytes: the process that issued it. */
  readonly issuer: Buffer;
  readonly scope: TokenScope;
  /** SID of the user who asked for it, `""` for nobody in particular. */
  readonly user: string;
  /** Bytes, in the stream. */
  readonly offset: number;
  /** Bytes that the token stands for, exactly. */
  readonly length: number;
  /** Milliseconds since 1970: the end of its life where nobody uses it before. */
  readonly expires: number;
  readonly place: TokenPlace;
}

export const TOKEN_NAME_LENGTH = 16;
export const ISSUER_LENGTH = 8;
/** Bytes of the identity of a volume. */
export const VOLUME_IDENTITY_LENGTH = 16;

const kinds: readonly TokenPlace["kind"][] = ["issuer", "published", "unchanged"];
/** Kind, scope, name, issuer, offset, length, expiry, length of the SID. */
const FIXED_LENGTH = 2 + TOKEN_NAME_LENGTH + ISSUER_LENGTH + 3 * 8 + 1;

/** Integers are big-endian, as in the rest of a token. */
export function encodeTokenBody(body: TokenBody): Buffer {
  const user = body.user === "" ? Buffer.alloc(0) : sidToBuffer(body.user);
  const { place } = body;
  const fixed = Buffer.alloc(FIXED_LENGTH);
  fixed.writeUInt8(kinds.indexOf(place.kind), 0);
  fixed.writeUInt8(tokenScopes.indexOf(body.scope), 1);
  body.name.copy(fixed, 2, 0, TOKEN_NAME_LENGTH);
  body.issuer.copy(fixed, 2 + TOKEN_NAME_LENGTH, 0, ISSUER_LENGTH);
  let at = 2 + TOKEN_NAME_LENGTH + ISSUER_LENGTH;
  for (const value of [body.offset, body.length, body.expires]) {
    fixed.writeBigUInt64BE(BigInt(value), at);
    at += 8;
  }
  fixed.writeUInt8(user.length, at);
  const parts = [fixed, user];
  if (place.kind !== "issuer") parts.push(place.volume);
  if (place.kind === "unchanged") parts.push(place.locator);
  return Buffer.concat(parts);
}

/** Bytes that a locator may have beside everything else, for a token of `available` bytes. */
export function roomForLocator(available: number, user: string): number {
  const userLength = user === "" ? 0 : sidToBuffer(user).length;
  return available - FIXED_LENGTH - userLength - VOLUME_IDENTITY_LENGTH;
}

/** `undefined` for what no server of this version writes. Members are views. */
export function decodeTokenBody(bytes: Buffer): TokenBody | undefined {
  if (bytes.length < FIXED_LENGTH) return undefined;
  const kind = kinds[bytes.readUInt8(0)];
  const scope = tokenScopes[bytes.readUInt8(1)];
  const numbers = 2 + TOKEN_NAME_LENGTH + ISSUER_LENGTH;
  const [offset, length, expires] = [0, 8, 16].map((at) => Number(bytes.readBigUInt64BE(numbers + at)));
  const userLength = bytes.readUInt8(FIXED_LENGTH - 1);
  if (kind === undefined || scope === undefined) return undefined;
  if (offset === undefined || length === undefined || expires === undefined) return undefined;
  if (!Number.isSafeInteger(offset + length) || !Number.isSafeInteger(expires)) return undefined;
  if (userLength > 0 && sidLength(bytes, FIXED_LENGTH) !== userLength) return undefined;
  const place = decodePlace(kind, bytes.subarray(FIXED_LENGTH + userLength));
  if (place === undefined) return undefined;
  return {
    name: bytes.subarray(2, 2 + TOKEN_NAME_LENGTH),
    issuer: bytes.subarray(2 + TOKEN_NAME_LENGTH, numbers),
    scope,
    user: userLength === 0 ? "" : sidFromBuffer(bytes, FIXED_LENGTH),
    offset,
    length,
    expires,
    place,
  };
}

function decodePlace(kind: TokenPlace["kind"], rest: Buffer): TokenPlace | undefined {
  if (kind === "issuer") return rest.length === 0 ? { kind } : undefined;
  if (rest.length < VOLUME_IDENTITY_LENGTH) return undefined;
  const volume = rest.subarray(0, VOLUME_IDENTITY_LENGTH);
  const locator = rest.subarray(VOLUME_IDENTITY_LENGTH);
  if (kind === "unchanged") return { kind, volume, locator };
  return locator.length === 0 ? { kind, volume } : undefined;
}
