// SPDX-License-Identifier: Apache-2.0

import { expect } from "vitest";
import { Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import { HEADER_SIZE } from "../../../src/smb2/wire/header.ts";

/** Bytes from hexadecimal text; white space is ignored. */
export const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ""), "hex");

/** A message whose header is of no interest, in front of the given body. */
export const withBody = (body: string): Buffer => Buffer.concat([Buffer.alloc(HEADER_SIZE), hex(body)]);

/** A reader at the body of a message. */
export const bodyOf = (message: Buffer): Reader => new Reader(message, HEADER_SIZE);

/**
 * Writes a body behind a header of zeros, which itself stands behind other bytes, as in a compound: whoever counts from
 * the start of the buffer instead of the message is found out. Returns the message.
 */
export function messageWith(encode: (writer: Writer) => void): Buffer {
  const writer = new Writer(16);
  writer.zeros(24);
  writer.beginMessage();
  writer.zeros(HEADER_SIZE);
  encode(writer);
  return Buffer.from(writer.view(writer.base));
}

/** Holds a codec to a message, both ways. */
export function expectGolden<T>(
  message: Buffer,
  decode: (reader: Reader) => T,
  encode: (writer: Writer, value: T) => void,
  expected: T,
): void {
  const value = decode(bodyOf(message));
  expect(value).toEqual(expected);
  expect(messageWith((writer) => encode(writer, value)).toString("hex", HEADER_SIZE)).toBe(
    message.toString("hex", HEADER_SIZE),
  );
}

/** Holds a codec without fields to a message, both ways. */
export function expectEmptyGolden(
  message: Buffer,
  decode: (reader: Reader) => void,
  encode: (writer: Writer) => void,
): void {
  decode(bodyOf(message));
  expect(messageWith(encode).toString("hex", HEADER_SIZE)).toBe(message.toString("hex", HEADER_SIZE));
}

/** The message with the 16-bit field at `offset`, counted from the header, replaced. */
export function withU16(message: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt16LE(value, offset);
  return copy;
}

/** The message with the 32-bit field at `offset`, counted from the header, replaced. */
export function withU32(message: Buffer, offset: number, value: number): Buffer {
  const copy = Buffer.from(message);
  copy.writeUInt32LE(value, offset);
  return copy;
}
