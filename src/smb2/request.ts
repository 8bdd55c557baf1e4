// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";
import type { Chain } from "./chain.ts";
import type { Connection } from "./connection.ts";
import type { Signer } from "./crypto/signing.ts";
import type { Smb2Server } from "./server.ts";
import type { FileOpen, Open, PipeOpen } from "./state/open.ts";
import type { Session } from "./state/session.ts";
import type { TreeConnect } from "./state/tree-connect.ts";
import { HeaderFlag } from "./wire/constants.ts";
import type { Reader, Writer } from "./wire/cursor.ts";
import type { FileId } from "./wire/file-id.ts";
import type { Header } from "./wire/header.ts";

/** One SMB2 request on its way through the server, and the response that grows meanwhile. */
export class Request {
  readonly chain: Chain;
  readonly header: Header;
  /** The bytes of this message alone, from its header on. */
  readonly reader: Reader;
  /** NTSTATUS of the response; a handler sets it where a body goes out with a warning. */
  status: number = NtStatus.SUCCESS;
  /** Data that follow the body in a buffer of their own (READ). */
  data: Buffer | undefined;
  /** The connection's buffer that `data` are in, where it has lent one. */
  lent: Buffer | undefined;
  /** ErrorData of the error response, where the status has any (MS-SMB2 2.2.2.2). */
  errorData: Buffer | undefined;
  /** Position of the response header in the writer. */
  start = 0;
  /** Nonzero once the client has been told STATUS_PENDING. */
  asyncId = 0n;
  /** Key in the connection's list of waiting requests, 0 where it is not in it. */
  asyncKey = 0n;
  creditsGranted = 0;
  /** Goes on when its connection is lost while the session has others: the client will ask again on one of them. */
  outlivesChannel = false;
  /** What the handle's `ChannelSequence` counts the request under, -1 where it does not. */
  channelGeneration = -1;
  /** Overrides the session's signer: the binding of a channel signs with keys of its own. */
  responseSigner: Signer | undefined;
  /** Sees the response's bytes just before they are sent. */
  onResponse: ((message: readonly Buffer[]) => void) | undefined;
  #session: Session | undefined;
  #tree: TreeConnect | undefined;
  #open: Open | undefined;
  #cancel: (() => void) | undefined;
  #cancelled = false;

  constructor(chain: Chain, header: Header, reader: Reader) {
    this.chain = chain;
    this.header = header;
    this.reader = reader;
  }

  /** The body of the response goes here; the chain has left room for the header. */
  get writer(): Writer {
    return this.chain.writer;
  }

  get connection(): Connection {
    return this.chain.connection;
  }

  get server(): Smb2Server {
    return this.chain.connection.server;
  }

  /** The message came inside of an SMB2 TRANSFORM_HEADER. */
  get isEncrypted(): boolean {
    return this.chain.encryptedBy !== undefined;
  }

  get isSigned(): boolean {
    return (this.header.flags & HeaderFlag.SIGNED) !== 0;
  }

  get isRelated(): boolean {
    return (this.header.flags & HeaderFlag.RELATED_OPERATIONS) !== 0;
  }

  /** The client has sent it before and did not see the answer (MS-SMB2 2.2.1.2). */
  get isReplay(): boolean {
    return (this.header.flags & HeaderFlag.REPLAY_OPERATION) !== 0;
  }

  get hasSession(): boolean {
    return this.#session !== undefined;
  }

  get session(): Session {
    if (this.#session === undefined) throw new SmbError(NtStatus.USER_SESSION_DELETED);
    return this.#session;
  }

  set session(session: Session | undefined) {
    this.#session = session;
  }

  get tree(): TreeConnect {
    if (this.#tree === undefined) throw new SmbError(NtStatus.NETWORK_NAME_DELETED);
    return this.#tree;
  }

  get maybeTree(): TreeConnect | undefined {
    return this.#tree;
  }

  set tree(tree: TreeConnect | undefined) {
    this.#tree = tree;
  }

  get open(): Open {
    if (this.#open === undefined) throw new SmbError(NtStatus.FILE_CLOSED);
    return this.#open;
  }

  set open(open: Open | undefined) {
    this.#open = open;
  }

  get maybeOpen(): Open | undefined {
    return this.#open;
  }

  /** The handle of a file or directory. @throws SmbError INVALID_DEVICE_REQUEST for a pipe */
  get fileOpen(): FileOpen {
    const open = this.open;
    if (open.kind !== "file") throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
    return open;
  }

  get pipeOpen(): PipeOpen {
    const open = this.open;
    if (open.kind !== "pipe") throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
    return open;
  }

  /** Tells the rest of a related compound which handle this request produced or used. */
  publishFileId(fileId: FileId): void {
    this.chain.fileId = fileId;
  }

  /**
   * Sends the interim response STATUS_PENDING (MS-SMB2 3.3.4.2), where that has not been done yet, and lets CANCEL and the end of
   * the connection reach the operation. `cancel` runs at most once, and at once where the client has gone already.
   * @throws SmbError INSUFFICIENT_RESOURCES too many requests of this connection are pending
   */
  goAsync(cancel: () => void): void {
    this.#cancel = cancel;
    if (this.asyncKey === 0n) this.chain.goAsync(this);
    if (this.#cancelled) this.#runCancel();
  }

  /**
   * Sends STATUS_PENDING for an operation that takes long, and cannot be ended before it has come to its own end. Does nothing
   * where the client expects no such answer: for commands outside of a tree connect, and inside of a compound, whose
   * responses many clients expect together.
   */
  announce(): void {
    if (this.#tree === undefined || this.asyncKey !== 0n || !this.chain.isAlone || this.connection.isClosed) return;
    try {
      this.chain.goAsync(this);
    } catch (error) {
      // Too many are pending already: this one is answered without being announced.
      if (!(error instanceof SmbError)) throw error;
    }
  }

  /** It waits for something else, and ends as soon as it is cancelled. */
  get isWaiting(): boolean {
    return this.#cancel !== undefined;
  }

  /** CANCEL, or the end of the connection, session or handle. */
  cancel(): void {
    this.#cancelled = true;
    this.#runCancel();
  }

  get isCancelled(): boolean {
    return this.#cancelled;
  }

  #runCancel(): void {
    const cancel = this.#cancel;
    this.#cancel = undefined;
    cancel?.();
  }
}
