// SPDX-License-Identifier: Apache-2.0
/** VPD page 8Fh without its header (SPC-4 7.8.17). Initiators may read the first descriptor only: token limits. */
import { type Command, writeU64 } from "../scsi/command.ts";
import { invalidFieldInCdb } from "../scsi/sense.ts";
import { RodType } from "./options.ts";
import { odxRows } from "./rows.ts";

function descriptor(type: number, body: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil(body.length / 4) * 4);
  body.copy(padded);
  const header = Buffer.alloc(4);
  header.writeUInt16BE(type, 0);
  header.writeUInt16BE(padded.length, 2);
  return Buffer.concat([header, padded]);
}

/** 0000h Block Device ROD Token Limits (SBC-3 6.5.6.2). */
function tokenLimits({ array }: Command): Buffer {
  const { options } = array.copyManager;
  const body = Buffer.alloc(32);
  body.writeUInt16BE(options.maxRangeDescriptors, 6);
  body.writeUInt32BE(options.maxInactivityTimeout, 8);
  body.writeUInt32BE(options.defaultInactivityTimeout, 12);
  writeU64(body, options.maxTransferBlocks, 16);
  writeU64(body, options.optimalTransferBlocks, 24);
  return descriptor(0x0000, body);
}

/** 0001h Supported Commands: for each opcode its service actions. */
function supportedCommands(): Buffer {
  const actions = new Map<number, number[]>();
  for (const { opcode, serviceAction } of odxRows) {
    if (serviceAction !== undefined) actions.set(opcode, [...(actions.get(opcode) ?? []), serviceAction]);
  }
  const list = [...actions].flatMap(([opcode, found]) => [opcode, found.length, ...found]);
  return descriptor(0x0001, Buffer.from([list.length, ...list]));
}

/** 0106h ROD Token Features, with the one for block devices. */
function tokenFeatures({ array, unit }: Command): Buffer {
  const { options, remoteTokens, peers } = array.copyManager;
  const { blockBytes } = unit.medium;
  const body = Buffer.alloc(44 + 48);
  // REMOTE TOKENS: those of other copy managers too.
  if (remoteTokens && peers.length > 0) body.writeUInt8(0x04, 0);
  body.writeUInt32BE(options.defaultInactivityTimeout, 12);
  body.writeUInt32BE(options.maxTokenLifetime, 16);
  body.writeUInt32BE(options.maxInactivityTimeout, 20);
  body.writeUInt16BE(48, 42);
  const features = body.subarray(44);
  features.writeUInt16BE(44, 2);
  features.writeUInt16BE(2 ** unit.options.physicalBlockExponent, 6);
  writeU64(features, options.maxTransferBlocks * blockBytes, 8);
  writeU64(features, options.optimalTransferBlocks * blockBytes, 16);
  writeU64(features, options.optimalTransferBlocks * blockBytes, 24);
  writeU64(features, options.optimalTransferBlocks * blockBytes, 32);
  return descriptor(0x0106, body);
}

const tokenIn = 0x02;
const tokenOut = 0x01;

/** 0108h Supported ROD Token and ROD Types. */
function supportedTypes({ array }: Command): Buffer {
  const types = array.copyManager.options.rodTypes;
  const entries = [...types, RodType.BLOCK_DEVICE_ZERO].map((rodType, index) => {
    const entry = Buffer.alloc(64);
    entry.writeUInt32BE(rodType, 0);
    entry.writeUInt8(rodType === RodType.BLOCK_DEVICE_ZERO ? tokenIn : tokenIn | tokenOut, 4);
    // PREFERENCE INDICATOR: the first is the one to use.
    entry.writeUInt16BE(types.length - Math.min(index, types.length), 6);
    return entry;
  });
  const header = Buffer.alloc(4);
  header.writeUInt16BE(entries.length * 64, 2);
  return descriptor(0x0108, Buffer.concat([header, ...entries]));
}

/** 8001h General Copy Operations. */
function generalOperations({ array }: Command): Buffer {
  const body = Buffer.alloc(32);
  body.writeUInt32BE(array.copyManager.options.maxOperations, 0);
  body.writeUInt32BE(array.copyManager.options.maxOperations, 4);
  return descriptor(0x8001, body);
}

export function thirdPartyCopyPage(command: Command): Buffer {
  if (!command.array.copyManager.options.enabled) throw invalidFieldInCdb(2);
  const others = [supportedCommands(), tokenFeatures(command), supportedTypes(command), generalOperations(command)];
  const limits = tokenLimits(command);
  return Buffer.concat(command.array.copyManager.options.tokenLimitsFirst ? [limits, ...others] : [...others, limits]);
}
