// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { writeFixed } from "./layout.ts";

const OPLOCK_SIZE = 24;
const LEASE_SIZE = 36;
const LEASE_NOTIFICATION_SIZE = 44;
const KEY_SIZE = 16;

/** Oplock Break Notification, Acknowledgment or Response: one layout (MS-SMB2 2.2.23.1, 2.2.24.1, 2.2.25.1). */
export interface OplockBreak {
  readonly kind: "oplock";
  /** `OplockLevel` value. */
  readonly oplockLevel: number;
  readonly fileId: FileId;
}

/** Lease Break Acknowledgment or Response: one layout (MS-SMB2 2.2.24.2, 2.2.25.2). */
export interface LeaseBreak {
  readonly kind: "lease";
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  /** `LeaseState` bits. */
  readonly leaseState: number;
}

/** Lease Break Notification (MS-SMB2 2.2.23.2). */
export interface LeaseBreakNotification {
  readonly kind: "lease";
  /** 0 in SMB 2.1. */
  readonly newEpoch: number;
  /** `LeaseBreakFlag` bits. */
  readonly flags: number;
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  /** `LeaseState` bits. */
  readonly currentLeaseState: number;
  /** `LeaseState` bits. */
  readonly newLeaseState: number;
}

function decodeOplockFields(reader: Reader): OplockBreak {
  const oplockLevel = reader.u8();
  reader.skip(5);
  return { kind: "oplock", oplockLevel, fileId: decodeFileId(reader) };
}

function encodeOplockBreak(writer: Writer, value: OplockBreak): void {
  writer.u16(OPLOCK_SIZE);
  writer.u8(value.oplockLevel);
  writer.zeros(5);
  encodeFileId(writer, value.fileId);
}

function decodeBreak(reader: Reader, name: string): OplockBreak | LeaseBreak {
  const size = reader.u16();
  if (size === OPLOCK_SIZE) return decodeOplockFields(reader);
  if (size !== LEASE_SIZE) throw new MalformedPacketError(`${name}: StructureSize ${size}`);
  reader.skip(6);
  const leaseKey = reader.bytes(KEY_SIZE);
  const leaseState = reader.u32();
  reader.skip(8);
  return { kind: "lease", leaseKey, leaseState };
}

function encodeBreak(writer: Writer, value: OplockBreak | LeaseBreak): void {
  if (value.kind === "oplock") {
    encodeOplockBreak(writer, value);
    return;
  }
  writer.u16(LEASE_SIZE);
  writer.zeros(6);
  writeFixed(writer, value.leaseKey, KEY_SIZE, "LeaseKey");
  writer.u32(value.leaseState);
  writer.zeros(8);
}

/** Reads an Oplock or Lease Break Acknowledgment; its StructureSize tells which (MS-SMB2 2.2.24, 3.3.5.22). */
export function decodeOplockBreakRequest(reader: Reader): OplockBreak | LeaseBreak {
  return decodeBreak(reader, "OPLOCK_BREAK acknowledgment");
}

/** Writes an Oplock or Lease Break Acknowledgment (MS-SMB2 2.2.24). */
export function encodeOplockBreakRequest(writer: Writer, request: OplockBreak | LeaseBreak): void {
  encodeBreak(writer, request);
}

/** Writes an Oplock or Lease Break Response (MS-SMB2 2.2.25). */
export function encodeOplockBreakResponse(writer: Writer, response: OplockBreak | LeaseBreak): void {
  encodeBreak(writer, response);
}

/** Reads an Oplock or Lease Break Response (MS-SMB2 2.2.25). */
export function decodeOplockBreakResponse(reader: Reader): OplockBreak | LeaseBreak {
  return decodeBreak(reader, "OPLOCK_BREAK response");
}

/** Writes an Oplock or Lease Break Notification (MS-SMB2 2.2.23). */
export function encodeOplockBreakNotification(writer: Writer, value: OplockBreak | LeaseBreakNotification): void {
  if (value.kind === "oplock") {
    encodeOplockBreak(writer, value);
    return;
  }
  writer.u16(LEASE_NOTIFICATION_SIZE);
  writer.u16(value.newEpoch);
  writer.u32(value.flags);
  writeFixed(writer, value.leaseKey, KEY_SIZE, "LeaseKey");
  writer.u32(value.currentLeaseState);
  writer.u32(value.newLeaseState);
  writer.zeros(12);
}

/** Reads an Oplock or Lease Break Notification; its StructureSize tells which (MS-SMB2 2.2.23). */
export function decodeOplockBreakNotification(reader: Reader): OplockBreak | LeaseBreakNotification {
  const size = reader.u16();
  if (size === OPLOCK_SIZE) return decodeOplockFields(reader);
  if (size !== LEASE_NOTIFICATION_SIZE) {
    throw new MalformedPacketError(`OPLOCK_BREAK notification: StructureSize ${size}`);
  }
  const newEpoch = reader.u16();
  const flags = reader.u32();
  const leaseKey = reader.bytes(KEY_SIZE);
  const currentLeaseState = reader.u32();
  const newLeaseState = reader.u32();
  reader.skip(12);
  return { kind: "lease", newEpoch, flags, leaseKey, currentLeaseState, newLeaseState };
}
