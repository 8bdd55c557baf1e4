// SPDX-License-Identifier: Apache-2.0

/** Names of commands, for messages (SPC-4 E.3). */
const names = new Map<number, string>([
  [0x00, "TEST UNIT READY"],
  [0x12, "INQUIRY"],
  [0x1a, "MODE SENSE(6)"],
  [0x35, "SYNCHRONIZE CACHE(10)"],
  [0x42, "UNMAP"],
  [0x88, "READ(16)"],
  [0x8a, "WRITE(16)"],
  [0x93, "WRITE SAME(16)"],
  [0x9e, "READ CAPACITY(16)"],
  [0xa0, "REPORT LUNS"],
  [0xa3, "REPORT TARGET PORT GROUPS"],
]);

const thirdPartyCopy = new Map<number, string>([
  [0x8310, "POPULATE TOKEN"],
  [0x8311, "WRITE USING TOKEN"],
  [0x831c, "COPY OPERATION ABORT"],
  [0x8407, "RECEIVE ROD TOKEN INFORMATION"],
  [0x8408, "REPORT ALL ROD TOKENS"],
]);

export function commandName(cdb: Buffer): string {
  const opcode = cdb[0] ?? 0;
  const serviceAction = (cdb[1] ?? 0) & 0x1f;
  return names.get(opcode) ?? thirdPartyCopy.get(opcode * 256 + serviceAction) ?? `command ${opcode.toString(16)}h`;
}
