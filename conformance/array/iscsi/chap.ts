// SPDX-License-Identifier: Apache-2.0
/** CHAP (RFC 7143 12.1.3 and RFC 1994), the target's side: it asks for a proof and, if asked to, gives one. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { decodeBinary, decodeNumber, encodeBinary } from "./text.ts";

export interface ChapAccount {
  readonly name: string;
  readonly secret: string;
}

export interface ChapOptions {
  /** Who may log in. */
  readonly accounts: readonly ChapAccount[];
  /** What the target proves itself with where the initiator asks for it. */
  readonly mutual?: ChapAccount;
}

/** CHAP_A values and OpenSSL's names. */
const algorithms: ReadonlyMap<string, string> = new Map([
  ["5", "md5"],
  ["6", "sha1"],
  ["7", "sha256"],
  ["8", "sha3-256"],
]);

const challengeBytes = 16;

export function chapResponse(digest: string, identifier: number, secret: string, challenge: Buffer): Buffer {
  return createHash(digest)
    .update(Buffer.from([identifier]))
    .update(secret, "utf8")
    .update(challenge)
    .digest();
}

/** The keys to answer with; `refused` ends the login with an authentication failure. */
export type ChapStep = { readonly keys: [string, string][]; readonly done: boolean } | "refused";

export class ChapExchange {
  readonly #options: ChapOptions;
  #asked: { readonly digest: string; readonly identifier: number; readonly challenge: Buffer } | undefined;

  constructor(options: ChapOptions) {
    this.#options = options;
  }

  /** Takes the CHAP keys of one login request. */
  step(keys: ReadonlyMap<string, string>): ChapStep {
    const offered = keys.get("CHAP_A");
    if (offered !== undefined && this.#asked === undefined) return this.#ask(offered);
    if (this.#asked !== undefined && keys.has("CHAP_R")) return this.#verify(keys);
    return keys.size === 0 ? { keys: [], done: false } : "refused";
  }

  #ask(offered: string): ChapStep {
    // The first that we know: the initiator lists them by preference (RFC 7143 6.2.1).
    const value = offered.split(",").find((one) => algorithms.has(one));
    const digest = algorithms.get(value ?? "");
    if (value === undefined || digest === undefined) return "refused";
    const identifier = randomBytes(1).readUInt8(0);
    const challenge = randomBytes(challengeBytes);
    this.#asked = { digest, identifier, challenge };
    return {
      keys: [
        ["CHAP_A", value],
        ["CHAP_I", String(identifier)],
        ["CHAP_C", encodeBinary(challenge)],
      ],
      done: false,
    };
  }

  #verify(keys: ReadonlyMap<string, string>): ChapStep {
    const asked = this.#asked;
    const account = this.#options.accounts.find(({ name }) => name === keys.get("CHAP_N"));
    const response = decodeBinary(keys.get("CHAP_R") ?? "");
    if (asked === undefined || account === undefined || response === undefined) return "refused";
    const expected = chapResponse(asked.digest, asked.identifier, account.secret, asked.challenge);
    if (expected.length !== response.length || !timingSafeEqual(expected, response)) return "refused";
    const challengeKey = keys.get("CHAP_C");
    if (challengeKey === undefined) return { keys: [], done: true };
    const { mutual } = this.#options;
    const challenge = decodeBinary(challengeKey);
    const identifier = decodeNumber(keys.get("CHAP_I") ?? "");
    // Our own challenge sent back would make us compute the initiator's answer for it (RFC 7143 9.2.1).
    const reflected = challenge?.equals(asked.challenge) === true;
    if (mutual === undefined || challenge === undefined || identifier === undefined || identifier > 255 || reflected) {
      return "refused";
    }
    const proof = chapResponse(asked.digest, identifier, mutual.secret, challenge);
    return {
      keys: [
        ["CHAP_N", mutual.name],
        ["CHAP_R", encodeBinary(proof)],
      ],
      done: true,
    };
  }
}
