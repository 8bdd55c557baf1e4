// SPDX-License-Identifier: Apache-2.0
/** Changes to messages and to conversations that a server has to survive. */
import { HEADER_SIZE, HeaderOffset, peekCommand, peekNextCommand } from "../../src/smb2/wire/header.ts";
import type { Random } from "./random.ts";

interface Field {
  readonly at: number;
  readonly size: 1 | 2 | 4 | 8;
}

/** Fields of the header (MS-SMB2 2.2.1.2). */
const headerFields: readonly Field[] = [
  { at: HeaderOffset.PROTOCOL_ID, size: 4 },
  { at: HeaderOffset.STRUCTURE_SIZE, size: 2 },
  { at: HeaderOffset.CREDIT_CHARGE, size: 2 },
  { at: HeaderOffset.STATUS, size: 4 },
  { at: HeaderOffset.COMMAND, size: 2 },
  { at: HeaderOffset.CREDITS, size: 2 },
  { at: HeaderOffset.FLAGS, size: 4 },
  { at: HeaderOffset.NEXT_COMMAND, size: 4 },
  { at: HeaderOffset.MESSAGE_ID, size: 8 },
  { at: HeaderOffset.PROCESS_ID, size: 4 },
  { at: HeaderOffset.TREE_ID, size: 4 },
  { at: HeaderOffset.SESSION_ID, size: 8 },
];

function fields(sizes: Readonly<Record<number, Field["size"]>>): readonly Field[] {
  return Object.entries(sizes).map(([at, size]) => ({ at: HEADER_SIZE + Number(at), size }));
}

/** Counts, lengths, offsets and selectors of each request's body, by command (MS-SMB2 2.2.3 to 2.2.39). */
const bodyFields: Readonly<Record<number, readonly Field[]>> = {
  0: fields({ 0: 2, 2: 2, 4: 2, 8: 4, 28: 4, 32: 2, 36: 2 }),
  1: fields({ 0: 2, 2: 1, 3: 1, 4: 4, 12: 2, 14: 2, 16: 8 }),
  3: fields({ 0: 2, 2: 2, 4: 2, 6: 2 }),
  5: fields({ 0: 2, 3: 1, 4: 4, 24: 4, 28: 4, 32: 4, 36: 4, 40: 4, 44: 2, 46: 2, 48: 4, 52: 4 }),
  6: fields({ 0: 2, 2: 2, 8: 8, 16: 8 }),
  7: fields({ 0: 2, 8: 8, 16: 8 }),
  8: fields({ 0: 2, 2: 1, 3: 1, 4: 4, 8: 8, 16: 8, 24: 8, 32: 4, 36: 4, 40: 4, 44: 2, 46: 2 }),
  9: fields({ 0: 2, 2: 2, 4: 4, 8: 8, 16: 8, 24: 8, 32: 4, 36: 4, 40: 2, 42: 2, 44: 4 }),
  10: fields({ 0: 2, 2: 2, 4: 4, 8: 8, 24: 8, 32: 8, 40: 4 }),
  11: fields({ 0: 2, 4: 4, 8: 8, 24: 4, 28: 4, 32: 4, 36: 4, 40: 4, 44: 4, 48: 4 }),
  14: fields({ 0: 2, 2: 1, 3: 1, 4: 4, 8: 8, 24: 2, 26: 2, 28: 4 }),
  15: fields({ 0: 2, 2: 2, 4: 4, 8: 8, 24: 4 }),
  16: fields({ 0: 2, 2: 1, 3: 1, 4: 4, 8: 2, 12: 4, 16: 4, 20: 4, 24: 8 }),
  17: fields({ 0: 2, 2: 1, 3: 1, 4: 4, 8: 2, 12: 4, 16: 8 }),
  18: fields({ 0: 2, 2: 1, 4: 4, 8: 8, 24: 4 }),
};

