// SPDX-License-Identifier: Apache-2.0
/** The tokens of one copy manager: made, found, expired, taken back (SPC-4 5.16.7.5). */
import { randomBytes } from "node:crypto";
import type { Clock } from "../clock.ts";
import { CheckCondition, illegal, SenseKey, sense } from "../scsi/sense.ts";
import type { LogicalUnit } from "../scsi/unit.ts";
import { deviceNameDesignator, naaDesignator } from "../scsi/vpd.ts";
import type { OdxOptions } from "./options.ts";
import { RodType } from "./options.ts";
import { type ByteRange, Rod } from "./rod.ts";
import {
  encodeRodToken,
  hasTokenLength,
  identifierOf,
  managementTokenBytes,
  rodTypeOf,
  targetDeviceOf,
} from "./rod-token.ts";

/** Qualifiers of INVALID TOKEN OPERATION, 23h (SPC-4 annex on additional sense codes). */
export const TokenFault = {
  UNSUPPORTED_TYPE: 0x01,
  REMOTE_USAGE_NOT_SUPPORTED: 0x02,
  UNKNOWN: 0x04,
  CORRUPT: 0x05,
  REVOKED: 0x06,
  EXPIRED: 0x07,
  CANCELLED: 0x08,
  DELETED: 0x09,
  INVALID_LENGTH: 0x0a,
} as const;
export type TokenFault = (typeof TokenFault)[keyof typeof TokenFault];

/** INVALID TOKEN OPERATION. */
export const invalidToken = 0x23;

/** Ended tokens that are remembered, to say what became of them. */
const maxRemembered = 4096;

const knownTypes: ReadonlySet<number> = new Set(Object.values(RodType));

export interface IssuedToken {
  readonly bytes: Buffer;
  readonly rod: Rod;
  /** Milliseconds without use after which it ends. */
  readonly inactivity: number;
  readonly created: number;
  lastActive: number;
  /** Copies that read from it now; it does not expire meanwhile. */
  users: number;
  /** Why it can no longer be used: a copy that reads from it stops. */
  ended: TokenFault | undefined;
}

export class TokenRegistry {
  /** What names this copy manager in its tokens. */
  readonly #targetDevice: Buffer;
  readonly #options: OdxOptions;
  readonly #clock: Clock;
  readonly #tokens = new Map<bigint, IssuedToken>();
  readonly #ended = new Map<bigint, TokenFault>();

  /** @param identity name of the array, different for each */
  constructor(identity: string, options: OdxOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#targetDevice = Buffer.alloc(128);
    deviceNameDesignator(identity).copy(this.#targetDevice);
  }

  get size(): number {
    this.sweep();
    return this.#tokens.size;
  }

  /**
   * Makes a token for ranges of a unit.
   *
   * @param inactivity seconds
   */
  create(rodType: number, unit: LogicalUnit, ranges: readonly ByteRange[], inactivity: number): IssuedToken {
    this.sweep();
    // INSUFFICIENT RESOURCES TO CREATE ROD TOKEN.
    if (this.#tokens.size >= this.#options.maxTokens) {
      throw new CheckCondition(sense(SenseKey.ABORTED_COMMAND, 0x55, 0x0d));
    }
    const identifier = randomBytes(8).readBigUInt64BE(0);
    const rod = new Rod(rodType, unit, ranges, () => this.#end(identifier, TokenFault.REVOKED));
    const bytes = encodeRodToken({
      rodType,
      identifier,
      creator: naaDesignator(unit.naa),
      blockBytes: unit.medium.blockBytes,
      physicalBlockExponent: unit.options.physicalBlockExponent,
      thin: unit.options.thin,
      bytesRepresented: rod.bytes,
      targetDevice: this.#targetDevice,
    });
    const now = this.#clock.now();
    const token: IssuedToken = {
      bytes,
      rod,
      inactivity: inactivity * 1000,
      created: now,
      lastActive: now,
      users: 0,
      ended: undefined,
    };
    this.#tokens.set(identifier, token);
    return token;
  }

  /** Finds what 512 bytes stand for. Throws {@link CheckCondition} with the qualifier that says why they do not. */
  find(bytes: Buffer): IssuedToken {
    this.sweep();
    const identifier = identifierOf(bytes);
    const token = this.#tokens.get(identifier);
    if (token !== undefined) {
      if (!token.bytes.equals(bytes)) throw illegal(invalidToken, TokenFault.CORRUPT);
      return token;
    }
    const became = this.#ended.get(identifier);
    if (became !== undefined) throw illegal(invalidToken, became);
    const typeKnown = knownTypes.has(rodTypeOf(bytes));
    const lengthRight = hasTokenLength(bytes);
    if (typeKnown !== lengthRight) {
      throw illegal(invalidToken, typeKnown ? TokenFault.INVALID_LENGTH : TokenFault.UNSUPPORTED_TYPE);
    }
    const foreign = typeKnown && !this.isOwn(bytes);
    throw illegal(invalidToken, foreign ? TokenFault.REMOTE_USAGE_NOT_SUPPORTED : TokenFault.UNKNOWN);
  }

  /** True for a token that says it was made here. */
  isOwn(bytes: Buffer): boolean {
    return targetDeviceOf(bytes).equals(this.#targetDevice);
  }

  delete(token: IssuedToken): void {
    this.#end(identifierOf(token.bytes), TokenFault.DELETED);
  }

  /** Ends all tokens as if their time were up. */
  expireAll(): void {
    for (const identifier of [...this.#tokens.keys()]) this.#end(identifier, TokenFault.EXPIRED);
  }

  /** Ends all tokens for data of a unit that is no more, or no longer what it was. */
  cancelFor(unit: LogicalUnit): void {
    for (const [identifier, { rod }] of [...this.#tokens]) {
      if (rod.unit === unit) this.#end(identifier, TokenFault.CANCELLED);
    }
  }

  /** The ROD management tokens of all tokens that can be used. */
  managementTokens(): Buffer[] {
    this.sweep();
    return [...this.#tokens.values()].map(({ bytes }) => bytes.subarray(0, managementTokenBytes));
  }

  /** Ends what was not used in time. */
  sweep(): void {
    const now = this.#clock.now();
    const lifetime = this.#options.maxTokenLifetime * 1000;
    for (const [identifier, token] of [...this.#tokens]) {
      const idle = now - token.lastActive > token.inactivity;
      const old = lifetime > 0 && now - token.created > lifetime;
      if (token.users === 0 && (idle || old)) this.#end(identifier, TokenFault.EXPIRED);
    }
  }

  close(): void {
    for (const { rod } of this.#tokens.values()) rod.release();
    this.#tokens.clear();
  }

  #end(identifier: bigint, fault: TokenFault): void {
    const token = this.#tokens.get(identifier);
    if (token === undefined) return;
    this.#tokens.delete(identifier);
    token.ended = fault;
    token.rod.release();
    this.#ended.set(identifier, fault);
    const oldest = this.#ended.keys().next();
    if (this.#ended.size > maxRemembered && oldest.done !== true) this.#ended.delete(oldest.value);
  }
}
