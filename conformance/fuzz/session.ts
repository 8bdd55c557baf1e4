// SPDX-License-Identifier: Apache-2.0
/** A logged-on connection: changed requests are signed or encrypted after the change, so that they reach the command handlers. */

import { PREAUTH_SHA_512, PreauthHash } from "../../src/smb2/crypto/preauth.ts";
import { Command, Dialect, HeaderFlag, SecurityMode } from "../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import { encodeEchoRequest } from "../../src/smb2/wire/echo.ts";
import { decodeFileId, type FileId } from "../../src/smb2/wire/file-id.ts";
import { encodeHeader, HEADER_SIZE, HeaderOffset, NO_SIGNATURE, peekStatus } from "../../src/smb2/wire/header.ts";
import { encodeNegotiateRequest } from "../../src/smb2/wire/negotiate.ts";
import { encryptionContext, preauthIntegrityContext, signingContext } from "../../src/smb2/wire/negotiate-contexts.ts";
import { encodeSessionSetupRequest } from "../../src/smb2/wire/session-setup.ts";
import { encodeTreeConnectRequest } from "../../src/smb2/wire/tree-connect.ts";
import { NtlmClient } from "../../test/support/ntlm-client.ts";
import type { Account } from "../lib/server.ts";
import { frame } from "./mutate.ts";
import { createSeal, OFFERED_CIPHER, OFFERED_SIGNING, openSeal, type Protection, type Seal } from "./protection.ts";
import { type Answer, type Target, Wire } from "./wire.ts";

/** Identifiers of a session, which recorded and made-up requests are given. */
export interface LiveIdentifiers {
  readonly sessionId: bigint;
  /** Tree connects: the disk share and IPC$. */
  readonly diskTree: number;
  readonly pipeTree: number;
}

/** Logs on, by whatever client there is. */
export interface Connector {
  /** @throws Error when the server does not let us in */
  connect(target: Target, localAddress: string | undefined, protection: Protection): Promise<FuzzSession>;
}

const STATUS_SUCCESS = 0;
const STATUS_MORE_PROCESSING_REQUIRED = 0xc0000016;
const CREDITS = 64;

/** One connection with its next MessageId. */
export class FuzzSession {
  readonly wire: Wire;
  readonly ids: LiveIdentifiers;
  readonly protection: Protection;
  readonly #seal: Seal;
  #nextMessageId: bigint;

  constructor(wire: Wire, ids: LiveIdentifiers, protection: Protection, seal: Seal, nextMessageId: bigint) {
    this.wire = wire;
    this.ids = ids;
    this.protection = protection;
    this.#seal = seal;
    this.#nextMessageId = nextMessageId;
  }

  /** Takes the MessageIds of a request with this CreditCharge. */
  takeMessageId(creditCharge = 1): bigint {
    const id = this.#nextMessageId;
    this.#nextMessageId += BigInt(Math.max(1, creditCharge));
    return id;
  }

