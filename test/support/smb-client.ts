// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../src/nt/status.ts";
import { cipherKeyLength, createMessageCipher, type MessageCipher } from "../../src/smb2/crypto/encryption.ts";
import {
  type SessionKeys as DerivedKeys,
  deriveSessionKeys,
  deriveSigningKey,
} from "../../src/smb2/crypto/key-derivation.ts";
import type { PreauthHash } from "../../src/smb2/crypto/preauth.ts";
import { createSigner, type Signer } from "../../src/smb2/crypto/signing.ts";
import { type CloseResponse, decodeCloseResponse } from "../../src/smb2/wire/close.ts";
import {
  CloseFlag,
  Command,
  CreateDisposition,
  CreateOption,
  Dialect,
  LockFlag,
  SecurityMode,
  SessionFlag,
  SessionSetupFlag,
  ShareFlag,
} from "../../src/smb2/wire/constants.ts";
import { type CreateRequest, type CreateResponse, decodeCreateResponse } from "../../src/smb2/wire/create.ts";
import { type FileId, NO_FILE_ID } from "../../src/smb2/wire/file-id.ts";
import { decodeIoctlResponse, type IoctlRequest, type IoctlResponse } from "../../src/smb2/wire/ioctl.ts";
import type { LockElement } from "../../src/smb2/wire/lock.ts";
import { decodeOutputBuffer } from "../../src/smb2/wire/output-buffer.ts";
import type { QueryDirectoryRequest } from "../../src/smb2/wire/query-directory.ts";
import type { QueryInfoRequest } from "../../src/smb2/wire/query-info.ts";
import { decodeReadResponse, type ReadRequest } from "../../src/smb2/wire/read.ts";
import { decodeSessionSetupResponse, encodeSessionSetupRequest } from "../../src/smb2/wire/session-setup.ts";
import type { SetInfoRequest } from "../../src/smb2/wire/set-info.ts";
import {
  decodeTreeConnectResponse,
  type TreeConnectContext,
  type TreeConnectResponse,
} from "../../src/smb2/wire/tree-connect.ts";
import { decodeWriteResponse, type WriteRequest } from "../../src/smb2/wire/write.ts";
import { NtlmClient, type NtlmClientOptions } from "./ntlm-client.ts";
import {
  type Call,
  ClientError,
  type Reply,
  type RequestOptions,
  type SessionKeys,
  type SmbConnection,
  StatusError,
  succeeded,
} from "./smb-connection.ts";
import { type RequestBody, requests } from "./smb-requests.ts";

export interface LogOnOptions {
  readonly securityMode?: number;
  readonly previousSessionId?: bigint;
  readonly flags?: number;
  readonly ntlm?: Partial<NtlmClientOptions>;
  /** Encrypt everything, whether or not the server asks for it. */
  readonly encrypt?: boolean;
  /** Sign everything, whether or not the server asks for it. */
  readonly sign?: boolean;
  /** Session id of the first request, for sessions made up by a test. */
  readonly sessionId?: bigint;
}

export interface Account {
  readonly userName: string;
  readonly password: string;
}

const EMPTY = Buffer.alloc(0);

/** Options of a request on a session; the connection is the session's first one unless another channel is named. */
export interface SessionRequestOptions extends Omit<RequestOptions, "session"> {
  readonly connection?: SmbConnection | undefined;
}

/** A SESSION_SETUP exchange that can be stopped between its steps. */
export class LogOn {
  readonly connection: SmbConnection;
  readonly ntlm: NtlmClient;
  readonly preauth: PreauthHash;
  sessionId: bigint;
  readonly #options: LogOnOptions;
  readonly #request: RequestOptions;
  readonly #hashes: boolean;
  #token: Buffer | undefined;

