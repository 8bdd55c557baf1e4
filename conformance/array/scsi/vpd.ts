// SPDX-License-Identifier: Apache-2.0
/** Vital product data pages besides third-party copy, each without its header (SPC-4 7.8, SBC-3 6.5). */
import type { Command } from "./command.ts";
import { writeU64 } from "./command.ts";
import { maxUnmapBlocks, maxUnmapDescriptors, maxWriteSameBlocks, unmapGranularity } from "./provisioning.ts";

/** T10 VENDOR IDENTIFICATION. */
export const vendor = "TESSERA";

/** 80h, SPC-4 7.8.15. */
export function serialNumberPage(command: Command): Buffer {
  return Buffer.from(command.unit.serial, "ascii");
}

const CodeSet = { BINARY: 1, ASCII: 2, UTF8: 3 } as const;
const Association = { UNIT: 0x00, PORT: 0x10, DEVICE: 0x20 } as const;
const DesignatorType = { T10: 1, NAA: 3, RELATIVE_PORT: 4, PORT_GROUP: 5, SCSI_NAME: 8 } as const;
/** PROTOCOL IDENTIFIER iSCSI and PIV, for designators of ports and devices. */
const iscsi = { identifier: 0x50, valid: 0x80 } as const;

/** One designation descriptor (SPC-4 7.8.6.1). */
export function designator(codeSet: number, association: number, type: number, value: Buffer): Buffer {
  const header = Buffer.alloc(4);
  const ofUnit = association === Association.UNIT;
  header.writeUInt8((ofUnit ? 0 : iscsi.identifier) | codeSet, 0);
  header.writeUInt8((ofUnit ? 0 : iscsi.valid) | association | type, 1);
  header.writeUInt8(value.length, 3);
  return Buffer.concat([header, value]);
}

/** The NAA designation descriptor of a logical unit. */
export function naaDesignator(naa: Buffer): Buffer {
  return designator(CodeSet.BINARY, Association.UNIT, DesignatorType.NAA, naa);
}

/** A SCSI name string ends with NUL and is padded to a multiple of four (SPC-4 7.8.6.11). */
function nameString(name: string): Buffer {
  const bytes = Buffer.byteLength(name) + 1;
  const value = Buffer.alloc(Math.ceil(bytes / 4) * 4);
  value.write(name, 0, "utf8");
  return value;
}

/** The designation descriptor of a target device. */
export function deviceNameDesignator(name: string): Buffer {
  return designator(CodeSet.UTF8, Association.DEVICE, DesignatorType.SCSI_NAME, nameString(name));
}

/** 83h, SPC-4 7.8.6. */
export function deviceIdentificationPage(command: Command): Buffer {
  const { unit, nexus, array } = command;
  const port = array.targetPorts.find(({ portalGroup }) => portalGroup === nexus.portalGroup);
  const relative = Buffer.alloc(4);
  relative.writeUInt16BE(port?.relativeId ?? 1, 2);
  const group = Buffer.alloc(4);
  group.writeUInt16BE(nexus.portalGroup, 2);
  const portName = `${nexus.target.name},t,0x${nexus.portalGroup.toString(16).padStart(4, "0")}`;
  return Buffer.concat([
    naaDesignator(unit.naa),
    designator(
      CodeSet.ASCII,
      Association.UNIT,
      DesignatorType.T10,
      Buffer.from(vendor.padEnd(8) + unit.serial, "ascii"),
    ),
    designator(CodeSet.BINARY, Association.PORT, DesignatorType.RELATIVE_PORT, relative),
    designator(CodeSet.BINARY, Association.PORT, DesignatorType.PORT_GROUP, group),
    designator(CodeSet.UTF8, Association.PORT, DesignatorType.SCSI_NAME, nameString(portName)),
    deviceNameDesignator(nexus.target.name),
  ]);
}

/** B0h, SBC-3 6.5.3. */
export function blockLimitsPage(command: Command): Buffer {
  const { unit } = command;
  const page = Buffer.alloc(60);
  // MAXIMUM COMPARE AND WRITE LENGTH.
  page.writeUInt8(255, 1);
  page.writeUInt16BE(2 ** unit.options.physicalBlockExponent, 2);
  page.writeUInt32BE(unit.options.maxTransferBlocks, 4);
  // OPTIMAL TRANSFER LENGTH: 1 MiB where one command may be that long.
  page.writeUInt32BE(Math.min(unit.options.maxTransferBlocks, 1_048_576 / unit.medium.blockBytes), 8);
  if (unit.options.thin) {
    page.writeUInt32BE(maxUnmapBlocks, 16);
    page.writeUInt32BE(maxUnmapDescriptors, 20);
    page.writeUInt32BE(unmapGranularity(unit), 24);
    // UGAVALID with an alignment of 0.
    page.writeUInt32BE(0x80000000, 28);
  }
  writeU64(page, maxWriteSameBlocks, 32);
  return page;
}

/** B1h, SBC-3 6.5.2: a medium that does not rotate. */
export function blockDeviceCharacteristicsPage(): Buffer {
  const page = Buffer.alloc(60);
  page.writeUInt16BE(0x0001, 0);
  return page;
}

/** B2h, SBC-3 6.5.4: LBPU, LBPWS, LBPWS10, LBPRZ, and thin provisioning. */
export function logicalBlockProvisioningPage(command: Command): Buffer {
  const { thin } = command.unit.options;
  return Buffer.from([0x00, thin ? 0xe4 : 0x00, thin ? 0x02 : 0x00, 0x00]);
}
