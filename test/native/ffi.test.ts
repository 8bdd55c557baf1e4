// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { addressOf, bind, onWorker, outcome, scratch } from "../../src/native/ffi.ts";

const memcpy = bind<[number, number, number]>("memcpy", "address", ["address", "address", "int64"]);

describe("ffi", () => {
  it("answers what a function answers, and the error number of one that fails", () => {
    const close = bind<[number]>("close", "int", ["int"]);
    expect(outcome(bind<[]>("getpid", "int", [])())).toBe(process.pid);
    expect(outcome(close(-1))).toBe(-9);
  });

  it("gives the error number of a call on a worker", async () => {
    await expect(onWorker(bind<[number]>("close", "int", ["int"]), [-1])).resolves.toBe(-9);
  });

  it("says where a view begins, not where its memory does", () => {
    const buffer = Buffer.from("0123456789");
    const { buffer: target, address } = scratch(4);
    memcpy(address, addressOf(buffer.subarray(3)), 4);
    expect(target.toString()).toBe("3456");
  });

  it("keeps the memory of a scratch of which only the address is kept", () => {
    const addresses = Array.from({ length: 1000 }, (_, index) => {
      const { buffer, address } = scratch(64);
      buffer.fill(index & 0xff);
      return address;
    });
    // Something else would take the memory, had it been given back.
    for (let round = 0; round < 50; round++) Array.from({ length: 1000 }, () => Buffer.allocUnsafeSlow(64).fill(0xff));
    const seen = Buffer.allocUnsafeSlow(64);
    for (const [index, address] of addresses.entries()) {
      memcpy(addressOf(seen), address, 64);
      expect(seen.equals(Buffer.alloc(64, index & 0xff))).toBe(true);
    }
  });

  it("refuses a function that does not exist", () => {
    expect(() => bind("no_such_function_of_any_library", "int", [])).toThrow();
  });
});
