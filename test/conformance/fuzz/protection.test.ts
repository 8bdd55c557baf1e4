// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { createSeal, OFFERED_CIPHER, OFFERED_SIGNING } from "../../../conformance/fuzz/protection.ts";
import { buildRequest } from "../../../conformance/fuzz/session.ts";
import { createMessageCipher, TRANSFORM_HEADER_SIZE } from "../../../src/smb2/crypto/encryption.ts";
import { deriveSessionKeys } from "../../../src/smb2/crypto/key-derivation.ts";
import { createSigner } from "../../../src/smb2/crypto/signing.ts";
import { Command, Dialect } from "../../../src/smb2/wire/constants.ts";
import { HeaderOffset } from "../../../src/smb2/wire/header.ts";

const sessionKey = Buffer.alloc(16, 7);
const input = { sessionId: 5n, sessionKey, preauthHash: Buffer.alloc(64, 9) };
const keys = deriveSessionKeys({
  dialect: Dialect.SMB_3_1_1,
  sessionKey,
  fullSessionKey: sessionKey,
  preauthHash: input.preauthHash,
  cipherKeyLength: 16,
});
const request = (id: bigint) =>
  buildRequest(Command.ECHO, { id, treeId: 0, sessionId: 5n }, (writer) => writer.zeros(8));

describe("a changed message", () => {
  it("is signed part by part, so that the server believes it", () => {
    const [first, second] = [request(1n), request(2n)];
    first.writeUInt32LE(first.length, HeaderOffset.NEXT_COMMAND);
    const length = first.length;
    const sealed = createSeal("signed", input).seal(Buffer.concat([first, second]));
    const signer = createSigner(OFFERED_SIGNING, keys.signingKey);
    expect(signer.verify([sealed.subarray(0, length)])).toBe(true);
    expect(signer.verify([sealed.subarray(length)])).toBe(true);
    expect(signer.verify([sealed])).toBe(false);
  });

  it("goes as it is when it is too short to be signed", () => {
    const short = request(1n).subarray(0, 40);
    expect(createSeal("signed", input).seal(Buffer.from(short))).toEqual(short);
  });

  it("is encrypted as the client would, and so is the answer", () => {
    const { serverIn, serverOut } = keys;
    if (serverIn === undefined || serverOut === undefined) throw new Error("no keys");
    const server = createMessageCipher({ cipher: OFFERED_CIPHER, encryptionKey: serverOut, decryptionKey: serverIn });
    const seal = createSeal("encrypted", input);
    const sealed = seal.seal(Buffer.from("whatever it is"));
    const [header, body] = [sealed.subarray(0, TRANSFORM_HEADER_SIZE), sealed.subarray(TRANSFORM_HEADER_SIZE)];
    expect(server.decrypt(header, body).toString()).toBe("whatever it is");
    const answer = Buffer.concat(server.encrypt(5n, [Buffer.from("an answer")]));
    expect(seal.unseal(answer)?.toString()).toBe("an answer");
    expect(seal.unseal(Buffer.from("in the clear"))?.toString()).toBe("in the clear");
  });
});
