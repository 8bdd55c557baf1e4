// SPDX-License-Identifier: Apache-2.0

import type { Reader, Writer } from "../cursor.ts";

/** ChecksumAlgorithm (MS-FSCC 2.3.20, 2.3.73). */
export const ChecksumType = {
  NONE: 0x0000,
  CRC32: 0x0001,
  CRC64: 0x0002,
  /** Only in a set request. */
  UNCHANGED: 0xffff,
} as const;

/** FSCTL_INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF: a wrong checksum does not fail the request. */
export const INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF = 0x00000001;

/** Bytes of FSCTL_GET_INTEGRITY_INFORMATION_BUFFER; a smaller output buffer is INVALID_PARAMETER. */
export const GET_INTEGRITY_INFORMATION_LENGTH = 16;

/** FSCTL_SET_INTEGRITY_INFORMATION_BUFFER (MS-FSCC 2.3.73), 8 bytes. */
export interface SetIntegrityInformation {
  /** {@link ChecksumType}. */
  readonly checksumAlgorithm: number;
  readonly flags: number;
}

/** FSCTL_GET_INTEGRITY_INFORMATION_BUFFER (MS-FSCC 2.3.20), 16 bytes. */
export interface IntegrityInformation extends SetIntegrityInformation {
  /** Bytes. */
  readonly checksumChunkSize: number;
  readonly clusterSize: number;
}

/** FSCTL_SET_INTEGRITY_INFORMATION_BUFFER_EX (MS-FSCC 2.3.75), 16 bytes. */
export interface SetIntegrityInformationEx {
  readonly enableIntegrity: boolean;
  readonly keepIntegrityStateUnchanged: boolean;
  readonly flags: number;
  /** 1. */
  readonly version: number;
}

export function encodeGetIntegrityInformation(writer: Writer, info: IntegrityInformation): void {
  encodeSetIntegrityInformation(writer, info);
  writer.u32(info.checksumChunkSize);
  writer.u32(info.clusterSize);
}

export function decodeGetIntegrityInformation(reader: Reader): IntegrityInformation {
  return { ...decodeSetIntegrityInformation(reader), checksumChunkSize: reader.u32(), clusterSize: reader.u32() };
}

export function encodeSetIntegrityInformation(writer: Writer, info: SetIntegrityInformation): void {
  writer.u16(info.checksumAlgorithm);
  writer.u16(0);
  writer.u32(info.flags);
}

export function decodeSetIntegrityInformation(reader: Reader): SetIntegrityInformation {
  const checksumAlgorithm = reader.u16();
  reader.skip(2);
  return { checksumAlgorithm, flags: reader.u32() };
}

export function encodeSetIntegrityInformationEx(writer: Writer, info: SetIntegrityInformationEx): void {
  writer.u8(info.enableIntegrity ? 1 : 0);
  writer.u8(info.keepIntegrityStateUnchanged ? 1 : 0);
  writer.u16(0);
  writer.u32(info.flags);
  writer.u8(info.version);
  writer.zeros(7);
}

export function decodeSetIntegrityInformationEx(reader: Reader): SetIntegrityInformationEx {
  const enableIntegrity = reader.u8() !== 0;
  const keepIntegrityStateUnchanged = reader.u8() !== 0;
  reader.skip(2);
  const flags = reader.u32();
  const version = reader.u8();
  reader.skip(7);
  return { enableIntegrity, keepIntegrityStateUnchanged, flags, version };
}
