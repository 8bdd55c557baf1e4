// SPDX-License-Identifier: Apache-2.0

import type { Awaitable } from "../nt/awaitable.ts";
import { fileTimeFromMilliseconds } from "../nt/filetime.ts";
import { NtStatus, SmbError } from "../nt/status.ts";
import { commandTable } from "./commands/table.ts";
import type { Connection } from "./connection.ts";
import { type Signer, SigningAlgorithm } from "./crypto/signing.ts";
import { statusOf } from "./failure.ts";
import type { Request } from "./request.ts";
import type { FileOpen } from "./state/open.ts";
import type { Session } from "./state/session.ts";
import { Command, Dialect } from "./wire/constants.ts";
import { MalformedPacketError } from "./wire/cursor.ts";
import type { FileId } from "./wire/file-id.ts";
import type { Header } from "./wire/header.ts";

/** Bytes that a request has at most where its payload is not what it is for, or one credit pays for all of it. */
const MAX_SMALL_REQUEST = 68 * 1024;

/**
 * Judges what ends the connection instead of being answered: a request before the dialect is settled, too long a message
 * (MS-SMB2 3.3.5.2, 3.3.5.2.2).
 * @throws MalformedPacketError
 */
export function verifyMessage({ dialect, supportsMultiCredit }: Connection, { command }: Header, length: number): void {
  if ((dialect === 0 || dialect === Dialect.WILDCARD) && command !== Command.NEGOTIATE) {
    throw new MalformedPacketError(`command ${command} before the negotiation`);
  }
  const mayBeLarge = supportsMultiCredit && commandTable[command]?.payload !== undefined;
  if (length > MAX_SMALL_REQUEST && !mayBeLarge) {
    throw new MalformedPacketError(`${length} bytes of command ${command}`);
  }
}

/**
 * Runs one request: the checks that all commands share (MS-SMB2 3.3.5.2), then its handler. Never throws and never
 * rejects: whatever goes wrong becomes an error response.
 */
export function dispatch(request: Request): Awaitable<void> {
  try {
    const result = verifyAndHandle(request);
    if (result instanceof Promise) {
      return result.then(
        () => release(request),
        (error: unknown) => {
          fail(request, error);
          return release(request);
        },
      );
    }
  } catch (error) {
    fail(request, error);
  }
  return release(request);
}

function fail(request: Request, error: unknown): void {
  if (error instanceof MalformedPacketError) {
    request.server.context.log.debug(
      { client: request.connection.remoteAddress, command: request.header.command, reason: error.message },
      "malformed request",
    );
    request.chain.fail(request, NtStatus.INVALID_PARAMETER);
    return;
  }
  request.chain.fail(request, statusOf(error, request));
}

/** While a request runs, its file stays open below, even when the client closes the handle. */
function release(request: Request): Awaitable<void> {
  const open = request.maybeOpen;
  if (open?.kind !== "file") return;
  if (request.channelGeneration >= 0) open.channelSequence.end(request.channelGeneration);
  return open.tree.files?.release(open.file);
}

