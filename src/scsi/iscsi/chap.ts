// SPDX-License-Identifier: Apache-2.0

import { createHash, timingSafeEqual } from "node:crypto";
import { LoginError, ProtocolError } from "../errors.ts";
import { formatTextBinary, parseTextBinary, parseTextNumber, type TextPairs, textValue } from "./text.ts";

/** Hash algorithms by the number that CHAP_A gives them (RFC 7143 12.1.3, and the registry of PPP authentication algorithms). */
const algorithms = { MD5: 5, SHA1: 6, SHA256: 7, "SHA3-256": 8 } as const;
const hashNames = { MD5: "md5", SHA1: "sha1", SHA256: "sha256", "SHA3-256": "sha3-256" } as const;

export type ChapAlgorithm = keyof typeof algorithms;

/** What every target understands, last. */
export const chapAlgorithms: readonly ChapAlgorithm[] = ["SHA3-256", "SHA256", "SHA1", "MD5"];

export interface ChapCredentials {
  readonly name: string;
  readonly secret: Buffer;
}

export interface ChapOptions extends ChapCredentials {
  /** In the order of preference; `MD5` alone where it is left out. */
  readonly algorithms?: readonly ChapAlgorithm[] | undefined;
  /** What the target has to prove in turn (mutual CHAP). */
  readonly target?: ChapCredentials | undefined;
}

/** Bytes of a challenge or response at most (RFC 7143 12.1.3). */
const MAXIMUM_BINARY = 1024;
const OUR_CHALLENGE_LENGTH = 16;

function chapResponse(algorithm: ChapAlgorithm, identifier: number, secret: Buffer, challenge: Buffer): Buffer {
  return createHash(hashNames[algorithm])
    .update(Buffer.from([identifier]))
    .update(secret)
    .update(challenge)
    .digest();
}

function required(pairs: TextPairs, key: string): string {
  const value = textValue(pairs, key);
  if (value === undefined) throw new ProtocolError(`the target left out ${key}`);
  return value;
}

/** The initiator's side of CHAP (RFC 1994, RFC 7143 12.1.3): three messages, in this order. */
export class ChapExchange {
  readonly #options: ChapOptions;
  readonly #offered: readonly ChapAlgorithm[];
  readonly #randomBytes: (size: number) => Buffer;
  #algorithm: ChapAlgorithm | undefined;
  #identifier = 0;
  #challenge: Buffer = Buffer.alloc(0);

  /** @throws LoginError both sides have one secret, with which a target could have us answer our own challenges */
  constructor(options: ChapOptions, randomBytes: (size: number) => Buffer) {
    if (options.target?.secret.equals(options.secret) === true) {
      throw new LoginError("the CHAP secrets of initiator and target must differ");
    }
    this.#options = options;
    this.#offered = options.algorithms ?? ["MD5"];
    this.#randomBytes = randomBytes;
  }

  /** What we offer. */
  start(): TextPairs {
    return [["CHAP_A", this.#offered.map((name) => algorithms[name]).join(",")]];
  }

  /**
   * Answers the target's challenge.
   * @throws LoginError
   */
  respond(challenge: TextPairs): TextPairs {
    const { name, secret, target } = this.#options;
    const chosen = parseTextNumber("CHAP_A", required(challenge, "CHAP_A"), 0, 255);
    this.#algorithm = this.#offered.find((algorithm) => algorithms[algorithm] === chosen);
    if (this.#algorithm === undefined) throw new LoginError(`the target chose CHAP_A=${chosen}, which was not offered`);
    const identifier = parseTextNumber("CHAP_I", required(challenge, "CHAP_I"), 0, 255);
    const value = parseTextBinary("CHAP_C", required(challenge, "CHAP_C"), MAXIMUM_BINARY);
    const response: [string, string][] = [
      ["CHAP_N", name],
      ["CHAP_R", formatTextBinary(chapResponse(this.#algorithm, identifier, secret, value))],
    ];
    if (target !== undefined) {
      const random = this.#randomBytes(1 + OUR_CHALLENGE_LENGTH);
      this.#identifier = random[0] ?? 0;
      this.#challenge = random.subarray(1);
      // A target that hands our challenge back to us would get its own answer computed (RFC 7143 12.1.3).
      if (this.#challenge.equals(value)) throw new LoginError("the target sent our own CHAP challenge");
      response.push(["CHAP_I", String(this.#identifier)], ["CHAP_C", formatTextBinary(this.#challenge)]);
    }
    return response;
  }

  /**
   * Checks what the target proves, in mutual CHAP.
   * @throws LoginError the target is not who it should be
   */
  verify(answer: TextPairs): void {
    const { target } = this.#options;
    if (target === undefined) return;
    const algorithm = this.#algorithm;
    const name = textValue(answer, "CHAP_N");
    const response = textValue(answer, "CHAP_R");
    if (algorithm === undefined || name === undefined || response === undefined) {
      throw new LoginError("the target did not authenticate itself, as mutual CHAP asks for");
    }
    const expected = chapResponse(algorithm, this.#identifier, target.secret, this.#challenge);
    const received = parseTextBinary("CHAP_R", response, MAXIMUM_BINARY);
    const proven = received.length === expected.length && timingSafeEqual(received, expected);
    if (!proven || name !== target.name) {
      throw new LoginError("the target failed to authenticate itself: its CHAP user name or secret is another one");
    }
  }
}
