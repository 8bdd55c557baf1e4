// SPDX-License-Identifier: Apache-2.0

import { ProtocolError } from "../errors.ts";

/** Key=value pairs in the order in which they came (RFC 7143 6.1); a key may occur more than once. */
export type TextPairs = readonly (readonly [key: string, value: string])[];

/** Bytes of a key's name (RFC 7143 6.1). */
const MAXIMUM_KEY_LENGTH = 63;
/** Bytes; keys may say otherwise, and those of CHAP do, but nothing that is sent here needs more (RFC 7143 6.1). */
const MAXIMUM_VALUE_LENGTH = 8192;
const MAXIMUM_PAIRS = 8192;

/** The data segment for some pairs: each ends with a NUL byte. */
export function encodeText(pairs: TextPairs): Buffer {
  return Buffer.from(pairs.map(([key, value]) => `${key}=${value}\0`).join(""), "utf8");
}

/** @throws ProtocolError */
export function decodeText(data: Buffer): TextPairs {
  const pairs: [string, string][] = [];
  for (let at = 0; at < data.length; ) {
    let end = data.indexOf(0, at);
    if (end < 0) end = data.length;
    if (end > at) pairs.push(decodePair(data.subarray(at, end)));
    if (pairs.length > MAXIMUM_PAIRS) throw new ProtocolError("too many text keys");
    at = end + 1;
  }
  return pairs;
}

function decodePair(data: Buffer): [string, string] {
  const equals = data.indexOf(0x3d);
  if (equals < 1 || equals > MAXIMUM_KEY_LENGTH) throw new ProtocolError("a text key without a name or a value");
  if (data.length - equals - 1 > MAXIMUM_VALUE_LENGTH) throw new ProtocolError("the value of a text key is too long");
  return [data.toString("latin1", 0, equals), data.toString("utf8", equals + 1)];
}

/** The value of a key that may occur once. @throws ProtocolError */
export function textValue(pairs: TextPairs, key: string): string | undefined {
  const found = pairs.filter(([name]) => name === key);
  if (found.length > 1) throw new ProtocolError(`${key} was sent more than once`);
  return found[0]?.[1];
}

/** A numerical value: decimal, or hexadecimal with 0x (RFC 7143 6.1). @throws ProtocolError */
export function parseTextNumber(key: string, value: string, minimum: number, maximum: number): number {
  const parsed = /^(\d{1,15}|0[xX][0-9a-fA-F]{1,12})$/.test(value) ? Number(value) : Number.NaN;
  if (!(parsed >= minimum && parsed <= maximum)) throw new ProtocolError(`${key}=${value.slice(0, 40)} is not valid`);
  return parsed;
}

/** A large binary value: `0x` and hexadecimal digits, or `0b` and base64 (RFC 7143 6.1). @throws ProtocolError */
export function parseTextBinary(key: string, value: string, maximumLength: number): Buffer {
  const digits = value.slice(2);
  let bytes: Buffer | undefined;
  if (/^0[xX][0-9a-fA-F]+$/.test(value)) bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  else if (/^0[bB][A-Za-z0-9+/]+={0,2}$/.test(value)) bytes = Buffer.from(digits, "base64");
  if (bytes === undefined || bytes.length > maximumLength) throw new ProtocolError(`the value of ${key} is not valid`);
  return bytes;
}

export const formatTextBinary = (value: Buffer): string => `0x${value.toString("hex")}`;
