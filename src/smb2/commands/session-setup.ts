// SPDX-License-Identifier: Apache-2.0

import type { AuthStep } from "../../auth/auth.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Connection } from "../connection.ts";
import { cipherKeyLength, createMessageCipher } from "../crypto/encryption.ts";
import { deriveSessionKeys, deriveSigningKey } from "../crypto/key-derivation.ts";
import { createSigner, type Signer, SigningAlgorithm } from "../crypto/signing.ts";
import { watchIdleness } from "../idle-sessions.ts";
import type { Request } from "../request.ts";
import { type PendingAuthentication, Session } from "../state/session.ts";
import { Dialect, SecurityMode, SessionFlag, SessionSetupFlag } from "../wire/constants.ts";
import {
  decodeSessionSetupRequest,
  encodeSessionSetupResponse,
  type SessionSetupRequest,
} from "../wire/session-setup.ts";
import { command } from "./command.ts";

/** Connections that one session is bound to at most; as many as Windows takes. */
const MAX_CHANNELS = 32;

/** SMB2 SESSION_SETUP (MS-SMB2 3.3.5.5). */
export const sessionSetup = command({
  decode: decodeSessionSetupRequest,
  handle,
  session: false,
  tree: false,
});

function handle(request: Request, message: SessionSetupRequest): Awaitable<void> {
  const { connection, server, header } = request;
  const { options } = server.context;
  if (options.encryption === "required" && connection.cipher === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  const binding = (message.flags & SessionSetupFlag.BINDING) !== 0;
  if (binding && header.sessionId !== 0n) return bind(request, message);
  if (header.sessionId === 0n) {
    if (connection.sessions.size >= options.maxSessionsPerConnection) {
      throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
    }
    const session = new Session(server.allocateSessionId(), connection.dialect, server.context.clock.now());
    session.encryptData = options.encryption === "required" && connection.cipher !== undefined;
    server.sessions.set(session.sessionId, session);
    connection.sessions.set(session.sessionId, session);
    header.sessionId = session.sessionId;
    request.chain.sessionId = session.sessionId;
    request.session = session;
    return authenticate(request, session, message, "new");
  }
  const session = connection.sessions.get(header.sessionId);
  if (session === undefined || session.state === "closing") throw new SmbError(NtStatus.USER_SESSION_DELETED);
  const reauthentication = session.state !== "in-progress";
  return authenticate(request, session, message, reauthentication ? "reauthentication" : "new");
}

type Purpose = "new" | "reauthentication" | "binding";

/** The exchange of this session on this connection; a new one where none is under way. */
function pendingFor(request: Request, session: Session, purpose: Purpose): PendingAuthentication {
  const { connection, server } = request;
  let pending = session.authentications.get(connection);
  if (pending === undefined) {
    pending = {
      exchange: server.context.authenticator.begin({ remoteAddress: connection.remoteAddress }),
      preauth:
        connection.dialect === Dialect.SMB_3_1_1 && purpose !== "reauthentication"
          ? connection.preauth.fork()
          : undefined,
      busy: false,
    };
    session.authentications.set(connection, pending);
    if (purpose === "binding") connection.binding.add(session);
  }
  return pending;
}

function endExchange(session: Session, connection: Connection): void {
  session.authentications.delete(connection);
  connection.binding.delete(session);
}

/** One step of the exchange (MS-SMB2 3.3.5.5.3). */
function authenticate(
  request: Request,
  session: Session,
  message: SessionSetupRequest,
  purpose: Purpose,
): Awaitable<void> {
  const { connection, server } = request;
  const pending = pendingFor(request, session, purpose);
  if (pending.busy) throw new SmbError(NtStatus.REQUEST_NOT_ACCEPTED);
  pending.busy = true;
  pending.preauth?.update(request.reader.buffer);

  const succeed = (step: AuthStep): Awaitable<void> => {
    pending.busy = false;
    if (session.state === "closing" || connection.isClosed) throw new SmbError(NtStatus.USER_SESSION_DELETED);
    if (step.kind === "continue") {
      request.status = NtStatus.MORE_PROCESSING_REQUIRED;
      request.onResponse = (response) => pending.preauth?.update(...response);
      encodeSessionSetupResponse(request.writer, { sessionFlags: 0, securityBuffer: step.token });
      return;
    }
    endExchange(session, connection);
    if (purpose === "binding") finishBinding(request, session, step, pending);
    else if (purpose === "reauthentication") finishReauthentication(request, session, step);
    else finishNew(request, session, step, pending, message);
    let sessionFlags = 0;
    if (session.identity?.kind === "guest") sessionFlags |= SessionFlag.IS_GUEST;
    if (session.identity?.kind === "anonymous") sessionFlags |= SessionFlag.IS_NULL;
    if (session.encryptData) sessionFlags |= SessionFlag.ENCRYPT_DATA;
    encodeSessionSetupResponse(request.writer, { sessionFlags, securityBuffer: step.token });
    // The final response is signed so that the client can trust it (MS-SMB2 3.3.5.5.3).
    if (session.canSign) request.responseSigner = session.channels.get(connection)?.signer;
    const previous = message.previousSessionId;
    if (purpose === "new" && previous !== 0n && previous !== session.sessionId) return closePrevious(request, previous);
  };

  const failed = (error: unknown): never => {
    pending.busy = false;
    endExchange(session, connection);
    if (purpose === "new") connection.sessions.delete(session.sessionId);
    // The session that the attempt was for ends with it, be it new or to be reauthenticated (MS-SMB2 3.3.5.5.3). Who fails
    // to bind a further connection changes nothing for those that are bound.
    if (purpose === "new" || (purpose === "reauthentication" && isRefusal(error))) void server.closeSession(session);
    throw error;
  };

  try {
    const step = pending.exchange.step(message.securityBuffer);
    if (step instanceof Promise) return step.then(succeed).catch(failed);
    return succeed(step);
  } catch (error) {
    return failed(error);
  }
}

/** The credentials are not, or no longer, good, as opposed to a token that does not parse or a server that has no room. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof SmbError)) return false;
  return error.status === NtStatus.LOGON_FAILURE || error.status === NtStatus.ACCOUNT_DISABLED;
}

type DoneStep = Extract<AuthStep, { kind: "done" }>;

function finishNew(
  request: Request,
  session: Session,
  step: DoneStep,
  pending: PendingAuthentication,
  message: SessionSetupRequest,
): void {
  const { connection, server } = request;
  const { options, log, metrics } = server.context;
  if (!server.clients.admit(connection)) throw new SmbError(NtStatus.USER_SESSION_DELETED);
  session.identity = step.identity;
  session.ownerSid = step.identity.sid;
  session.canSign = step.identity.kind === "user";
  session.signingAlgorithm = connection.signingAlgorithm;
  session.cipherId = connection.cipher;
  session.sessionKey = step.sessionKey;
  session.fullSessionKey = step.fullSessionKey;
  session.expires = expiryOf(request, step);
  session.supportsNotifications = connection.supportsNotifications;
  const clientRequires = ((message.securityMode | connection.clientSecurityMode) & SecurityMode.SIGNING_REQUIRED) !== 0;
  if (session.canSign) {
    const keys = deriveSessionKeys({
      dialect: connection.dialect,
      sessionKey: step.sessionKey,
      fullSessionKey: step.fullSessionKey,
      preauthHash: pending.preauth?.value,
      cipherKeyLength: connection.cipher === undefined ? undefined : cipherKeyLength(connection.cipher),
    });
    // Encryption takes the place of signatures: an unencrypted SESSION_SETUP is not signed then.
    session.signingRequired = !session.encryptData && (clientRequires || options.signingRequired);
    session.signer = createSigner(connection.signingAlgorithm, keys.signingKey);
    session.channels.set(connection, { connection, signer: session.signer });
    if (connection.cipher !== undefined && keys.serverOut !== undefined && keys.serverIn !== undefined) {
      session.cipher = createMessageCipher({
        cipher: connection.cipher,
        encryptionKey: keys.serverOut,
        decryptionKey: keys.serverIn,
      });
    }
  } else {
    if (options.encryption === "required" || options.signingRequired) {
      throw new SmbError(NtStatus.ACCESS_DENIED);
    }
    session.encryptData = false;
    session.channels.set(connection, { connection, signer: noSigner });
  }
  session.state = "valid";
  watchIdleness(server, session);
  connection.allowLargeFrames();
  metrics.sessions(1);
  log.info(
    {
      client: connection.remoteAddress,
      user: step.identity.userName,
      kind: step.identity.kind,
      dialect: connection.dialect.toString(16),
    },
    "logged on",
  );
}

/** Guest and anonymous sessions have no key: nothing is signed, nothing that is signed is believed. */
const noSigner: Signer = {
  sign: () => {},
  verify: () => false,
  isForWorker: () => false,
  signOnWorker: async () => {},
  verifyOnWorker: async () => false,
};

/** MS-SMB2 3.3.5.5.2: the keys stay. A user stays who he is, or gives up his rights and becomes anonymous. */
function finishReauthentication(request: Request, session: Session, step: DoneStep): void {
  if (step.identity.kind !== "anonymous" && step.identity.sid !== session.ownerSid) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  session.identity = step.identity;
  session.expires = expiryOf(request, step);
  session.state = "valid";
}

/** When the client has to authenticate again: as the mechanism has it, or the administrator. */
function expiryOf({ server }: Request, { expires }: DoneStep): bigint | undefined {
  const { clock, options } = server.context;
  if (options.sessionLifetime === 0) return expires;
  const own = fileTimeFromMilliseconds(clock.now() + options.sessionLifetime);
  return expires === undefined || own < expires ? own : expires;
}

/** Binds an existing session to this connection (MS-SMB2 3.3.5.5, SMB2_SESSION_FLAG_BINDING). */
function bind(request: Request, message: SessionSetupRequest): Awaitable<void> {
  const { connection, server, header } = request;
  const session = server.sessions.get(header.sessionId);
  if (session === undefined || session.state === "closing") throw new SmbError(NtStatus.USER_SESSION_DELETED);
  // Whatever the outcome, a client that has the key can trust the answer. Nobody else gets anything signed: with AES-GMAC
  // a second signature under one MessageId would give the key away.
  const isSigned = request.isSigned && session.signer?.verify([request.reader.buffer]) === true;
  const signer = isSigned ? session.signer : undefined;
  if (isSigned) session.hasSignedBindings = true;
  request.responseSigner = signer;
  request.session = session;
  if (session.state === "in-progress") throw new SmbError(NtStatus.REQUEST_NOT_ACCEPTED);
  checkAlgorithms(connection, session);
  if (connection.dialect < Dialect.SMB_3_0) throw new SmbError(NtStatus.REQUEST_NOT_ACCEPTED);
  if (connection.dialect !== session.dialect || !request.isSigned) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (connection.cipher !== session.cipherId) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (session.state === "expired") throw new SmbError(NtStatus.NETWORK_SESSION_EXPIRED);
  if (!session.canSign || session.sessionKey === undefined) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (connection.sessions.get(session.sessionId)?.channels.has(connection)) {
    throw new SmbError(NtStatus.REQUEST_NOT_ACCEPTED);
  }
  if (signer === undefined) throw new SmbError(NtStatus.ACCESS_DENIED);
  if (connection.supportsNotifications !== session.supportsNotifications) {
    throw new SmbError(NtStatus.INVALID_PARAMETER);
  }
  if (session.channels.size >= MAX_CHANNELS) throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
  return authenticate(request, session, message, "binding");
}

/** AES-GMAC is signed with by all channels of a session, or by none. */
function checkAlgorithms(connection: Connection, session: Session): void {
  const own = connection.signingAlgorithm === SigningAlgorithm.AES_GMAC;
  const sessions = session.signingAlgorithm === SigningAlgorithm.AES_GMAC;
  if (own && !sessions) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (sessions && !own) throw new SmbError(NtStatus.REQUEST_OUT_OF_SEQUENCE);
}

function finishBinding(request: Request, session: Session, step: DoneStep, pending: PendingAuthentication): void {
  const { connection, server } = request;
  if (
    step.identity.kind !== "user" ||
    step.identity.sid !== session.identity?.sid ||
    session.sessionKey === undefined
  ) {
    throw new SmbError(NtStatus.ACCESS_DENIED);
  }
  if (!server.clients.admit(connection)) throw new SmbError(NtStatus.USER_SESSION_DELETED);
  // Others may have been bound while this one was authenticated.
  if (session.channels.size >= MAX_CHANNELS) throw new SmbError(NtStatus.INSUFFICIENT_RESOURCES);
  const signingKey = deriveSigningKey({
    dialect: connection.dialect,
    sessionKey: step.sessionKey,
    preauthHash: pending.preauth?.value,
  });
  session.channels.set(connection, { connection, signer: createSigner(connection.signingAlgorithm, signingKey) });
  connection.sessions.set(session.sessionId, session);
  connection.allowLargeFrames();
}

/** The client has lost a session and says so: its opens go now, not when TCP notices (MS-SMB2 3.3.5.5.3). */
function closePrevious(request: Request, previousId: bigint): Awaitable<void> {
  const previous = request.server.sessions.get(previousId);
  if (previous === undefined || previous.identity?.sid !== request.session.identity?.sid) return;
  return chain(request.server.closeSession(previous), () => {});
}
