// SPDX-License-Identifier: Apache-2.0
/** INQUIRY: the standard data (SPC-4 6.6.2) and who answers which vital product data page. */
import { thirdPartyCopyPage } from "../odx/third-party-copy-page.ts";
import { allocated, type Command, type CommandRow } from "./command.ts";
import { invalidFieldInCdb } from "./sense.ts";
import {
  blockDeviceCharacteristicsPage,
  blockLimitsPage,
  deviceIdentificationPage,
  logicalBlockProvisioningPage,
  serialNumberPage,
  vendor,
} from "./vpd.ts";

const product = "Simulated array";
const revision = "1";

const spc4 = 0x06;
/** No version claimed of: SAM-5, SPC-4, SBC-3, iSCSI (SPC-4 6.6.2, table of version descriptors). */
const versionDescriptors = [0x00a0, 0x0460, 0x04c0, 0x0960];
const standardBytes = 96;

/** Peripheral qualifier 3: the unit cannot exist here. */
const nothingHere = 0x7f;

/** Standard INQUIRY data; `present` is false for a number without a unit. */
export function standardInquiry(present: boolean): Buffer {
  const data = Buffer.alloc(standardBytes);
  data.writeUInt8(present ? 0x00 : nothingHere, 0);
  data.writeUInt8(spc4, 2);
  // HISUP, RESPONSE DATA FORMAT 2.
  data.writeUInt8(0x12, 3);
  data.writeUInt8(standardBytes - 5, 4);
  if (present) {
    // TPGS: implicit asymmetric access; 3PC: third-party copy.
    data.writeUInt8(0x10 | 0x08, 5);
    // CMDQUE.
    data.writeUInt8(0x02, 7);
  }
  data.write(vendor.padEnd(8), 8, "ascii");
  data.write(product.padEnd(16), 16, "ascii");
  data.write(revision.padEnd(4), 32, "ascii");
  for (const [index, version] of versionDescriptors.entries()) data.writeUInt16BE(version, 58 + index * 2);
  return data;
}

const pages: ReadonlyMap<number, (command: Command) => Buffer> = new Map<number, (command: Command) => Buffer>([
  [0x80, serialNumberPage],
  [0x83, deviceIdentificationPage],
  [0x8f, thirdPartyCopyPage],
  [0xb0, blockLimitsPage],
  [0xb1, blockDeviceCharacteristicsPage],
  [0xb2, logicalBlockProvisioningPage],
]);

/** A page with its header: qualifier and type 0, code, length (SPC-4 7.8.1). */
function page(code: number, body: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt8(code, 1);
  header.writeUInt16BE(body.length, 2);
  return Buffer.concat([header, body]);
}

function inquiry(command: Command): Buffer {
  const { cdb } = command;
  const vital = (cdb.readUInt8(1) & 0x01) !== 0;
  const code = cdb.readUInt8(2);
  const allocationLength = cdb.readUInt16BE(3);
  // CMDDT is obsolete.
  if ((cdb.readUInt8(1) & 0x02) !== 0) throw invalidFieldInCdb(1);
  if (!vital) {
    if (code !== 0) throw invalidFieldInCdb(2);
    return allocated(standardInquiry(true), allocationLength);
  }
  if (code === 0x00) return allocated(page(0x00, Buffer.from([0x00, ...pages.keys()])), allocationLength);
  const make = pages.get(code);
  if (make === undefined) throw invalidFieldInCdb(2);
  return allocated(page(code, make(command)), allocationLength);
}

export const inquiryRows: readonly CommandRow[] = [
  {
    name: "INQUIRY",
    opcode: 0x12,
    usage: [0x12, 0x01, 0xff, 0xff, 0xff, 0x04],
    always: true,
    inStandby: true,
    run: inquiry,
  },
];
