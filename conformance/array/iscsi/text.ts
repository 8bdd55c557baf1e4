// SPDX-License-Identifier: Apache-2.0
/** key=value pairs of Login and Text data segments (RFC 7143 6.1). */
import { ConnectionError } from "./pdu.ts";

/** Values are at most 8192 bytes (RFC 7143 6.1); a whole login fits into this. */
export const maxTextBytes = 65_536;

/** Decodes a complete text; keys keep their order. Throws {@link ConnectionError} where a part has no `=`. */
export function decodeText(text: Buffer): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const part of text.toString("utf8").split("\0")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    if (equals < 1) throw new ConnectionError(`no key in the text ${JSON.stringify(part)}`);
    pairs.set(part.slice(0, equals), part.slice(equals + 1));
  }
  return pairs;
}

/** Encodes pairs, each ended by NUL. A key may occur more than once, as TargetAddress does. */
export function encodeText(pairs: Iterable<readonly [string, string]>): Buffer {
  let text = "";
  for (const [key, value] of pairs) text += `${key}=${value}\0`;
  return Buffer.from(text, "utf8");
}

/** A numerical value: decimal or 0x hexadecimal; undefined for anything else (RFC 7143 6.1). */
export function decodeNumber(value: string): number | undefined {
  if (!/^(0|[1-9][0-9]*|0[xX][0-9a-fA-F]+)$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A binary value: 0x hexadecimal or 0b base64; undefined for anything else (RFC 7143 6.1). */
export function decodeBinary(value: string): Buffer | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(value)) {
    const digits = value.slice(2);
    return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  }
  if (/^0[bB][0-9a-zA-Z+/]+={0,2}$/.test(value)) return Buffer.from(value.slice(2), "base64");
  return undefined;
}

export function encodeBinary(value: Buffer): string {
  return `0x${value.toString("hex")}`;
}
