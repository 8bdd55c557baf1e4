// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { AeadAlgorithm } from "../../../../src/smb2/crypto/aead.ts";
import { nodeAead } from "../../../../src/smb2/crypto/node-aead.ts";
import { opensslAead } from "../../../../src/smb2/crypto/openssl/aead.ts";

const algorithms: readonly AeadAlgorithm[] = ["aes-128-gcm", "aes-256-gcm", "aes-128-ccm", "aes-256-ccm"];

function direct(algorithm: AeadAlgorithm, key: Buffer) {
  return found(opensslAead(algorithm, key));
}

function found<T>(value: T | undefined): T {
  if (value === undefined) throw new Error("this Node does not show the functions of its OpenSSL");
  return value;
}

const keyOf = (algorithm: AeadAlgorithm, fill: number) => Buffer.alloc(algorithm.includes("256") ? 32 : 16, fill);
const nonceOf = (algorithm: AeadAlgorithm, fill: number) => Buffer.alloc(algorithm.endsWith("gcm") ? 12 : 11, fill);

/** Lengths around what is worked on in its place. */
const length = fc.oneof(fc.nat(100), fc.nat(70_000), fc.integer({ min: 16_380, max: 16_390 }), fc.nat(300_000));

describe.each(algorithms)("opensslAead %s", (algorithm) => {
  it("gives what node:crypto gives, however the text is cut", () => {
    fc.assert(
      fc.property(fc.array(length, { maxLength: 4 }), fc.nat(255), fc.nat(255), (lengths, fill, nonceFill) => {
        const key = keyOf(algorithm, fill);
        const nonce = nonceOf(algorithm, nonceFill);
        const additional = Buffer.alloc(32, 9);
        const pieces = () => lengths.map((size, index) => Buffer.alloc(size, `piece ${index}`));
        const [ours, theirs] = [Buffer.alloc(16), Buffer.alloc(16)];
        const sealed = Buffer.concat(direct(algorithm, key).seal(nonce, additional, pieces(), ours));
        const expected = Buffer.concat(nodeAead(algorithm, key).seal(nonce, additional, pieces(), theirs));
        expect(sealed.equals(expected)).toBe(true);
        expect(ours).toEqual(theirs);
        const opened = direct(algorithm, key).open(nonce, additional, sealed, ours);
        expect(opened?.equals(Buffer.concat(pieces()))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  it("refuses a wrong tag, and goes on with the next message", () => {
    const aead = direct(algorithm, keyOf(algorithm, 1));
    const nonce = nonceOf(algorithm, 2);
    const additional = Buffer.alloc(32, 3);
    for (const size of [0, 1, 64, 20_000]) {
      const tag = Buffer.alloc(16);
      const sealed = Buffer.concat(aead.seal(nonce, additional, [Buffer.alloc(size, 4)], tag));
      for (let bit = 0; bit < 128; bit++) {
        const wrong = Buffer.from(tag);
        wrong[bit >> 3] = (wrong[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(aead.open(nonce, additional, Buffer.from(sealed), wrong)).toBeUndefined();
      }
      expect(aead.open(nonce, Buffer.alloc(32, 5), Buffer.from(sealed), tag)).toBeUndefined();
      expect(aead.open(nonce, additional, sealed, tag)?.equals(Buffer.alloc(size, 4))).toBe(true);
    }
  });

  it("leaves short pieces as they are", () => {
    const piece = Buffer.alloc(16_384, 6);
    direct(algorithm, keyOf(algorithm, 7)).seal(nonceOf(algorithm, 8), Buffer.alloc(32), [piece], Buffer.alloc(16));
    expect(piece.equals(Buffer.alloc(16_384, 6))).toBe(true);
  });

  it("gives the same on other threads, for several keys and messages at a time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(length, { maxLength: 3 }), fc.nat(3)), { maxLength: 6 }),
        async (messages) => {
          await Promise.all(
            messages.map(async ([lengths, fill], index) => {
              const aead = direct(algorithm, keyOf(algorithm, fill));
              const onWorker = found(aead.onWorker);
              const nonce = nonceOf(algorithm, index);
              const additional = Buffer.alloc(32, index);
              const pieces = () => lengths.map((size, at) => Buffer.alloc(size, `piece ${at} of ${index}`));
              const [tag, expectedTag] = [Buffer.alloc(16), Buffer.alloc(16)];
              const expected = Buffer.concat(aead.seal(nonce, additional, pieces(), expectedTag));
              const sealed = Buffer.concat(await onWorker.seal(nonce, additional, pieces(), tag));
              expect(sealed.equals(expected)).toBe(true);
              expect(tag).toEqual(expectedTag);
              const wrong = Buffer.from(tag);
              wrong[index] = (wrong[index] ?? 0) ^ 1;
              const [opened, refused] = await Promise.all([
                onWorker.open(nonce, additional, Buffer.from(sealed), tag),
                onWorker.open(nonce, additional, Buffer.from(sealed), wrong),
              ]);
              expect(opened?.equals(Buffer.concat(pieces()))).toBe(true);
              expect(refused).toBeUndefined();
            }),
          );
        },
      ),
      { numRuns: 30 },
    );
  });

  it("keeps keys apart that are used in turn", () => {
    const [one, other] = [direct(algorithm, keyOf(algorithm, 1)), direct(algorithm, keyOf(algorithm, 2))];
    const [nonce, additional, tag] = [nonceOf(algorithm, 3), Buffer.alloc(32), Buffer.alloc(16)];
    const sealed = Buffer.concat(one.seal(nonce, additional, [Buffer.from("text")], tag));
    other.seal(nonce, additional, [Buffer.from("other")], Buffer.alloc(16));
    expect(other.open(nonce, additional, sealed, tag)).toBeUndefined();
    expect(one.open(nonce, additional, sealed, tag)?.toString()).toBe("text");
  });
});
