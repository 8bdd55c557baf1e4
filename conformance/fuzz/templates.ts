// SPDX-License-Identifier: Apache-2.0
/** Well-formed requests of every command, as a start for changes: what recordings of ordinary clients leave out. */
import { encodeCancelRequest } from "../../src/smb2/wire/cancel.ts";
import { encodeChangeNotifyRequest } from "../../src/smb2/wire/change-notify.ts";
import { encodeCloseRequest } from "../../src/smb2/wire/close.ts";
import { Command, CreateDisposition, ImpersonationLevel } from "../../src/smb2/wire/constants.ts";
import { encodeCreateRequest } from "../../src/smb2/wire/create.ts";
import { CreateContextName } from "../../src/smb2/wire/create-contexts.ts";
import type { Writer } from "../../src/smb2/wire/cursor.ts";
import type { FileId } from "../../src/smb2/wire/file-id.ts";
import { encodeFlushRequest } from "../../src/smb2/wire/flush.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { encodeIoctlRequest } from "../../src/smb2/wire/ioctl.ts";
import { encodeLockRequest } from "../../src/smb2/wire/lock.ts";
import { encodeOplockBreakRequest } from "../../src/smb2/wire/oplock-break.ts";
import { encodeQueryDirectoryRequest } from "../../src/smb2/wire/query-directory.ts";
import { encodeQueryInfoRequest } from "../../src/smb2/wire/query-info.ts";
import { encodeReadRequest } from "../../src/smb2/wire/read.ts";
import { encodeSetInfoRequest } from "../../src/smb2/wire/set-info.ts";
import { encodeTreeConnectRequest } from "../../src/smb2/wire/tree-connect.ts";
import { encodeWriteRequest } from "../../src/smb2/wire/write.ts";
import type { Random } from "./random.ts";

export interface Template {
  readonly command: number;
  readonly encode: (writer: Writer) => void;
}

const FILE_ALL = 0x001f01ff;
const empty = Buffer.alloc(0);

export interface OpenKind {
  readonly name: string;
  readonly directory: boolean;
  /** The file goes away with its last handle. */
  readonly deleteOnClose?: boolean;
}

/** A CREATE that opens or makes a file or folder, with everything shared. */
export function createRequest(kind: OpenKind): (writer: Writer) => void {
  return (writer) =>
    encodeCreateRequest(writer, {
      requestedOplockLevel: 0,
      impersonationLevel: ImpersonationLevel.IMPERSONATION,
      desiredAccess: kind.directory ? 0x00100081 : FILE_ALL,
      fileAttributes: 0,
      shareAccess: 7,
      createDisposition: kind.directory ? CreateDisposition.OPEN : CreateDisposition.OPEN_IF,
      createOptions: (kind.directory ? 0x1 : 0) | (kind.deleteOnClose === true ? 0x1000 : 0),
      name: kind.name,
      contexts: [],
    });
}

/** A CREATE that opens a named pipe for reading and writing. */
export function createPipeRequest(name: string): (writer: Writer) => void {
  return (writer) =>
    encodeCreateRequest(writer, {
      requestedOplockLevel: 0,
      impersonationLevel: ImpersonationLevel.IMPERSONATION,
      desiredAccess: 0x0012019f,
      fileAttributes: 0,
      shareAccess: 7,
      createDisposition: CreateDisposition.OPEN,
      createOptions: 0,
      name,
      contexts: [],
    });
}

const names: readonly [string, ...string[]] = [
  "",
  "fuzz.bin",
  "folder",
  "folder\\inner.txt",
  "fuzz.bin:stream",
  "fuzz.bin::$DATA",
  "FUZZ.BIN",
  "..\\outside",
  "\\fuzz.bin",
  "a\u0000b",
  "*",
  "folder\\..\\fuzz.bin",
  "x".repeat(300),
];

