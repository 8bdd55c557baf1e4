// SPDX-License-Identifier: Apache-2.0

import { ProtocolError } from "../errors.ts";
import type { BlockLimits, Designator, Provisioning } from "../logical-unit.ts";
import { newCdb, requireLength } from "./bytes.ts";

/** Vital product data pages (SPC-4 7.8, SBC-3 6.6). */
export const VpdPage = {
  SUPPORTED_PAGES: 0x00,
  UNIT_SERIAL_NUMBER: 0x80,
  DEVICE_IDENTIFICATION: 0x83,
  THIRD_PARTY_COPY: 0x8f,
  BLOCK_LIMITS: 0xb0,
  LOGICAL_BLOCK_PROVISIONING: 0xb2,
} as const;

const MAXIMUM_DESIGNATORS = 64;

/** INQUIRY (SPC-4 6.6). @param page a VPD page; standard data where it is left out */
export function inquiry(allocationLength: number, page?: number): Buffer {
  const cdb = newCdb(6, 0x12, page === undefined ? 0 : 1);
  cdb[2] = page ?? 0;
  cdb.writeUInt16BE(allocationLength, 3);
  return cdb;
}

/** Standard INQUIRY data (SPC-4 6.6.2). */
export interface StandardInquiry {
  /** 0: a device is there. */
  readonly peripheralQualifier: number;
  /** 0: a block device. */
  readonly deviceType: number;
  readonly removable: boolean;
  /** 3PC: the unit has third-party copy commands. */
  readonly thirdPartyCopy: boolean;
  /** TPGS: 0 where the unit says nothing of its paths. */
  readonly targetPortGroupSupport: number;
  readonly vendor: string;
  readonly product: string;
  readonly revision: string;
}

const text = (data: Buffer, start: number, end: number) =>
  data
    .toString("latin1", start, Math.min(end, data.length))
    .replace(/[^\x20-\x7e]/g, " ")
    .trim();

/** @throws ProtocolError */
export function decodeStandardInquiry(data: Buffer): StandardInquiry {
  requireLength(data, 36, "INQUIRY");
  return {
    peripheralQualifier: (data[0] ?? 0) >> 5,
    deviceType: (data[0] ?? 0) & 0x1f,
    removable: ((data[1] ?? 0) & 0x80) !== 0,
    thirdPartyCopy: ((data[5] ?? 0) & 0x08) !== 0,
    targetPortGroupSupport: ((data[5] ?? 0) >> 4) & 0x03,
    vendor: text(data, 8, 16),
    product: text(data, 16, 32),
    revision: text(data, 32, 36),
  };
}

/** What a page holds behind its header, up to PAGE LENGTH or to what has come. @throws ProtocolError it is another page */
function pageBody(data: Buffer, page: number): Buffer {
  requireLength(data, 4, "VPD page");
  if (data[1] !== page) throw new ProtocolError(`another VPD page came than ${page.toString(16)}h`);
  return data.subarray(4, 4 + data.readUInt16BE(2));
}

/** VPD page 00h. @throws ProtocolError */
export function decodeSupportedPages(data: Buffer): ReadonlySet<number> {
  return new Set(pageBody(data, VpdPage.SUPPORTED_PAGES));
}

/** VPD page 80h. @throws ProtocolError */
export function decodeSerialNumber(data: Buffer): string {
  const body = pageBody(data, VpdPage.UNIT_SERIAL_NUMBER);
  return text(body, 0, body.length);
}

/** VPD page 83h (SPC-4 7.8.6). @throws ProtocolError */
export function decodeDeviceIdentification(data: Buffer): readonly Designator[] {
  const body = pageBody(data, VpdPage.DEVICE_IDENTIFICATION);
  const designators: Designator[] = [];
  for (let at = 0; at + 4 <= body.length && designators.length < MAXIMUM_DESIGNATORS; ) {
    const end = at + 4 + (body[at + 3] ?? 0);
    if (end > body.length) break;
    designators.push({
      type: (body[at + 1] ?? 0) & 0x0f,
      association: ((body[at + 1] ?? 0) >> 4) & 0x03,
      codeSet: (body[at] ?? 0) & 0x0f,
      identifier: Buffer.from(body.subarray(at + 4, end)),
    });
    at = end;
  }
  return designators;
}

/** Limits of a unit that reports none. */
export const noBlockLimits: BlockLimits = {
  maximumTransfer: Number.POSITIVE_INFINITY,
  optimalTransfer: 0,
  optimalGranularity: 1,
  maximumWriteSame: Number.POSITIVE_INFINITY,
  maximumUnmap: Number.POSITIVE_INFINITY,
  maximumUnmapRanges: Number.POSITIVE_INFINITY,
  unmapGranularity: 1,
  unmapAlignment: 0,
};

/** VPD page B0h (SBC-3 6.6.4), also in the short form of SBC-2. @throws ProtocolError */
export function decodeBlockLimits(data: Buffer): BlockLimits {
  const body = pageBody(data, VpdPage.BLOCK_LIMITS);
  const u32 = (at: number) => (body.length >= at + 4 ? body.readUInt32BE(at) : 0);
  const maximum = (value: number) => (value === 0 ? Number.POSITIVE_INFINITY : value);
  const unmapAlignment = u32(28);
  return {
    maximumTransfer: maximum(u32(4)),
    optimalTransfer: u32(8),
    optimalGranularity: Math.max(1, body.length >= 4 ? body.readUInt16BE(2) : 0),
    maximumWriteSame: maximum(u32(32) * 0x1_0000_0000 + u32(36)),
    maximumUnmap: maximum(u32(16)),
    maximumUnmapRanges: maximum(u32(20)),
    unmapGranularity: Math.max(1, u32(24)),
    // UGAVALID says whether there is an alignment.
    unmapAlignment: unmapAlignment >= 0x8000_0000 ? unmapAlignment - 0x8000_0000 : 0,
  };
}

/** VPD page B2h (SBC-3 6.6.6). @throws ProtocolError */
export function decodeProvisioning(data: Buffer): Provisioning {
  const body = pageBody(data, VpdPage.LOGICAL_BLOCK_PROVISIONING);
  const flags = body[1] ?? 0;
  const kind = (body[2] ?? 0) & 0x07;
  return {
    kind: kind === 1 ? "resource" : kind === 2 ? "thin" : "fully provisioned",
    unmap: (flags & 0x80) !== 0,
    writeSameUnmap: (flags & 0x40) !== 0,
    // 3 bits; only xx1b says that it is zeros.
    readsZeros: (flags & 0x04) !== 0,
  };
}
