// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { expect } from "vitest";
import { SmbError } from "../../../../src/nt/status.ts";
import { MalformedPacketError, Reader, Writer } from "../../../../src/smb2/wire/cursor.ts";

/** Bytes of hex in which blanks separate the fields. */
export function hex(text: string): Buffer {
  return Buffer.from(text.replaceAll(/\s/g, ""), "hex");
}

/** UTF-16LE as hex. */
export function wide(text: string): string {
  return Buffer.from(text, "utf16le").toString("hex");
}

/** What `encode` writes, behind other bytes, so that nothing counts on starting at 0. */
export function written(encode: (writer: Writer) => void): Buffer {
  const writer = new Writer(8);
  writer.u32(0xdeadbeef);
  encode(writer);
  return Buffer.from(writer.view(4));
}

/** The structure has these bytes in both directions, and every truncation and mutation of them is handled. */
export function expectGolden<T>(
  golden: string,
  value: T,
  encode: (writer: Writer, value: T) => void,
  decode: (reader: Reader) => unknown,
): void {
  const bytes = hex(golden);
  expect(written((writer) => encode(writer, value)).toString("hex")).toBe(bytes.toString("hex"));
  expect(decode(new Reader(bytes))).toEqual(value);
  expectHostile(bytes, (buffer) => decode(new Reader(buffer)));
}

/** Truncated, mutated and random bytes give a value or a typed error. */
export function expectHostile(valid: Buffer, decode: (buffer: Buffer) => unknown): void {
  const attempt = (buffer: Buffer): void => {
    try {
      decode(buffer);
    } catch (error) {
      if (!(error instanceof SmbError)) expect(error).toBeInstanceOf(MalformedPacketError);
    }
  };
  for (let length = 0; length < valid.length; length++) attempt(valid.subarray(0, length));
  fc.assert(
    fc.property(fc.nat(valid.length), fc.uint8Array({ minLength: 1, maxLength: 8 }), (at, noise) => {
      const mutated = Buffer.from(valid);
      mutated.set(noise.subarray(0, Math.max(0, mutated.length - at)), at);
      attempt(mutated);
    }),
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => attempt(Buffer.from(noise))));
}

/** Every buffer shorter than the structure's fixed part is malformed. */
export function expectFixedLength(length: number, decode: (reader: Reader) => unknown): void {
  for (let short = 0; short < length; short++) {
    expect(() => decode(new Reader(Buffer.alloc(short)))).toThrow(MalformedPacketError);
  }
  expect(() => decode(new Reader(Buffer.alloc(length)))).not.toThrow();
}