const contextData: readonly (readonly [name: string, size: number])[] = [
  [CreateContextName.EA_BUFFER, 24],
  [CreateContextName.SD_BUFFER, 48],
  [CreateContextName.DURABLE_HANDLE_REQUEST, 16],
  [CreateContextName.DURABLE_HANDLE_RECONNECT, 16],
  [CreateContextName.ALLOCATION_SIZE, 8],
  [CreateContextName.QUERY_MAXIMAL_ACCESS, 0],
  [CreateContextName.QUERY_MAXIMAL_ACCESS, 8],
  [CreateContextName.TIMEWARP_TOKEN, 8],
  [CreateContextName.QUERY_ON_DISK_ID, 0],
  [CreateContextName.REQUEST_LEASE, 32],
  [CreateContextName.REQUEST_LEASE, 52],
  [CreateContextName.DURABLE_HANDLE_REQUEST_V2, 32],
  [CreateContextName.DURABLE_HANDLE_RECONNECT_V2, 36],
  [CreateContextName.APP_INSTANCE_ID, 20],
  [CreateContextName.AAPL, 24],
];

function create(random: Random): Template {
  const contexts = Array.from({ length: random.below(4) }, () => {
    const [name, size] = random.pick(contextData) ?? [CreateContextName.QUERY_ON_DISK_ID, 0];
    return { name, data: random.oneIn(2) ? Buffer.alloc(size) : random.bytes(size) };
  });
  return {
    command: Command.CREATE,
    encode: (writer) =>
      encodeCreateRequest(writer, {
        requestedOplockLevel: random.pick([0, 1, 8, 9, 0xff] as const),
        impersonationLevel: random.below(5),
        desiredAccess: random.pick([FILE_ALL, 0x02000000, 0x00010080, 0x80000000, 0x01000000, 1, 0] as const),
        fileAttributes: random.pick([0, 0x80, 0x10, 0x27, 0xffff] as const),
        shareAccess: random.below(9),
        createDisposition: random.below(7),
        createOptions: random.pick([0, 1, 0x40, 0x1000, 0x200000, 0x2000, 0x1001] as const),
        name: random.pick(names),
        contexts,
      }),
  };
}

/** Input of a control code as its clients send it; other codes get random bytes. */
function ioctlInput(random: Random, code: number, fileId: FileId): Buffer {
  const offset = random.pick([0, 512, 4096, 65_536, 1] as const);
  const length = random.pick([512, 4096, 1_048_576, 0, 513] as const);
  const id = Buffer.alloc(16);
  id.writeBigUInt64LE(fileId.persistent, 0);
  id.writeBigUInt64LE(fileId.volatile, 8);
  const u64s = (...values: readonly number[]): Buffer => {
    const buffer = Buffer.alloc(values.length * 8);
    for (const [index, value] of values.entries()) buffer.writeBigUInt64LE(BigInt(value), index * 8);
    return buffer;
  };
  const u32s = (...values: readonly number[]): Buffer => {
    const buffer = Buffer.alloc(values.length * 4);
    for (const [index, value] of values.entries()) buffer.writeUInt32LE(value >>> 0, index * 4);
    return buffer;
  };
  switch (code) {
    case Fsctl.OFFLOAD_READ:
      return Buffer.concat([u32s(32, 0, 0, 0), u64s(offset, length)]);
    case Fsctl.OFFLOAD_WRITE: {
      const token = random.bytes(512);
      // The type of the zero token, and the length that every token has (MS-FSCC 2.3.79).
      token.set([0xff, 0xff, 0x00, 0x01, 0, 0, 0x01, 0xf8], 0);
      return Buffer.concat([u32s(544, 0), u64s(offset, length, 0), token]);
    }
    case Fsctl.SRV_COPYCHUNK:
    case Fsctl.SRV_COPYCHUNK_WRITE: {
      const count = random.pick([0, 1, 2, 16, 256, 257] as const);
      const chunks = Array.from({ length: count }, () =>
        Buffer.concat([u64s(offset, offset + length), u32s(length, 0)]),
      );
      return Buffer.concat([random.bytes(24), u32s(count, 0), ...chunks]);
    }
    case Fsctl.DUPLICATE_EXTENTS_TO_FILE:
      return Buffer.concat([id, u64s(offset, offset + length, length)]);
    case Fsctl.DUPLICATE_EXTENTS_TO_FILE_EX:
      return Buffer.concat([u64s(48), id, u64s(offset, offset + length, length), u32s(0, 0)]);
    case Fsctl.SET_ZERO_DATA:
    case Fsctl.QUERY_ALLOCATED_RANGES:
      return u64s(offset, offset + length);
    case Fsctl.FILE_LEVEL_TRIM:
      return Buffer.concat([u32s(0, 1), u64s(offset, length)]);
    case Fsctl.SET_SPARSE:
      return Buffer.from([random.below(3)]);
    case Fsctl.VALIDATE_NEGOTIATE_INFO:
      return Buffer.concat([u32s(0x7f), random.bytes(16), Buffer.from([1, 0, 2, 0, 2, 2, 0x10, 2])]);
    case Fsctl.SET_REPARSE_POINT:
      return Buffer.concat([u32s(0xa000000c, 20), u32s(0, 0), random.bytes(12)]);
    case Fsctl.PIPE_TRANSCEIVE:
      return rpcBind();
    case Fsctl.LMR_REQUEST_RESILIENCY:
      return u32s(1000, 0);
    default:
      return random.bytes(random.below(64));
  }
}