function verifyAndHandle(request: Request): Awaitable<void> {
  const { header, chain, connection } = request;
  const row = commandTable[header.command];
  if (row === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (request.isRelated) {
    chain.follow(header);
  } else {
    chain.startOver();
  }
  chain.sessionId = header.sessionId;
  const needsSession = row.session === "named" ? namesSession(request) : row.session;
  verifySession(request, needsSession, row.unauthenticated === true);
  if (row.tree) verifyTree(request);
  chain.treeId = header.treeId;

  const message = row.decode(request.reader, connection);
  const payload = row.payload?.(message);
  if (payload !== undefined) verifyCreditCharge(request, payload);
  if (row.fileId !== undefined) {
    const fileId = row.fileId(message);
    if (fileId !== undefined) lookUpOpen(request, fileId);
  } else if (!request.isRelated) {
    chain.fileId = undefined;
  }
  if (payload !== undefined) chain.reserve(payload);
  return row.handle(request, message);
}

/** MS-SMB2 3.3.5.17. */
function namesSession(request: Request): boolean {
  return request.isSigned || (!request.isEncrypted && request.header.sessionId !== 0n);
}

/** MS-SMB2 3.3.5.2.9, 3.3.5.2.4, and 3.3.5.2.1 for messages that should have been encrypted. */
function verifySession(request: Request, needed: boolean, unauthenticated: boolean): void {
  const { header, connection, chain } = request;
  // A related request needs the session of the one before (MS-SMB2 3.3.5.2.7.2).
  if (request.isRelated && needed && chain.session === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const session = connection.sessions.get(header.sessionId);
  if (session === undefined) {
    signForStranger(request);
    if (
      needed ||
      (request.isSigned && header.command !== Command.SESSION_SETUP && header.command !== Command.NEGOTIATE)
    ) {
      throw new SmbError(NtStatus.USER_SESSION_DELETED);
    }
    return;
  }
  if (header.command === Command.NEGOTIATE) return;
  request.session = session;
  session.lastUsed = request.server.context.clock.now();
  chain.session = session;
  const hasKeys = session.state === "valid" || session.state === "expired";
  if (hasKeys && !isProtected(request, session)) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (!needed) return;
  expireSession(request, session);
  if (session.state === "valid") return;
  const mayGoOn = session.state === "expired" || session.state === "in-progress";
  if (mayGoOn && unauthenticated) return;
  throw new SmbError(session.state === "expired" ? NtStatus.NETWORK_SESSION_EXPIRED : NtStatus.USER_SESSION_DELETED);
}

/**
 * A session that is not bound to this connection: its client is told so, in an answer that it can trust, where it has
 * proved to know the key.
 */
function signForStranger(request: Request): void {
  if (!request.isSigned || request.isEncrypted) return;
  const { header, server, connection } = request;
  const elsewhere = server.sessions.get(header.sessionId);
  // Who has listened can send a request again on a connection of his own. With AES-GMAC a second answer to its MessageId gives
  // the key away. Nothing is left to protect where other connections were bound: their requests are answered so by design.
  if (elsewhere?.signingAlgorithm === SigningAlgorithm.AES_GMAC && !elsewhere.hasSignedBindings) return;
  const signer = elsewhere?.channels.values().next().value?.signer ?? connection.departedSigner(header.sessionId);
  if (signer?.verify([request.reader.buffer])) request.responseSigner = signer;
}

function expireSession(request: Request, session: Session): void {
  if (session.expires === undefined || session.state !== "valid") return;
  const now = fileTimeFromMilliseconds(request.server.context.clock.now());
  if (now >= session.expires) session.state = "expired";
}

/**
 * Whether a CANCEL is from the client of its session. It has no response, so that one that is not has no effect (MS-SMB2
 * 3.3.5.2.4, 3.3.5.16).
 */
export function isGenuineCancel(request: Request): boolean {
  const session = request.connection.sessions.get(request.header.sessionId);
  return session !== undefined && isProtected(request, session);
}

/** Whether a request is signed or encrypted as its session asks for (MS-SMB2 3.3.5.2.4, 3.3.5.2.9). */
function isProtected(request: Request, session: Session): boolean {
  if (request.isEncrypted) return true;
  const { connection } = request;
  const isSessionSetup = request.header.command === Command.SESSION_SETUP;
  if (request.isSigned) {
    const channel = session.channels.get(connection);
    if (channel === undefined || !session.canSign) return isSessionSetup;
    if (!isSignedBy(channel.signer, request)) {
      request.server.context.log.warn(
        { client: connection.remoteAddress, command: request.header.command },
        "a request has a wrong signature",
      );
      return false;
    }
  } else if (session.signingRequired) {
    return false;
  }
  // SESSION_SETUP is never encrypted; a signature does not stand in for the encryption of all others.
  return !session.encryptData || isSessionSetup;
}

function isSignedBy(signer: Signer, { chain, reader }: Request): boolean {
  const { verified } = chain;
  if (verified?.kind === "verified" && verified.by === signer) return verified.valid;
  return signer.verify([reader.buffer]);
}

/** MS-SMB2 3.3.5.2.11. */
function verifyTree(request: Request): void {
  const { header, chain } = request;
  if (request.isRelated && header.treeId === 0 && chain.tree === undefined) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  const tree = request.session.trees.get(header.treeId);
  if (tree === undefined || tree.closing) throw new SmbError(NtStatus.NETWORK_NAME_DELETED);
  request.tree = tree;
  if (tree.encryptData && !request.isEncrypted && request.connection.dialect >= Dialect.SMB_3_0) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  chain.tree = tree;
}

/** MS-SMB2 3.3.5.2.5: a credit pays for 64 KiB of payload, in whichever direction there is more. */
function verifyCreditCharge(request: Request, payload: number): void {
  const { connection, header } = request;
  if (!connection.supportsMultiCredit) return;
  const needed = payload === 0 ? 1 : Math.floor((payload - 1) / 65_536) + 1;
  if (Math.max(header.creditCharge, 1) < needed) throw new SmbError(NtStatus.INVALID_PARAMETER);
}

/** Finds the handle that a request names; a related one has that of the request before, whatever it names (MS-SMB2 3.3.5.2.7.2). */
function lookUpOpen(request: Request, named: FileId): void {
  const { chain } = request;
  const fileId = request.isRelated ? chain.fileId : named;
  if (fileId === undefined) {
    // Where the request that was to provide the handle failed, all that depend on it fail alike.
    const failed = chain.previousStatus >= 0xc0000000;
    throw new SmbError(failed ? (chain.previousStatus as NtStatus) : NtStatus.INVALID_HANDLE);
  }
  const open = request.session.opens.get(fileId.volatile);
  if (open === undefined || open.closing || open.persistentId !== fileId.persistent || open.tree !== request.tree) {
    throw new SmbError(NtStatus.FILE_CLOSED);
  }
  request.open = open;
  chain.fileId = fileId;
  if (open.kind !== "file") return;
  open.file.holds++;
  open.isReplayEligible = false;
  if (request.connection.dialect >= Dialect.SMB_3_0) verifyChannelSequence(request, open);
}

/** MS-SMB2 3.3.5.2.10: what changes a file may not run beside, or after, a request that it takes the place of. */
function verifyChannelSequence(request: Request, open: FileOpen): void {
  const { command, channelSequence } = request.header;
  request.channelGeneration = open.channelSequence.begin(channelSequence, request.isReplay);
  if (request.channelGeneration >= 0) return;
  if (command === Command.WRITE || command === Command.SET_INFO || command === Command.IOCTL) {
    throw new SmbError(NtStatus.FILE_NOT_AVAILABLE);
  }
}