  /** Sends a message, whatever it holds, under the session's protection. */
  send(message: Buffer): void {
    this.wire.send(frame(undefined, this.#seal.seal(message)));
  }

  /** Sends a well-formed request and waits for its answer. */
  request(command: number, treeId: number, encode: (writer: Writer) => void): Promise<Answer> {
    const id = this.takeMessageId();
    const message = buildRequest(command, { id, treeId, sessionId: this.ids.sessionId }, encode);
    return this.wire.exchange(this.#seal.seal(message), id);
  }

  /** Whether the connection still answers: an ECHO, which every server must. */
  echo(): Promise<Answer> {
    return this.request(Command.ECHO, 0, encodeEchoRequest);
  }

  /** Opens something; `undefined` when the server refuses. */
  async open(treeId: number, encode: (writer: Writer) => void): Promise<FileId | undefined> {
    const answer = await this.request(Command.CREATE, treeId, encode);
    if (answer.kind !== "answer" || peekStatus(answer.message) !== STATUS_SUCCESS) return undefined;
    return decodeFileId(new Reader(answer.message, HEADER_SIZE + 64));
  }
}

/** One request, not signed, asking for plenty of credits. */
export function buildRequest(
  command: number,
  ids: { readonly id: bigint; readonly treeId: number; readonly sessionId: bigint },
  encode: (writer: Writer) => void,
): Buffer {
  const writer = new Writer(512);
  writer.beginMessage();
  encodeHeader(writer, {
    creditCharge: 1,
    status: 0,
    channelSequence: 0,
    command,
    credits: CREDITS,
    flags: 0,
    nextCommand: 0,
    messageId: ids.id,
    asyncId: 0n,
    processId: 0xfeff,
    treeId: ids.treeId,
    sessionId: ids.sessionId,
    signature: NO_SIGNATURE,
  });
  encode(writer);
  return Buffer.from(writer.view());
}

const UNPROTECTED_DIALECTS = [Dialect.SMB_2_0_2, Dialect.SMB_2_1, Dialect.SMB_3_0, Dialect.SMB_3_0_2];

/** A NEGOTIATE of dialects that let a session go unsigned, or of 3.1.1. */
export function buildNegotiate(clientGuid: Buffer, protection: Protection = "none"): Buffer {
  return buildRequest(Command.NEGOTIATE, { id: 0n, treeId: 0, sessionId: 0n }, (writer) =>
    encodeNegotiateRequest(writer, {
      securityMode: SecurityMode.SIGNING_ENABLED,
      capabilities: 0x7f,
      clientGuid,
      dialects: protection === "none" ? UNPROTECTED_DIALECTS : [Dialect.SMB_3_1_1],
      contexts:
        protection === "none"
          ? []
          : [
              preauthIntegrityContext({ hashAlgorithms: [PREAUTH_SHA_512], salt: Buffer.alloc(32, 1) }),
              encryptionContext([OFFERED_CIPHER]),
              signingContext([OFFERED_SIGNING]),
            ],
    }),
  );
}

async function answered(what: string, answer: Promise<Answer>, ...statuses: readonly number[]): Promise<Buffer> {
  const result = await answer;
  if (result.kind !== "answer") throw new Error(`${what}: ${result.kind}`);
  const status = peekStatus(result.message);
  if (!statuses.includes(status)) throw new Error(`${what}: status 0x${status.toString(16)}`);
  return result.message;
}

/** Logs on with NTLMSSP and connects to a disk share and to IPC$. */
export class NtlmConnector implements Connector {
  readonly #account: Account;
  readonly #share: string;
  /** A client speaks one dialect on all of its connections (MS-SMB2 3.3.5.5.3): these are three. */
  readonly #clientGuids: Readonly<Record<Protection, Buffer>>;

  constructor(account: Account, share: string, newClientGuid: () => Buffer) {
    this.#account = account;
    this.#share = share;
    this.#clientGuids = { none: newClientGuid(), signed: newClientGuid(), encrypted: newClientGuid() };
  }

  async connect(target: Target, localAddress: string | undefined, protection: Protection): Promise<FuzzSession> {
    const wire = await Wire.open(target, localAddress);
    try {
      return await this.#logOn(wire, protection);
    } catch (error) {
      wire.destroy();
      throw error;
    }
  }

  async #logOn(wire: Wire, protection: Protection): Promise<FuzzSession> {
    const preauth = new PreauthHash();
    const negotiate = buildNegotiate(this.#clientGuids[protection], protection);
    preauth.update(negotiate);
    preauth.update(await answered("NEGOTIATE", wire.exchange(negotiate, 0n), STATUS_SUCCESS));
    const client = new NtlmClient({ userName: this.#account.name, password: this.#account.password });
    let id = 1n;
    let sessionId = 0n;
    for (let token: Buffer | undefined = client.first(); token !== undefined; ) {
      const securityBuffer = token;
      const request = buildRequest(Command.SESSION_SETUP, { id, treeId: 0, sessionId }, (writer) =>
        encodeSessionSetupRequest(writer, {
          flags: 0,
          securityMode: SecurityMode.SIGNING_ENABLED,
          capabilities: 0,
          previousSessionId: 0n,
          securityBuffer,
        }),
      );
      const expected = [STATUS_SUCCESS, STATUS_MORE_PROCESSING_REQUIRED];
      preauth.update(request);
      const answer = await answered("SESSION_SETUP", wire.exchange(request, id), ...expected);
      id += 1n;
      sessionId = answer.readBigUInt64LE(HeaderOffset.SESSION_ID);
      const offset = answer.readUInt16LE(HEADER_SIZE + 4);
      const length = answer.readUInt16LE(HEADER_SIZE + 6);
      const next = await client.next(answer.subarray(offset, offset + length));
      if (peekStatus(answer) === STATUS_SUCCESS) break;
      preauth.update(answer);
      token = next;
    }
    const { sessionKey } = client;
    const seal =
      protection === "none" ? openSeal : createSeal(protection, { sessionId, sessionKey, preauthHash: preauth.value });
    wire.unseal = seal.unseal;
    const treeConnect = async (share: string): Promise<number> => {
      const request = buildRequest(Command.TREE_CONNECT, { id, treeId: 0, sessionId }, (writer) =>
        encodeTreeConnectRequest(writer, { flags: 0, path: `\\\\127.0.0.1\\${share}`, contexts: [] }),
      );
      const answer = await answered(`TREE_CONNECT ${share}`, wire.exchange(seal.seal(request), id), STATUS_SUCCESS);
      id += 1n;
      return answer.readUInt32LE(HeaderOffset.TREE_ID);
    };
    const diskTree = await treeConnect(this.#share);
    const pipeTree = await treeConnect("IPC$");
    return new FuzzSession(wire, { sessionId, diskTree, pipeTree }, protection, seal, id);
  }
}

/** Position of the FileId in each request's body (MS-SMB2 2.2.15 to 2.2.39). */
const fileIdOffsets: Readonly<Record<number, number>> = {
  [Command.CLOSE]: 8,
  [Command.FLUSH]: 8,
  [Command.READ]: 16,
  [Command.WRITE]: 16,
  [Command.LOCK]: 8,
  [Command.IOCTL]: 8,
  [Command.QUERY_DIRECTORY]: 8,
  [Command.CHANGE_NOTIFY]: 8,
  [Command.QUERY_INFO]: 24,
  [Command.SET_INFO]: 16,
  [Command.OPLOCK_BREAK]: 8,
};

/**
 * A recorded message with the identifiers of a live session in place of the recorded ones, and without its signatures.
 * `starts` are the positions of its headers. Related requests keep the FileId that stands for the open before.
 */
export function revive(
  recorded: Buffer,
  starts: readonly number[],
  session: FuzzSession,
  treeId: number,
  fileId: FileId,
): Buffer {
  const message = Buffer.from(recorded);
  for (const start of starts) {
    const command = message.readUInt16LE(start + HeaderOffset.COMMAND);
    const flags = message.readUInt32LE(start + HeaderOffset.FLAGS) & ~HeaderFlag.SIGNED;
    const charge = message.readUInt16LE(start + HeaderOffset.CREDIT_CHARGE);
    message.writeUInt32LE(flags >>> 0, start + HeaderOffset.FLAGS);
    message.fill(0, start + HeaderOffset.SIGNATURE, start + HEADER_SIZE);
    message.writeUInt16LE(CREDITS, start + HeaderOffset.CREDITS);
    message.writeBigUInt64LE(session.takeMessageId(charge), start + HeaderOffset.MESSAGE_ID);
    message.writeUInt32LE(treeId, start + HeaderOffset.TREE_ID);
    message.writeBigUInt64LE(session.ids.sessionId, start + HeaderOffset.SESSION_ID);
    const offset = fileIdOffsets[command];
    if (offset === undefined || (flags & HeaderFlag.RELATED_OPERATIONS) !== 0) continue;
    const at = start + HEADER_SIZE + offset;
    if (at + 16 > message.length) continue;
    message.writeBigUInt64LE(fileId.persistent, at);
    message.writeBigUInt64LE(fileId.volatile, at + 8);
  }
  return message;
}