/** A bind of srvsvc (C706 12.6.4.3). */
export function rpcBind(): Buffer {
  return Buffer.from(
    "05000b03100000004800000001000000b810b810000000000100000000000100" +
      "c84f324b7016d30112785a47bf6ee18803000000045d888aeb1cc9119fe808002b10486002000000",
    "hex",
  );
}

function ioctl(random: Random, fileId: FileId): Template {
  const code = random.pick(Object.values(Fsctl)) ?? Fsctl.OFFLOAD_READ;
  return {
    command: Command.IOCTL,
    encode: (writer) =>
      encodeIoctlRequest(writer, {
        ctlCode: code,
        fileId,
        input: ioctlInput(random, code, fileId),
        maxInputResponse: 0,
        outputCount: 0,
        maxOutputResponse: random.pick([65_536, 1024, 24, 12, 0] as const),
        flags: random.oneIn(20) ? 0 : 1,
      }),
  };
}

/** Input of SET_INFO: the structures whose inner lengths and offsets matter (MS-FSCC 2.4, 2.5, MS-DTYP 2.4.6). */
function setInfoInput(random: Random, infoType: number, fileInfoClass: number): Buffer {
  if (infoType === 3) return Buffer.from("0100048000000000000000000000000014000000020008000000000000", "hex");
  switch (fileInfoClass) {
    case 10:
    case 11: {
      const name = Buffer.from(random.pick(names), "utf16le");
      const head = Buffer.alloc(20);
      head.writeUInt8(random.below(2), 0);
      head.writeUInt32LE(name.length, 16);
      return Buffer.concat([head, name]);
    }
    case 15:
      return Buffer.concat([Buffer.from("000000000003010041424300", "hex"), random.bytes(8)]);
    case 13:
      return Buffer.from([random.below(2)]);
    case 4:
      return Buffer.alloc(40);
    default: {
      const size = Buffer.alloc(8);
      size.writeUInt32LE(random.below(1 << 20), 0);
      return size;
    }
  }
}

function info(random: Random, fileId: FileId, set: boolean): Template {
  const infoType = random.pick([1, 1, 1, 2, 3, 4] as const);
  const fileInfoClass = infoType === 1 ? random.between(1, 76) : infoType === 2 ? random.between(1, 12) : 0;
  const additionalInformation = infoType === 3 ? random.pick([0xf, 7, 4, 0xffffffff] as const) : 0;
  if (set) {
    return {
      command: Command.SET_INFO,
      encode: (writer) =>
        encodeSetInfoRequest(writer, {
          infoType,
          fileInfoClass,
          additionalInformation,
          fileId,
          input: setInfoInput(random, infoType, fileInfoClass),
        }),
    };
  }
  return {
    command: Command.QUERY_INFO,
    encode: (writer) =>
      encodeQueryInfoRequest(writer, {
        infoType,
        fileInfoClass,
        outputBufferLength: random.pick([65_536, 1024, 56, 8, 0] as const),
        additionalInformation,
        flags: random.below(8),
        fileId,
        input: random.oneIn(3) ? random.bytes(random.below(48)) : empty,
      }),
  };
}

