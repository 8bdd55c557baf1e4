// SPDX-License-Identifier: Apache-2.0

/**
 * Data of create contexts, requests and responses. Each decoder gets the data of one context, whose length must be what
 * the layout says (MS-SMB2 3.3.5.9, "Create Context Validation"). SMB2_CREATE_EA_BUFFER holds a list of
 * FILE_FULL_EA_INFORMATION (MS-FSCC 2.4.16) and SMB2_CREATE_SD_BUFFER a security descriptor (MS-DTYP 2.4.6): their codecs
 * are those of the structures.
 */

import type { FileTime } from "../../nt/filetime.ts";
import { type CreateContext, CreateContextName } from "./create-contexts.ts";
import { MalformedPacketError, Reader, Writer } from "./cursor.ts";
import { decodeFileId, encodeFileId, type FileId } from "./file-id.ts";
import { EMPTY, writeFixed } from "./layout.ts";

const KEY_SIZE = 16;
const LEASE_V1_SIZE = 32;
const LEASE_V2_SIZE = 52;

function exactly(data: Buffer, size: number, name: string): Reader {
  if (data.length !== size) throw new MalformedPacketError(`${name}: ${data.length} bytes, not ${size}`);
  return new Reader(data);
}

function built(name: string, size: number, fill: (writer: Writer) => void): CreateContext {
  const writer = new Writer(size);
  fill(writer);
  return { name, data: writer.view() };
}

/** A context that consists of its name, as the request for QFid does (MS-SMB2 2.2.13.2.9). */
export function emptyCreateContext(name: string): CreateContext {
  return { name, data: EMPTY };
}

