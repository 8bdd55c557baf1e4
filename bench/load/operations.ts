// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../src/nt/access-mask.ts";
import { NtStatus } from "../../src/nt/status.ts";
import { CreateDisposition, CreateOption } from "../../src/smb2/wire/constants.ts";
import type { CreateRequest } from "../../src/smb2/wire/create.ts";
import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import { decodeFileId, type FileId, NO_FILE_ID } from "../../src/smb2/wire/file-id.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { encodeFileRenameInformation } from "../../src/smb2/wire/fscc/rename-info.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../src/smb2/wire/ioctl.ts";
import { decodeOutputBuffer } from "../../src/smb2/wire/output-buffer.ts";
import { chunk, copyInput } from "../../test/support/copychunk-client.ts";
import { type RequestBody, requests } from "../../test/support/smb-requests.ts";
import { type LoadConnection, type Message, ResponseOffset } from "./load-connection.ts";
import type { LoadSpec } from "./load-spec.ts";

export interface RunningLoad {
  /** Does it once. @param sequence counts the steps of the connection @returns what it counts */
  readonly step: (sequence: number) => Promise<number>;
  readonly stop?: () => Promise<void>;
}

type Start<Operation extends LoadSpec["operation"]> = (
  connection: LoadConnection,
  spec: Extract<LoadSpec, { operation: Operation }>,
  client: number,
) => Promise<RunningLoad> | RunningLoad;

const MiB = 1024 * 1024;
const EMPTY = Buffer.alloc(0);
/** Bytes of an SMB2_FILEID. */
const FILE_ID = 16;

const opening = { createDisposition: CreateDisposition.OPEN, desiredAccess: Access.FILE_GENERIC_READ };
const newFile = { createDisposition: CreateDisposition.CREATE, desiredAccess: Access.FILE_GENERIC_WRITE };
const anyFile = {
  createDisposition: CreateDisposition.OPEN_IF,
  desiredAccess: Access.FILE_GENERIC_READ | Access.FILE_GENERIC_WRITE,
};

/** By default for reading what is there. @throws Error */
export async function openFile(
  connection: LoadConnection,
  name: string,
  request: Partial<CreateRequest> = opening,
): Promise<FileId> {
  let fileId = NO_FILE_ID;
  await connection.exchange([connection.prepare(requests.create(name, request))], (message) => {
    const reader = new Reader(message);
    reader.seek(ResponseOffset.CREATE_FILE_ID);
    fileId = decodeFileId(reader);
  });
  return fileId;
}

async function send(connection: LoadConnection, body: RequestBody): Promise<void> {
  await connection.exchange([connection.prepare(body)]);
}

const close = (connection: LoadConnection, fileId: FileId) => send(connection, requests.close(fileId));

/** A WRITE request whose data follow its bytes. */
function writeMessage(connection: LoadConnection, fileId: FileId, offset: number, payload: Buffer): Message {
  const body = requests.write(fileId, offset, payload);
  return connection.prepare(
    {
      ...body,
      encode: (writer) => {
        requests.write(fileId, offset, EMPTY).encode(writer);
        writer.patchU32(DATA_LENGTH, payload.length);
      },
    },
    { payload },
  );
}

/** Length of a WRITE request, from the header on (MS-SMB2 2.2.21). */
const DATA_LENGTH = 64 + 4;

function expectLength(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`${found} bytes in place of ${wanted}`);
}

function reading(connection: LoadConnection, fileId: FileId, bytes: number, span: number): RunningLoad["step"] {
  const steps = Math.floor(span / bytes);
  return async (sequence) => {
    const request = requests.read(fileId, (sequence % steps) * bytes, bytes);
    await connection.exchange([connection.prepare(request)], (message) =>
      expectLength(message.readUInt32LE(ResponseOffset.READ_LENGTH), bytes),
    );
    return bytes;
  };
}

function writing(connection: LoadConnection, fileId: FileId, bytes: number, span: number): RunningLoad["step"] {
  const steps = Math.floor(span / bytes);
  const payload = Buffer.alloc(bytes, "data of a load ");
  return async (sequence) => {
    await connection.exchange([writeMessage(connection, fileId, (sequence % steps) * bytes, payload)], (message) =>
      expectLength(message.readUInt32LE(ResponseOffset.WRITE_COUNT), bytes),
    );
    return bytes;
  };
}

/** Room for everything, so that what is measured is not the first allocation. */
async function fill(write: RunningLoad["step"], steps: number): Promise<void> {
  for (let sequence = 0; sequence < steps; sequence += 1) await write(sequence);
}

/** By FSCTL_SRV_REQUEST_RESUME_KEY (MS-SMB2 2.2.32.3). */
async function resumeKey(connection: LoadConnection, fileId: FileId): Promise<Buffer> {
  let key: Buffer = EMPTY;
  const request = requests.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, fileId, { maxOutputResponse: 32 });
  await connection.exchange([connection.prepare(request)], (message) => {
    const reader = new Reader(message);
    reader.seek(64);
    key = Buffer.from(decodeIoctlResponse(reader).output.subarray(0, 24));
  });
  return key;
}

function countEntries(buffer: Buffer): number {
  let count = 0;
  for (let at = 0; at < buffer.length; ) {
    const next = buffer.readUInt32LE(at);
    count += 1;
    if (next === 0) break;
    at += next;
  }
  return count;
}

const nameOf = (folder: string, client: number, sequence: number, kind = "file") =>
  `${folder}\\${kind}-${client}-${sequence}`;