function lock(random: Random, fileId: FileId): Template {
  const locks = Array.from({ length: random.between(1, 4) }, () => ({
    offset: BigInt(random.below(4096)),
    length: BigInt(random.below(4096)),
    // Always with FAIL_IMMEDIATELY, so that no lock of the fuzzer waits for another.
    flags: random.pick([0x11, 0x12, 0x04, 0x10] as const),
  }));
  return {
    command: Command.LOCK,
    encode: (writer) =>
      encodeLockRequest(writer, {
        lockSequenceNumber: random.below(16),
        lockSequenceIndex: random.below(65),
        fileId,
        locks,
      }),
  };
}

type Maker = (random: Random, fileId: FileId) => Template;

const makers: readonly [Maker, ...Maker[]] = [
  create,
  create,
  ioctl,
  ioctl,
  ioctl,
  (random, fileId) => info(random, fileId, false),
  (random, fileId) => info(random, fileId, true),
  lock,
  (random, fileId) => ({
    command: Command.READ,
    encode: (writer) =>
      encodeReadRequest(writer, {
        padding: 0x50,
        flags: 0,
        length: random.pick([0, 1, 4096, 65_536] as const),
        offset: BigInt(random.below(1 << 20)),
        fileId,
        minimumCount: random.below(2),
        channel: 0,
        remainingBytes: 0,
        channelInfo: empty,
      }),
  }),
  (random, fileId) => ({
    command: Command.WRITE,
    encode: (writer) =>
      encodeWriteRequest(writer, {
        offset: BigInt(random.below(1 << 20)),
        fileId,
        channel: 0,
        remainingBytes: 0,
        channelInfo: empty,
        flags: random.below(3),
        data: random.oneIn(4) ? rpcBind() : random.bytes(random.below(600)),
      }),
  }),
  (random, fileId) => ({
    command: Command.QUERY_DIRECTORY,
    encode: (writer) =>
      encodeQueryDirectoryRequest(writer, {
        fileInformationClass: random.pick([1, 2, 3, 12, 37, 38, 50, 60] as const),
        flags: random.below(32),
        fileIndex: 0,
        fileId,
        fileName: random.pick(["*", "*.*", "fuzz.bin", "<.>", '"', "?", "", "a*b*c*d*e*f*g"] as const),
        outputBufferLength: random.pick([65_536, 1024, 100, 0] as const),
      }),
  }),
  (random, fileId) => ({
    command: Command.CHANGE_NOTIFY,
    encode: (writer) =>
      encodeChangeNotifyRequest(writer, {
        flags: random.below(2),
        outputBufferLength: random.pick([4096, 0, 16] as const),
        fileId,
        completionFilter: random.pick([0xfff, 0, 1] as const),
      }),
  }),
  (_random, fileId) => ({ command: Command.FLUSH, encode: (writer) => encodeFlushRequest(writer, { fileId }) }),
  (random, fileId) => ({
    command: Command.CLOSE,
    encode: (writer) => encodeCloseRequest(writer, { flags: random.below(2), fileId }),
  }),
  (random, fileId) => ({
    command: Command.OPLOCK_BREAK,
    encode: (writer) =>
      encodeOplockBreakRequest(
        writer,
        random.oneIn(2)
          ? { kind: "oplock", oplockLevel: random.pick([0, 1, 8, 9] as const), fileId }
          : { kind: "lease", leaseKey: random.bytes(16), leaseState: random.below(8) },
      ),
  }),
  (random) => ({
    command: Command.TREE_CONNECT,
    encode: (writer) =>
      encodeTreeConnectRequest(writer, {
        flags: 0,
        path: random.pick(["\\\\server\\data", "\\\\server\\IPC$", "\\\\server\\nowhere", "data", "\\\\"] as const),
        contexts: [],
      }),
  }),
  () => ({ command: Command.CANCEL, encode: encodeCancelRequest }),
];

/** A well-formed request on an open of a session. */
export function makeTemplate(random: Random, fileId: FileId): Template {
  return random.pick(makers)(random, fileId);
}