/** Checks the 16 reserved bytes of SMB2_CREATE_DURABLE_HANDLE_REQUEST (MS-SMB2 2.2.13.2.3). */
export function decodeDurableHandleRequest(data: Buffer): void {
  exactly(data, 16, "DHnQ request");
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_REQUEST (MS-SMB2 2.2.13.2.3). */
export function durableHandleRequestContext(): CreateContext {
  return { name: CreateContextName.DURABLE_HANDLE_REQUEST, data: Buffer.alloc(16) };
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_RESPONSE (MS-SMB2 2.2.14.2.3). */
export function durableHandleResponseContext(): CreateContext {
  return { name: CreateContextName.DURABLE_HANDLE_REQUEST, data: Buffer.alloc(8) };
}

/** Checks the 8 reserved bytes of SMB2_CREATE_DURABLE_HANDLE_RESPONSE (MS-SMB2 2.2.14.2.3). */
export function decodeDurableHandleResponse(data: Buffer): void {
  exactly(data, 8, "DHnQ response");
}

/** Reads the FileId of SMB2_CREATE_DURABLE_HANDLE_RECONNECT (MS-SMB2 2.2.13.2.4). */
export function decodeDurableHandleReconnect(data: Buffer): FileId {
  return decodeFileId(exactly(data, 16, "DHnC"));
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_RECONNECT (MS-SMB2 2.2.13.2.4). */
export function durableHandleReconnectContext(fileId: FileId): CreateContext {
  return built(CreateContextName.DURABLE_HANDLE_RECONNECT, 16, (writer) => encodeFileId(writer, fileId));
}

/**
 * Reads the time stamp of SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST; `undefined` where the request carries none
 * (MS-SMB2 2.2.13.2.5).
 */
export function decodeMaximalAccessRequest(data: Buffer): FileTime | undefined {
  return data.length === 0 ? undefined : exactly(data, 8, "MxAc request").u64();
}

/** Builds SMB2_CREATE_QUERY_MAXIMAL_ACCESS_REQUEST (MS-SMB2 2.2.13.2.5). */
export function maximalAccessRequestContext(timestamp?: FileTime): CreateContext {
  if (timestamp === undefined) return emptyCreateContext(CreateContextName.QUERY_MAXIMAL_ACCESS);
  return built(CreateContextName.QUERY_MAXIMAL_ACCESS, 8, (writer) => writer.u64(timestamp));
}

/** SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE (MS-SMB2 2.2.14.2.5). */
export interface MaximalAccessResponse {
  /** NTSTATUS of the query. */
  readonly queryStatus: number;
  /** Access mask; valid where `queryStatus` is STATUS_SUCCESS. */
  readonly maximalAccess: number;
}

/** Reads SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE (MS-SMB2 2.2.14.2.5). */
export function decodeMaximalAccessResponse(data: Buffer): MaximalAccessResponse {
  const reader = exactly(data, 8, "MxAc response");
  return { queryStatus: reader.u32(), maximalAccess: reader.u32() };
}

/** Builds SMB2_CREATE_QUERY_MAXIMAL_ACCESS_RESPONSE (MS-SMB2 2.2.14.2.5). */
export function maximalAccessResponseContext(value: MaximalAccessResponse): CreateContext {
  return built(CreateContextName.QUERY_MAXIMAL_ACCESS, 8, (writer) => {
    writer.u32(value.queryStatus);
    writer.u32(value.maximalAccess);
  });
}

/** Reads the AllocationSize, in bytes, of SMB2_CREATE_ALLOCATION_SIZE (MS-SMB2 2.2.13.2.6). */
export function decodeAllocationSize(data: Buffer): bigint {
  return exactly(data, 8, "AlSi").u64();
}

/** Builds SMB2_CREATE_ALLOCATION_SIZE (MS-SMB2 2.2.13.2.6). */
export function allocationSizeContext(allocationSize: bigint): CreateContext {
  return built(CreateContextName.ALLOCATION_SIZE, 8, (writer) => writer.u64(allocationSize));
}

/** Reads the time stamp of SMB2_CREATE_TIMEWARP_TOKEN (MS-SMB2 2.2.13.2.7). */
export function decodeTimewarpToken(data: Buffer): FileTime {
  return exactly(data, 8, "TWrp").u64();
}

/** Builds SMB2_CREATE_TIMEWARP_TOKEN (MS-SMB2 2.2.13.2.7). */
export function timewarpTokenContext(timestamp: FileTime): CreateContext {
  return built(CreateContextName.TIMEWARP_TOKEN, 8, (writer) => writer.u64(timestamp));
}

/** SMB2_CREATE_QUERY_ON_DISK_ID response (MS-SMB2 2.2.14.2.9). */
export interface OnDiskId {
  readonly diskFileId: bigint;
  readonly volumeId: bigint;
}

/** Reads the SMB2_CREATE_QUERY_ON_DISK_ID response (MS-SMB2 2.2.14.2.9). */
export function decodeOnDiskId(data: Buffer): OnDiskId {
  const reader = exactly(data, 32, "QFid response");
  return { diskFileId: reader.u64(), volumeId: reader.u64() };
}

/** Builds the SMB2_CREATE_QUERY_ON_DISK_ID response (MS-SMB2 2.2.14.2.9). */
export function onDiskIdContext(value: OnDiskId): CreateContext {
  return built(CreateContextName.QUERY_ON_DISK_ID, 32, (writer) => {
    writer.u64(value.diskFileId);
    writer.u64(value.volumeId);
    writer.zeros(16);
  });
}

/** A lease as request and response carry it, version 1 or 2 (MS-SMB2 2.2.13.2.8, 2.2.13.2.10, 2.2.14.2.10, .11). */
export interface LeaseContext {
  readonly version: 1 | 2;
  /** 16 bytes. */
  readonly leaseKey: Buffer;
  /** `LeaseState` bits. */
  readonly leaseState: number;
  /** `LeaseFlag` bits. In a version 1 request the field is reserved, to be ignored. */
  readonly flags: number;
  /** 16 bytes; valid where `flags` holds PARENT_LEASE_KEY_SET. Zeros in version 1. */
  readonly parentLeaseKey: Buffer;
  /** 0 in version 1. */
  readonly epoch: number;
}

const NO_KEY = Buffer.alloc(KEY_SIZE);

/** Reads SMB2_CREATE_REQUEST_LEASE or _V2, request or response; their length tells which (MS-SMB2 3.3.5.9). */
export function decodeLease(data: Buffer): LeaseContext {
  const version = data.length === LEASE_V2_SIZE ? 2 : 1;
  const reader = exactly(data, version === 2 ? LEASE_V2_SIZE : LEASE_V1_SIZE, "RqLs");
  const leaseKey = reader.bytes(KEY_SIZE);
  const leaseState = reader.u32();
  const flags = reader.u32();
  reader.skip(8);
  if (version === 1) return { version, leaseKey, leaseState, flags, parentLeaseKey: NO_KEY, epoch: 0 };
  return { version, leaseKey, leaseState, flags, parentLeaseKey: reader.bytes(KEY_SIZE), epoch: reader.u16() };
}

/** Builds SMB2_CREATE_REQUEST_LEASE or _V2, request or response (MS-SMB2 2.2.13.2.8, 2.2.13.2.10). */
export function leaseContext(value: LeaseContext): CreateContext {
  return built(CreateContextName.REQUEST_LEASE, LEASE_V2_SIZE, (writer) => {
    writeFixed(writer, value.leaseKey, KEY_SIZE, "LeaseKey");
    writer.u32(value.leaseState);
    writer.u32(value.flags);
    writer.zeros(8);
    if (value.version === 1) return;
    writeFixed(writer, value.parentLeaseKey, KEY_SIZE, "ParentLeaseKey");
    writer.u16(value.epoch);
    writer.u16(0);
  });
}

/** SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 (MS-SMB2 2.2.13.2.11). */
export interface DurableHandleRequestV2 {
  /** Milliseconds; 0 leaves the choice to the server. */
  readonly timeout: number;
  /** `DurableHandleFlag` bits. */
  readonly flags: number;
  /** 16 bytes. */
  readonly createGuid: Buffer;
}

/** Reads SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 (MS-SMB2 2.2.13.2.11). */
export function decodeDurableHandleRequestV2(data: Buffer): DurableHandleRequestV2 {
  const reader = exactly(data, 32, "DH2Q request");
  const timeout = reader.u32();
  const flags = reader.u32();
  reader.skip(8);
  return { timeout, flags, createGuid: reader.bytes(KEY_SIZE) };
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_REQUEST_V2 (MS-SMB2 2.2.13.2.11). */
export function durableHandleRequestV2Context(value: DurableHandleRequestV2): CreateContext {
  return built(CreateContextName.DURABLE_HANDLE_REQUEST_V2, 32, (writer) => {
    writer.u32(value.timeout);
    writer.u32(value.flags);
    writer.zeros(8);
    writeFixed(writer, value.createGuid, KEY_SIZE, "CreateGuid");
  });
}

/** SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (MS-SMB2 2.2.14.2.12). */
export interface DurableHandleResponseV2 {
  /** Milliseconds that the server waits for the client to come back. */
  readonly timeout: number;
  /** `DurableHandleFlag` bits. */
  readonly flags: number;
}

/** Reads SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (MS-SMB2 2.2.14.2.12). */
export function decodeDurableHandleResponseV2(data: Buffer): DurableHandleResponseV2 {
  const reader = exactly(data, 8, "DH2Q response");
  return { timeout: reader.u32(), flags: reader.u32() };
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_RESPONSE_V2 (MS-SMB2 2.2.14.2.12). */
export function durableHandleResponseV2Context(value: DurableHandleResponseV2): CreateContext {
  return built(CreateContextName.DURABLE_HANDLE_REQUEST_V2, 8, (writer) => {
    writer.u32(value.timeout);
    writer.u32(value.flags);
  });
}

/** SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 (MS-SMB2 2.2.13.2.12). */
export interface DurableHandleReconnectV2 {
  readonly fileId: FileId;
  /** 16 bytes. */
  readonly createGuid: Buffer;
  /** `DurableHandleFlag` bits. */
  readonly flags: number;
}

/** Reads SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 (MS-SMB2 2.2.13.2.12). */
export function decodeDurableHandleReconnectV2(data: Buffer): DurableHandleReconnectV2 {
  const reader = exactly(data, 36, "DH2C");
  return { fileId: decodeFileId(reader), createGuid: reader.bytes(KEY_SIZE), flags: reader.u32() };
}

/** Builds SMB2_CREATE_DURABLE_HANDLE_RECONNECT_V2 (MS-SMB2 2.2.13.2.12). */
export function durableHandleReconnectV2Context(value: DurableHandleReconnectV2): CreateContext {
  return built(CreateContextName.DURABLE_HANDLE_RECONNECT_V2, 36, (writer) => {
    encodeFileId(writer, value.fileId);
    writeFixed(writer, value.createGuid, KEY_SIZE, "CreateGuid");
    writer.u32(value.flags);
  });
}

/** Reads the AppInstanceId, 16 bytes, of SMB2_CREATE_APP_INSTANCE_ID (MS-SMB2 2.2.13.2.13). */
export function decodeAppInstanceId(data: Buffer): Buffer {
  const reader = exactly(data, 20, "AppInstanceId");
  if (reader.u16() !== 20) throw new MalformedPacketError("AppInstanceId: StructureSize is not 20");
  reader.skip(2);
  return reader.bytes(KEY_SIZE);
}

/** Builds SMB2_CREATE_APP_INSTANCE_ID (MS-SMB2 2.2.13.2.13). */
export function appInstanceIdContext(appInstanceId: Buffer): CreateContext {
  return built(CreateContextName.APP_INSTANCE_ID, 20, (writer) => {
    writer.u16(20);
    writer.u16(0);
    writeFixed(writer, appInstanceId, KEY_SIZE, "AppInstanceId");
  });
}

/** SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15). */
export interface AppInstanceVersion {
  readonly high: bigint;
  readonly low: bigint;
}

/** Reads SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15). */
export function decodeAppInstanceVersion(data: Buffer): AppInstanceVersion {
  const reader = exactly(data, 24, "AppInstanceVersion");
  if (reader.u16() !== 24) throw new MalformedPacketError("AppInstanceVersion: StructureSize is not 24");
  reader.skip(6);
  return { high: reader.u64(), low: reader.u64() };
}

/** Builds SMB2_CREATE_APP_INSTANCE_VERSION (MS-SMB2 2.2.13.2.15). */
export function appInstanceVersionContext(value: AppInstanceVersion): CreateContext {
  return built(CreateContextName.APP_INSTANCE_VERSION, 24, (writer) => {
    writer.u16(24);
    writer.zeros(6);
    writer.u64(value.high);
    writer.u64(value.low);
  });
}