/** Positions of the SMB2 headers of a compound. A chain that is broken ends where it breaks. */
export function compoundStarts(message: Buffer): number[] {
  const starts: number[] = [];
  let at = 0;
  while (at + HEADER_SIZE <= message.length) {
    starts.push(at);
    const next = peekNextCommand(message, at);
    if (next === 0 || next % 8 !== 0) break;
    at += next;
  }
  return starts;
}

/** A value at which comparisons and sums go wrong. */
function edgeValue(random: Random, size: Field["size"], messageLength: number): bigint {
  const bits = BigInt(size * 8);
  const maximum = (1n << bits) - 1n;
  const value = random.pick([
    0n,
    1n,
    maximum,
    maximum - 1n,
    maximum >> 1n,
    (maximum >> 1n) + 1n,
    BigInt(messageLength),
    BigInt(messageLength) + 1n,
    BigInt(Math.max(0, messageLength - 1)),
    BigInt(messageLength - HEADER_SIZE),
    BigInt(HEADER_SIZE),
    BigInt(random.below(256)),
    BigInt(random.u32()),
    1n << BigInt(random.below(size * 8)),
    BigInt(random.between(1, 64)) * 8n,
  ] as const);
  return BigInt.asUintN(size * 8, value);
}

function writeValue(message: Buffer, at: number, size: Field["size"], value: bigint): void {
  if (at + size > message.length) return;
  for (let index = 0; index < size; index += 1) message[at + index] = Number((value >> BigInt(index * 8)) & 0xffn);
}

type Mutation = (random: Random, message: Buffer, others: readonly Buffer[]) => Buffer;

const flipBits: Mutation = (random, message) => {
  for (let count = random.between(1, 8); count > 0; count -= 1) {
    const at = random.below(message.length);
    message[at] = (message[at] ?? 0) ^ (1 << random.below(8));
  }
  return message;
};

const overwrite: Mutation = (random, message) => {
  const at = random.below(message.length);
  const size = random.between(1, Math.min(32, message.length - at));
  const value = random.pick([0x00, 0xff, -1] as const);
  if (value === -1) random.bytes(size).copy(message, at);
  else message.fill(value, at, at + size);
  return message;
};

const truncate: Mutation = (random, message) => message.subarray(0, random.below(message.length));

const extend: Mutation = (random, message) => Buffer.concat([message, random.bytes(random.between(1, 200))]);

/** A number at any position, aligned or not. */
const anyNumber: Mutation = (random, message) => {
  const size = random.pick([1, 2, 4, 8] as const);
  const at = random.below(message.length);
  writeValue(message, random.oneIn(4) ? at : at - (at % size), size, edgeValue(random, size, message.length));
  return message;
};

/** A field that the specification names: a length, offset, count, identifier or selector. */
const namedField: Mutation = (random, message) => {
  const start = random.pick(compoundStarts(message));
  if (start === undefined) return flipBits(random, message, []);
  const ofBody = bodyFields[peekCommand(message, start)] ?? [];
  const field = random.pick(random.oneIn(3) || ofBody.length === 0 ? headerFields : ofBody);
  if (field !== undefined) {
    writeValue(message, start + field.at, field.size, edgeValue(random, field.size, message.length - start));
  }
  return message;
};

const removePart: Mutation = (random, message) => {
  const at = random.below(message.length);
  return Buffer.concat([message.subarray(0, at), message.subarray(at + random.between(1, 16))]);
};

const insertPart: Mutation = (random, message) => {
  const at = random.below(message.length + 1);
  return Buffer.concat([message.subarray(0, at), random.bytes(random.between(1, 16)), message.subarray(at)]);
};

/** The head of this message with the tail of another. */
const splice: Mutation = (random, message, others) => {
  const other = random.pick(others) ?? message;
  const cut = random.below(message.length);
  return Buffer.concat([message.subarray(0, cut), other.subarray(random.oneIn(2) ? cut : random.below(other.length))]);
};