  constructor(connection: SmbConnection, account: Account, options: LogOnOptions = {}, existing?: SmbSession) {
    this.connection = connection;
    this.#options = options;
    this.ntlm = new NtlmClient({ ...account, ...options.ntlm });
    this.preauth = connection.preauth.fork();
    this.sessionId = options.sessionId ?? existing?.sessionId ?? 0n;
    this.#token = this.ntlm.first();
    const binding = ((options.flags ?? 0) & SessionSetupFlag.BINDING) !== 0;
    this.#hashes = connection.dialect === Dialect.SMB_3_1_1;
    this.#request =
      existing === undefined
        ? {}
        : binding
          ? { session: { ...keysOf(existing), signerOn: () => existing.bindingSigner }, sign: true, verify: false }
          : existing.defaults({ connection });
  }

  /** Sends the next token. The caller judges the status. */
  async step(): Promise<Reply> {
    const securityBuffer = this.#token;
    if (securityBuffer === undefined) throw new ClientError("the client has no further token");
    const options = this.#options;
    const body: RequestBody = {
      command: Command.SESSION_SETUP,
      payload: 0,
      encode: (writer) =>
        encodeSessionSetupRequest(writer, {
          flags: options.flags ?? 0,
          securityMode: options.securityMode ?? this.connection.clientSecurityMode,
          capabilities: 0,
          previousSessionId: options.previousSessionId ?? 0n,
          securityBuffer,
        }),
    };
    const header = { ...this.#request.header, sessionId: this.sessionId };
    const call = this.connection.submit(body, { ...this.#request, header });
    const reply = await call.reply;
    this.sessionId = reply.header.sessionId;
    if (this.#hashes) {
      this.preauth.update(call.message);
      if (reply.status === NtStatus.MORE_PROCESSING_REQUIRED) this.preauth.update(reply.message);
    }
    if (reply.status === NtStatus.SUCCESS || reply.status === NtStatus.MORE_PROCESSING_REQUIRED) {
      const { securityBuffer: token } = decodeSessionSetupResponse(reply.reader);
      this.#token = token.length === 0 ? undefined : await this.ntlm.next(token);
    }
    return reply;
  }

  /** All steps. @throws StatusError */
  async run(): Promise<Reply> {
    for (;;) {
      const reply = await this.step();
      if (reply.status === NtStatus.SUCCESS) return reply;
      if (reply.status !== NtStatus.MORE_PROCESSING_REQUIRED) throw new StatusError(reply);
    }
  }
}

function keysOf(session: SmbSession): SessionKeys {
  return {
    sessionId: session.sessionId,
    cipher: session.cipher,
    signerOn: (connection) => session.signerOn(connection),
  };
}

/** Logs a user on. @throws StatusError */
export async function logOn(
  connection: SmbConnection,
  account: Account,
  options: LogOnOptions = {},
): Promise<SmbSession> {
  const exchange = new LogOn(connection, account, options);
  const reply = await exchange.run();
  return new SmbSession(exchange, reply, options);
}

/** An authenticated session, on one connection or several. */
export class SmbSession implements SessionKeys {
  readonly connection: SmbConnection;
  readonly sessionId: bigint;
  /** `SessionFlag` bits. */
  readonly flags: number;
  readonly cipher: MessageCipher | undefined;
  readonly sessionKey: Buffer;
  /** What was derived from `sessionKey`; nothing in sessions without a user. */
  readonly keys: DerivedKeys | undefined;
  /** What the session's first channel signs with: binding requests are signed with it. */
  readonly bindingSigner: Signer | undefined;
  encrypt: boolean;
  sign: boolean;
  readonly #signers = new Map<SmbConnection, Signer>();

  /** Derives the keys and verifies the final SESSION_SETUP response (MS-SMB2 3.2.5.3.1). */
  constructor(exchange: LogOn, reply: Reply, options: LogOnOptions) {
    const { connection } = exchange;
    this.connection = connection;
    this.sessionId = exchange.sessionId;
    reply.reader.seek(64);
    this.flags = decodeSessionSetupResponse(reply.reader).sessionFlags;
    this.sessionKey = exchange.ntlm.sessionKey;
    const isUser = (this.flags & (SessionFlag.IS_GUEST | SessionFlag.IS_NULL)) === 0;
    if (isUser) {
      const { cipher, dialect } = connection;
      const keys = deriveSessionKeys({
        dialect,
        sessionKey: this.sessionKey,
        fullSessionKey: this.sessionKey,
        preauthHash: dialect === Dialect.SMB_3_1_1 ? exchange.preauth.value : undefined,
        cipherKeyLength: cipher === undefined ? undefined : cipherKeyLength(cipher),
      });
      this.keys = keys;
      this.bindingSigner = createSigner(connection.signingAlgorithm, keys.signingKey, "client");
      this.#signers.set(connection, this.bindingSigner);
      if (cipher !== undefined && keys.serverIn !== undefined && keys.serverOut !== undefined) {
        this.cipher = createMessageCipher({ cipher, encryptionKey: keys.serverIn, decryptionKey: keys.serverOut });
      }
      if (!reply.signed) throw new ClientError("the final SESSION_SETUP response is not signed");
      if (!this.bindingSigner.verify([reply.message])) {
        throw new ClientError("wrong signature of the final SESSION_SETUP response");
      }
    }
    connection.sessions.set(this.sessionId, this);
    const modes = (options.securityMode ?? connection.clientSecurityMode) | serverSecurityMode(connection);
    this.encrypt = options.encrypt ?? (this.flags & SessionFlag.ENCRYPT_DATA) !== 0;
    this.sign = options.sign ?? (isUser && (modes & SecurityMode.SIGNING_REQUIRED) !== 0);
  }

  signerOn(connection: SmbConnection): Signer | undefined {
    return this.#signers.get(connection);
  }

  defaults(options: SessionRequestOptions = {}): RequestOptions {
    const encrypt = options.encrypt ?? this.encrypt;
    return { ...options, session: this, encrypt, sign: options.sign ?? (this.sign && !encrypt) };
  }

  submit(body: RequestBody, options: SessionRequestOptions = {}): Call {
    return (options.connection ?? this.connection).submit(body, this.defaults(options));
  }

  exchange(body: RequestBody, options: SessionRequestOptions = {}): Promise<Reply> {
    return this.submit(body, options).reply;
  }

  /** Logs the same user on again, with the keys that the session has. @throws StatusError */
  async reauthenticate(account: Account, options: LogOnOptions = {}): Promise<Reply> {
    return new LogOn(this.connection, account, options, this).run();
  }

  /** Binds the session to a second connection (MS-SMB2 3.2.4.2.3). @throws StatusError */
  async bind(connection: SmbConnection, account: Account, options: LogOnOptions = {}): Promise<void> {
    const exchange = new LogOn(connection, account, { flags: SessionSetupFlag.BINDING, ...options }, this);
    const reply = await exchange.run();
    const { dialect } = connection;
    const signingKey = deriveSigningKey({
      dialect,
      sessionKey: exchange.ntlm.sessionKey,
      preauthHash: dialect === Dialect.SMB_3_1_1 ? exchange.preauth.value : undefined,
    });
    const signer = createSigner(connection.signingAlgorithm, signingKey, "client");
    if (!reply.signed || !signer.verify([reply.message])) {
      throw new ClientError("the final response of a binding is not signed with the channel's key");
    }
    this.#signers.set(connection, signer);
    connection.sessions.set(this.sessionId, this);
  }

  async logOff(options: SessionRequestOptions = {}): Promise<void> {
    succeeded(await this.exchange(requests.logoff(), options));
  }

  /** Connects to `\\server\share`; signed in 3.1.1, as servers insist. @throws StatusError */
  async treeConnect(
    share: string,
    options: SessionRequestOptions = {},
    contexts?: readonly TreeConnectContext[],
  ): Promise<SmbTree> {
    const connection = options.connection ?? this.connection;
    const encrypt = options.encrypt ?? this.encrypt;
    const sign = (connection.dialect === Dialect.SMB_3_1_1 && this.bindingSigner !== undefined) || this.sign;
    const path = share.startsWith("\\\\") ? share : `\\\\server\\${share}`;
    const reply = succeeded(
      await this.exchange(requests.treeConnect(path, contexts), { sign: sign && !encrypt, ...options }),
    );
    return new SmbTree(this, reply.header.treeId, decodeTreeConnectResponse(reply.reader));
  }
}

function serverSecurityMode(connection: SmbConnection): number {
  return connection.negotiated?.response.securityMode ?? 0;
}

/** A tree connect. */
export class SmbTree {
  readonly session: SmbSession;
  readonly treeId: number;
  readonly response: TreeConnectResponse;
  readonly #encrypt: boolean;

  constructor(session: SmbSession, treeId: number, response: TreeConnectResponse) {
    this.session = session;
    this.treeId = treeId;
    this.response = response;
    this.#encrypt = (response.shareFlags & ShareFlag.ENCRYPT_DATA) !== 0;
  }

  defaults(options: SessionRequestOptions = {}): SessionRequestOptions {
    return { treeId: this.treeId, ...(this.#encrypt ? { encrypt: true } : {}), ...options };
  }

  submit(body: RequestBody, options: SessionRequestOptions = {}): Call {
    return this.session.submit(body, this.defaults(options));
  }

  exchange(body: RequestBody, options: SessionRequestOptions = {}): Promise<Reply> {
    return this.submit(body, options).reply;
  }

  /** Requests in one frame; all but the first are related unless `related` is false. */
  compound(bodies: readonly RequestBody[], options: SessionRequestOptions = {}): Promise<Reply[]> {
    return Promise.all(this.submitCompound(bodies, options).map((call) => call.reply));
  }

  submitCompound(bodies: readonly RequestBody[], options: SessionRequestOptions = {}): Call[] {
    const related = options.related ?? true;
    const all = this.session.defaults(this.defaults(options));
    return (options.connection ?? this.session.connection).submitCompound(
      bodies.map((body, index) => ({ body, options: { ...all, related: related && index > 0 } })),
    );
  }

  async disconnect(options: SessionRequestOptions = {}): Promise<void> {
    succeeded(await this.exchange(requests.treeDisconnect(), options));
  }

  /** @throws StatusError */
  async create(
    name: string,
    request: Partial<CreateRequest> = {},
    options: SessionRequestOptions = {},
  ): Promise<SmbFile> {
    const reply = succeeded(await this.exchange(requests.create(name, request), options));
    return new SmbFile(this, decodeCreateResponse(reply.reader));
  }

  /** A new, empty file, or the existing one emptied. */
  createFile(name: string, request: Partial<CreateRequest> = {}): Promise<SmbFile> {
    return this.create(name, { createDisposition: CreateDisposition.OVERWRITE_IF, ...request });
  }

  createDirectory(name: string, request: Partial<CreateRequest> = {}): Promise<SmbFile> {
    return this.create(name, {
      createDisposition: CreateDisposition.OPEN_IF,
      createOptions: CreateOption.DIRECTORY_FILE,
      ...request,
    });
  }

  /** A file with this content, closed again. */
  async put(name: string, content: Buffer | string): Promise<void> {
    const file = await this.createFile(name);
    const data = Buffer.from(content);
    if (data.length > 0) await file.write(0, data);
    await file.close();
  }

  /** The whole content of a file. */
  async get(name: string): Promise<Buffer> {
    const file = await this.create(name);
    const size = Number(file.response.endOfFile);
    const content = size === 0 ? EMPTY : await file.read(0, size);
    await file.close();
    return content;
  }

  async mkdir(name: string): Promise<void> {
    await (await this.createDirectory(name)).close();
  }

  /** The status of a CREATE; what it opens is closed again. */
  async tryCreate(name: string, request: Partial<CreateRequest> = {}): Promise<number> {
    const reply = await this.exchange(requests.create(name, request));
    if (reply.status === NtStatus.SUCCESS) await new SmbFile(this, decodeCreateResponse(reply.reader)).close();
    return reply.status;
  }

  /** An FSCTL without a handle. */
  async ioctl(ctlCode: number, ioctl: Partial<IoctlRequest> = {}): Promise<IoctlResponse> {
    return decodeIoctlResponse(succeeded(await this.exchange(requests.ioctl(ctlCode, NO_FILE_ID, ioctl))).reader);
  }
}

/** An open handle of a file, directory, stream or pipe. Methods throw StatusError for anything but success. */
export class SmbFile {
  readonly tree: SmbTree;
  readonly response: CreateResponse;
  readonly fileId: FileId;

  constructor(tree: SmbTree, response: CreateResponse) {
    this.tree = tree;
    this.response = response;
    this.fileId = response.fileId;
  }

  submit(body: RequestBody, options: SessionRequestOptions = {}): Call {
    return this.tree.submit(body, options);
  }

  exchange(body: RequestBody, options: SessionRequestOptions = {}): Promise<Reply> {
    return this.tree.exchange(body, options);
  }

  async #succeed(body: RequestBody): Promise<Reply> {
    return succeeded(await this.exchange(body));
  }

  async read(offset: bigint | number, length: number, options: Partial<ReadRequest> = {}): Promise<Buffer> {
    return decodeReadResponse((await this.#succeed(requests.read(this.fileId, offset, length, options))).reader).data;
  }

  async write(offset: bigint | number, data: Buffer | string, options: Partial<WriteRequest> = {}): Promise<number> {
    const reply = await this.#succeed(requests.write(this.fileId, offset, Buffer.from(data), options));
    return decodeWriteResponse(reply.reader).count;
  }

  async flush(): Promise<void> {
    await this.#succeed(requests.flush(this.fileId));
  }

  async close(): Promise<void> {
    await this.#succeed(requests.close(this.fileId));
  }

  /** CLOSE with SMB2_CLOSE_FLAG_POSTQUERY_ATTRIB. */
  async closeWithAttributes(): Promise<CloseResponse> {
    return decodeCloseResponse((await this.#succeed(requests.close(this.fileId, CloseFlag.POSTQUERY_ATTRIB))).reader);
  }

  submitLock(...locks: readonly LockElement[]): Call {
    return this.submit(requests.lock(this.fileId, locks));
  }

  /** An exclusive lock, refused at once where another one is in the way. */
  async lock(offset: bigint | number, length: bigint | number, flags: number = LockFlag.EXCLUSIVE_LOCK): Promise<void> {
    const lock = { offset: BigInt(offset), length: BigInt(length), flags: flags | LockFlag.FAIL_IMMEDIATELY };
    await this.#succeed(requests.lock(this.fileId, [lock]));
  }

  async unlock(offset: bigint | number, length: bigint | number): Promise<void> {
    const lock = { offset: BigInt(offset), length: BigInt(length), flags: LockFlag.UNLOCK };
    await this.#succeed(requests.lock(this.fileId, [lock]));
  }

  async ioctl(ctlCode: number, input: Buffer = EMPTY, options: Partial<IoctlRequest> = {}): Promise<Buffer> {
    const reply = await this.#succeed(requests.ioctl(ctlCode, this.fileId, { input, ...options }));
    return decodeIoctlResponse(reply.reader).output;
  }

  async queryDirectory(options: Partial<QueryDirectoryRequest> & { fileInformationClass: number }): Promise<Buffer> {
    const reply = await this.#succeed(requests.queryDirectory(this.fileId, options));
    return decodeOutputBuffer(reply.reader, "QUERY_DIRECTORY response");
  }

  async queryInfo(fileInfoClass: number, options: Partial<QueryInfoRequest> = {}): Promise<Buffer> {
    const reply = await this.#succeed(requests.queryInfo(this.fileId, fileInfoClass, options));
    return decodeOutputBuffer(reply.reader, "QUERY_INFO response");
  }

  async setInfo(fileInfoClass: number, input: Buffer, options: Partial<SetInfoRequest> = {}): Promise<void> {
    await this.#succeed(requests.setInfo(this.fileId, fileInfoClass, input, options));
  }
}