const starts: { readonly [Operation in LoadSpec["operation"]]: Start<Operation> } = {
  echo: (connection) => {
    const echo = [connection.prepare(requests.echo())];
    return { step: async () => connection.exchange(echo).then(() => 1) };
  },

  open: (connection, { path }) => {
    const create = [connection.prepare(requests.create(path, opening))];
    const closing = connection.prepare(requests.close());
    return {
      step: async () => {
        let fileId: Buffer = EMPTY;
        await connection.exchange(create, (message) => {
          const at = ResponseOffset.CREATE_FILE_ID;
          fileId = Buffer.from(message.subarray(at, at + FILE_ID));
        });
        // The FileId ends the request (MS-SMB2 2.2.15).
        fileId.copy(closing.bytes, closing.bytes.length - FILE_ID);
        await connection.exchange([closing]);
        return 1;
      },
    };
  },

  stat: (connection, { path }) => {
    const access = Access.READ_ATTRIBUTES | Access.READ_EA;
    const compound = [
      connection.prepare(requests.create(path, { ...opening, desiredAccess: access })),
      connection.prepare(
        requests.queryInfo(NO_FILE_ID, FileInformationClass.FileAllInformation, { outputBufferLength: 1024 }),
        { related: true },
      ),
      connection.prepare(requests.close(), { related: true }),
    ];
    return { step: async () => connection.exchange(compound).then(() => 1) };
  },

  create: (connection, { folder, bytes }, client) => {
    const data = Buffer.alloc(bytes, "small file ");
    return {
      step: async (sequence) => {
        const fileId = await openFile(connection, nameOf(folder, client, sequence), newFile);
        await connection.exchange([writeMessage(connection, fileId, 0, data)]);
        await close(connection, fileId);
        return 1;
      },
    };
  },

  rename: (connection, { folder }, client) => ({
    step: async (sequence) => {
      const target = new Writer(128);
      encodeFileRenameInformation(target, {
        replaceIfExists: false,
        rootDirectory: 0n,
        fileName: nameOf(folder, client, sequence, "renamed"),
      });
      const access = Access.DELETE | Access.READ_ATTRIBUTES;
      const source = { ...opening, desiredAccess: access };
      await connection.exchange([
        connection.prepare(requests.create(nameOf(folder, client, sequence), source)),
        connection.prepare(requests.setInfo(NO_FILE_ID, FileInformationClass.FileRenameInformation, target.view()), {
          related: true,
        }),
        connection.prepare(requests.close(), { related: true }),
      ]);
      return 1;
    },
  }),

  remove: (connection, { folder, renamed }, client) => ({
    step: async (sequence) => {
      const request = {
        ...opening,
        desiredAccess: Access.DELETE,
        createOptions: CreateOption.DELETE_ON_CLOSE,
      };
      const name = nameOf(folder, client, sequence, renamed ? "renamed" : "file");
      await connection.exchange([
        connection.prepare(requests.create(name, request)),
        connection.prepare(requests.close(), { related: true }),
      ]);
      return 1;
    },
  }),

  list: (connection, { folder, bytes }) => ({
    step: async () => {
      const request = { ...opening, createOptions: CreateOption.DIRECTORY_FILE };
      const fileId = await openFile(connection, folder, request);
      const query = [
        connection.prepare(
          requests.queryDirectory(fileId, {
            fileInformationClass: FileInformationClass.FileIdBothDirectoryInformation,
            outputBufferLength: Math.min(bytes, connection.maximumSize),
          }),
        ),
      ];
      let entries = 0;
      for (let status = 0; status !== NtStatus.NO_MORE_FILES; ) {
        status = await connection.exchange(query, (message, length) => {
          if (message.readUInt32LE(8) !== NtStatus.SUCCESS) return;
          expectLength(message.length, length);
          const reader = new Reader(message);
          reader.seek(64);
          entries += countEntries(decodeOutputBuffer(reader, "QUERY_DIRECTORY response"));
        });
      }
      await close(connection, fileId);
      return entries;
    },
  }),

  read: async (connection, { file, bytes, span }, client) => {
    const fileId = await openFile(connection, `${file}-${client}`);
    return { step: reading(connection, fileId, bytes, span), stop: () => close(connection, fileId) };
  },

  write: async (connection, { file, bytes, span }, client) => {
    const fileId = await openFile(connection, `${file}-${client}`, anyFile);
    const step = writing(connection, fileId, bytes, span);
    await fill(step, Math.floor(span / bytes));
    return { step, stop: () => close(connection, fileId) };
  },

  mixed: async (connection, { file, bytes, span }, client) => {
    const fileId = await openFile(connection, `${file}-${client}`, anyFile);
    const read = reading(connection, fileId, bytes, span);
    const write = writing(connection, fileId, bytes, span);
    return {
      step: (sequence) => (sequence % 2 === 0 ? read : write)(Math.floor(sequence / 2)),
      stop: () => close(connection, fileId),
    };
  },

  copychunk: async (connection, { source, target, span }, client) => {
    const from = await openFile(connection, source);
    const to = await openFile(connection, `${target}-${client}`, anyFile);
    const key = await resumeKey(connection, from);
    const steps = Math.floor(span / (16 * MiB));
    return {
      step: async (sequence) => {
        const start = (sequence % steps) * 16 * MiB;
        const chunks = Array.from({ length: 16 }, (_, index) => chunk(start + index * MiB, start + index * MiB, MiB));
        const input = copyInput(key, chunks);
        await send(connection, requests.ioctl(Fsctl.SRV_COPYCHUNK, to, { input, maxOutputResponse: 12 }));
        return 16 * MiB;
      },
      stop: async () => {
        await close(connection, to);
        await close(connection, from);
      },
    };
  },
};

/** Prepares a load on a connection; `client` is its number among all of them. */
export async function startLoad(connection: LoadConnection, spec: LoadSpec, client: number): Promise<RunningLoad> {
  const start = starts[spec.operation] as Start<LoadSpec["operation"]>;
  return start(connection, spec, client);
}
