// SPDX-License-Identifier: Apache-2.0

import { ProtocolError } from "../errors.ts";

/** Kinds of ROD tokens (SPC-4 table 110). */
export const RodType = {
  COPY_MANAGER_INTERNAL: 0x00000000,
  ACCESS_UPON_REFERENCE: 0x00010000,
  POINT_IN_TIME: 0x00800000,
  POINT_IN_TIME_CHANGE_VULNERABLE: 0x00800001,
  POINT_IN_TIME_PERSISTENT: 0x00800002,
  POINT_IN_TIME_COPY_ON_WRITE: 0x00800003,
  POINT_IN_TIME_ANY: 0x0080ffff,
  BLOCK_DEVICE_ZERO: 0xffff0001,
} as const;

/** Block Device ROD Token Limits descriptor, 0000h (SBC-3 6.6.7.2). What is not reported is `Infinity` or 0, as said. */
export interface RodTokenLimits {
  /** Range descriptors in a command; `Infinity`: not reported. */
  readonly maximumRanges: number;
  /** Seconds; `Infinity`: not reported. */
  readonly maximumInactivityTimeout: number;
  /** Seconds; 0: not reported. */
  readonly defaultInactivityTimeout: number;
  /** Blocks in a command; `Infinity`: not reported. */
  readonly maximumTokenTransfer: number;
  /** Blocks; 0: not reported. */
  readonly optimalTransfer: number;
}

/** One of the kinds of tokens in the Supported ROD Token and ROD Types descriptor, 0108h (SPC-4 7.8.17.10). */
export interface SupportedRodType {
  /** {@link RodType}. */
  readonly type: number;
  /** The copy manager takes such tokens in WRITE USING TOKEN. */
  readonly tokenIn: boolean;
  /** The copy manager makes such tokens in POPULATE TOKEN. */
  readonly tokenOut: boolean;
  /** Higher is better. */
  readonly preference: number;
}

/** ROD Token Features descriptor, 0106h (SPC-4 7.8.17.8). Times are seconds, 0 where they are not reported. */
export interface RodTokenFeatures {
  /** REMOTE TOKENS: 0 own tokens only; above: those of further copy managers. */
  readonly remoteTokens: number;
  readonly minimumTokenLifetime: number;
  readonly maximumTokenLifetime: number;
  readonly maximumTokenInactivityTimeout: number;
}

/** VPD page 8Fh of a unit that has the token commands. */
export interface ThirdPartyCopy {
  readonly limits: RodTokenLimits;
  readonly features: RodTokenFeatures | undefined;
  /** Empty where the page does not say. */
  readonly rodTypes: readonly SupportedRodType[];
  /** Service actions by operation code, from descriptor 0001h; `undefined` where the page does not say. */
  readonly commands: ReadonlyMap<number, readonly number[]> | undefined;
}

const MAXIMUM_ROD_TYPES = 64;

/** 0 means that the unit does not report a maximum. */
const orInfinity = (value: number) => (value === 0 ? Number.POSITIVE_INFINITY : value);

/** Blocks in a 64-bit field; more than a safe integer is no bound for us. */
function blocks64(data: Buffer, at: number): number {
  return data.readUInt32BE(at) * 0x1_0000_0000 + data.readUInt32BE(at + 4);
}

function tokenLimits(data: Buffer): RodTokenLimits | undefined {
  if (data.length < 32) return undefined;
  return {
    maximumRanges: orInfinity(data.readUInt16BE(6)),
    maximumInactivityTimeout: orInfinity(data.readUInt32BE(8)),
    defaultInactivityTimeout: data.readUInt32BE(12),
    maximumTokenTransfer: orInfinity(blocks64(data, 16)),
    optimalTransfer: blocks64(data, 24),
  };
}

function supportedCommands(data: Buffer): ReadonlyMap<number, readonly number[]> {
  const commands = new Map<number, readonly number[]>();
  const end = Math.min(data.length, 1 + (data[0] ?? 0));
  for (let at = 1; at + 2 <= end; ) {
    const opcode = data[at] ?? 0;
    const first = at + 2;
    at = first + (data[at + 1] ?? 0);
    // A command with more service actions than there is room for is left out: it is not known what was meant.
    if (at <= end) commands.set(opcode, [...data.subarray(first, at)]);
  }
  return commands;
}

function tokenFeatures(data: Buffer): RodTokenFeatures | undefined {
  if (data.length < 24) return undefined;
  return {
    remoteTokens: (data[0] ?? 0) & 0x0f,
    minimumTokenLifetime: data.readUInt32BE(12),
    maximumTokenLifetime: data.readUInt32BE(16),
    maximumTokenInactivityTimeout: data.readUInt32BE(20),
  };
}

function supportedRodTypes(data: Buffer): readonly SupportedRodType[] {
  if (data.length < 4) return [];
  const types: SupportedRodType[] = [];
  const end = Math.min(data.length, 4 + data.readUInt16BE(2));
  for (let at = 4; at + 64 <= end && types.length < MAXIMUM_ROD_TYPES; at += 64) {
    const flags = data[at + 4] ?? 0;
    types.push({
      type: data.readUInt32BE(at),
      tokenIn: (flags & 0x02) !== 0,
      tokenOut: (flags & 0x01) !== 0,
      preference: data.readUInt16BE(at + 6),
    });
  }
  return types;
}

/**
 * Decodes VPD page 8Fh (SPC-4 7.8.17), whatever the order of its descriptors, up to `PAGE LENGTH`.
 * @returns undefined where the page has no limits for block device tokens, or says that the token commands are missing
 * @throws ProtocolError
 */
export function decodeThirdPartyCopy(page: Buffer): ThirdPartyCopy | undefined {
  if (page.length < 4 || page[1] !== 0x8f) throw new ProtocolError("no third-party copy VPD page");
  const end = 4 + page.readUInt16BE(2);
  if (end > page.length) throw new ProtocolError("the third-party copy VPD page is cut short");
  let limits: RodTokenLimits | undefined;
  let features: RodTokenFeatures | undefined;
  let rodTypes: readonly SupportedRodType[] = [];
  let commands: ReadonlyMap<number, readonly number[]> | undefined;
  for (let at = 4; at + 4 <= end; ) {
    const type = page.readUInt16BE(at);
    const first = at + 4;
    at = first + page.readUInt16BE(at + 2);
    if (at > end) throw new ProtocolError("a third-party copy descriptor reaches behind its page");
    const data = page.subarray(first, at);
    if (type === 0x0000) limits = tokenLimits(data);
    else if (type === 0x0001) commands = supportedCommands(data);
    else if (type === 0x0106) features = tokenFeatures(data);
    else if (type === 0x0108) rodTypes = supportedRodTypes(data);
  }
  if (limits === undefined || (commands !== undefined && !hasTokenCommands(commands))) return undefined;
  return { limits, features, rodTypes, commands };
}

/** POPULATE TOKEN, WRITE USING TOKEN and RECEIVE ROD TOKEN INFORMATION. */
function hasTokenCommands(commands: ReadonlyMap<number, readonly number[]>): boolean {
  const out = commands.get(0x83) ?? [];
  const received = commands.get(0x84) ?? [];
  return out.includes(0x10) && out.includes(0x11) && received.includes(0x07);
}