/** Another message behind this one, as a compound with a NextCommand that fits or nearly does. */
const compound: Mutation = (random, message, others) => {
  const starts = compoundStarts(message);
  const last = starts.at(-1);
  const other = random.pick(others);
  if (last === undefined || other === undefined) return flipBits(random, message, others);
  const padded = Buffer.concat([message, Buffer.alloc((8 - (message.length % 8)) % 8)]);
  const next = padded.length - last + random.pick([0, 0, 0, -8, 8, 1] as const);
  writeValue(padded, last + HeaderOffset.NEXT_COMMAND, 4, BigInt.asUintN(32, BigInt(next)));
  return Buffer.concat([padded, other]);
};

/** An SMB2 TRANSFORM_HEADER or COMPRESSION_TRANSFORM_HEADER in front of bytes that are neither. */
const wrap: Mutation = (random, message) => {
  const encrypted = random.oneIn(2);
  const header = random.bytes(encrypted ? 52 : 16);
  header.set(encrypted ? [0xfd, 0x53, 0x4d, 0x42] : [0xfc, 0x53, 0x4d, 0x42], 0);
  if (random.oneIn(2)) header.writeUInt32LE(message.length, encrypted ? 36 : 4);
  return Buffer.concat([header, message]);
};

const mutations: readonly [Mutation, ...Mutation[]] = [
  flipBits,
  overwrite,
  truncate,
  extend,
  anyNumber,
  namedField,
  namedField,
  namedField,
  namedField,
  removePart,
  insertPart,
  splice,
  compound,
  wrap,
];

/** A changed copy of a message. @param others messages to take parts from */
export function mutateMessage(random: Random, message: Buffer, others: readonly Buffer[]): Buffer {
  let mutated: Buffer = Buffer.from(message);
  for (let count = random.oneIn(3) ? random.between(2, 4) : 1; count > 0 && mutated.length > 0; count -= 1) {
    mutated = random.pick(mutations)(random, mutated, others);
  }
  return mutated;
}

/** A message with the 4 bytes of the direct TCP transport before it, which sometimes lie about it (MS-SMB2 2.1). */
export function frame(random: Random | undefined, message: Buffer): Buffer {
  const header = Buffer.alloc(4);
  let length = message.length;
  if (random?.oneIn(12)) {
    length = random.pick([0, 1, 0xffffff, length + 1, Math.max(0, length - 1), length + 100, random.u32()] as const);
  }
  header.writeUIntBE(length & 0xffffff, 1, 3);
  if (random?.oneIn(40)) header.writeUInt8(random.between(1, 255), 0);
  return Buffer.concat([header, message]);
}

/** A whole conversation as one stream of bytes, with changed, repeated, lost and exchanged messages. */
export function mutateConversation(
  random: Random,
  messages: readonly Buffer[],
  others: readonly Buffer[],
): readonly Buffer[] {
  // Most servers end at the first bad message, so most conversations keep their beginning.
  const victim = random.below(messages.length);
  const frames: Buffer[] = [];
  for (const [index, message] of messages.entries()) {
    if (index < victim) frames.push(frame(undefined, message));
    else if (index === victim || random.oneIn(4)) {
      const copies = random.oneIn(8) ? random.between(2, 4) : 1;
      const mutated = frame(random, mutateMessage(random, message, others));
      for (let count = 0; count < copies; count += 1) frames.push(mutated);
    } else if (!random.oneIn(10)) frames.push(frame(undefined, message));
  }
  if (random.oneIn(6)) {
    const [from, to] = [random.below(frames.length), random.below(frames.length)];
    const [left, right] = [frames[from], frames[to]];
    if (left !== undefined && right !== undefined) {
      frames[from] = right;
      frames[to] = left;
    }
  }
  if (random.oneIn(20)) frames.unshift(random.bytes(random.between(1, 64)));
  return frames;
}
