// SPDX-License-Identifier: Apache-2.0

import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { LoginError } from "../../../src/scsi/errors.ts";
import { ChapExchange, chapAlgorithms } from "../../../src/scsi/iscsi/chap.ts";

const ours = { name: "gateway", secret: Buffer.from("our secret 12345") };
const its = { name: "array", secret: Buffer.from("its secret 12345") };
const randomBytes = (size: number) => Buffer.alloc(size, 0x42);
const challenge = (algorithm: number, value = "0x000102") => [
  ["CHAP_A", String(algorithm)] as const,
  ["CHAP_I", "7"] as const,
  ["CHAP_C", value] as const,
];
const hash = (name: string, identifier: number, secret: Buffer, value: Buffer) =>
  createHash(name)
    .update(Buffer.concat([Buffer.from([identifier]), secret, value]))
    .digest("hex");

describe("CHAP", () => {
  it("offers MD5 by itself, and others when asked to", () => {
    expect(new ChapExchange(ours, randomBytes).start()).toEqual([["CHAP_A", "5"]]);
    expect(new ChapExchange({ ...ours, algorithms: chapAlgorithms }, randomBytes).start()).toEqual([
      ["CHAP_A", "8,7,6,5"],
    ]);
  });

  it.each([
    [5, "md5"],
    [6, "sha1"],
    [7, "sha256"],
    [8, "sha3-256"],
  ])("answers with algorithm %i, which is %s", (number, name) => {
    const exchange = new ChapExchange({ ...ours, algorithms: chapAlgorithms }, randomBytes);
    expect(exchange.respond(challenge(number))).toEqual([
      ["CHAP_N", "gateway"],
      ["CHAP_R", `0x${hash(name, 7, ours.secret, Buffer.from([0, 1, 2]))}`],
    ]);
  });

  it("wants the target to prove itself", () => {
    const exchange = new ChapExchange({ ...ours, target: its }, randomBytes);
    const response = new Map(exchange.respond(challenge(5)));
    expect(response.get("CHAP_I")).toBe("66");
    expect(response.get("CHAP_C")).toBe(`0x${"42".repeat(16)}`);
    const proof = hash("md5", 0x42, its.secret, Buffer.alloc(16, 0x42));
    exchange.verify([
      ["CHAP_N", "array"],
      ["CHAP_R", `0x${proof}`],
    ]);
    for (const [name, value] of [
      ["array", proof.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))],
      ["impostor", proof],
      ["array", proof.slice(2)],
    ] as const) {
      const answer = [["CHAP_N", name] as const, ["CHAP_R", `0x${value}`] as const];
      expect(() => exchange.verify(answer)).toThrow(LoginError);
    }
    expect(() => exchange.verify([])).toThrow("did not authenticate itself");
  });

  it("is not turned against itself", () => {
    const exchange = new ChapExchange({ ...ours, target: its }, randomBytes);
    expect(() => exchange.respond(challenge(5, `0x${"42".repeat(16)}`))).toThrow("our own CHAP challenge");
    expect(() => new ChapExchange({ ...ours, target: { ...its, secret: ours.secret } }, randomBytes)).toThrow(
      LoginError,
    );
  });

  it("answers to nothing that was not offered", () => {
    expect(() => new ChapExchange(ours, randomBytes).respond(challenge(6))).toThrow("was not offered");
    expect(() => new ChapExchange(ours, randomBytes).respond([["CHAP_A", "5"]])).toThrow("left out CHAP_I");
    expect(() => new ChapExchange(ours, randomBytes).respond(challenge(5, `0x${"00".repeat(1025)}`))).toThrow(
      "not valid",
    );
  });
});
