// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { Rc4 } from "../../src/auth/rc4.ts";

// RFC 6229 section 2: the key stream from offset 0.
it.each([
  ["0102030405", "b2396305f03dc027ccc3524a0a1118a8"],
  ["0102030405060708090a0b0c0d0e0f10", "9ac7cc9a609d1ef7b2932899cde41b97"],
])("gives the key stream of RFC 6229 for %s", (key, first) => {
  const rc4 = new Rc4(Buffer.from(key, "hex"));
  expect(rc4.update(Buffer.alloc(16)).toString("hex")).toBe(first);
});

it("goes on where it stopped", () => {
  const key = Buffer.from("Key");
  const whole = new Rc4(key).update(Buffer.alloc(600));
  const parts = new Rc4(key);
  expect(Buffer.concat([parts.update(Buffer.alloc(1)), parts.update(Buffer.alloc(599))])).toEqual(whole);
  expect(new Rc4(key).update(Buffer.from("Plaintext")).toString("hex")).toBe("bbf316e8d940af0ad3");
});

it("refuses an empty key", () => {
  expect(() => new Rc4(Buffer.alloc(0))).toThrow(RangeError);
});
