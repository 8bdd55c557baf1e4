// SPDX-License-Identifier: Apache-2.0

import type { AuthExchange, Identity } from "../../auth/auth.ts";
import type { Connection } from "../connection.ts";
import type { CipherId, MessageCipher } from "../crypto/encryption.ts";
import type { PreauthHash } from "../crypto/preauth.ts";
import type { Signer, SigningAlgorithm } from "../crypto/signing.ts";
import type { Request } from "../request.ts";
import type { Open } from "./open.ts";
import type { TreeConnect } from "./tree-connect.ts";

/** Session.State (MS-SMB2 3.3.1.8); `closing` is ours: nothing new begins on the session. */
export type SessionState = "in-progress" | "valid" | "expired" | "closing";

/** A connection that a session is bound to, with the key that signs on it (MS-SMB2 3.3.1.14). */
export interface Channel {
  readonly connection: Connection;
  readonly signer: Signer;
}

/** An authentication in progress: of a new session, a reauthentication, or the binding of a channel. */
export interface PendingAuthentication {
  readonly exchange: AuthExchange;
  /** 3.1.1 only; a reauthentication hashes nothing. */
  readonly preauth: PreauthHash | undefined;
  /** A SESSION_SETUP of this exchange is being worked on; another one meanwhile is refused. */
  busy: boolean;
}

/** An authenticated context (Session, MS-SMB2 3.3.1.8). */
export class Session {
  readonly sessionId: bigint;
  state: SessionState = "in-progress";
  identity: Identity | undefined;
  /** SID of the user who logged on first: reauthentication may take his rights away, but not give him another's. */
  ownerSid = "";
  /** Session.SessionKey, 16 bytes. */
  sessionKey: Buffer | undefined;
  fullSessionKey: Buffer | undefined;
  /** Session.SigningKey: of the first channel, and for requests to bind others, though the first one may be gone by then. */
  signer: Signer | undefined;
  signingRequired = false;
  encryptData = false;
  cipher: MessageCipher | undefined;
  /** Session.CreationTime, milliseconds since 1970. */
  readonly created: number;
  /** Session.IdleTime: of the last request, milliseconds since 1970. */
  lastUsed = 0;
  /** FILETIME at which the credentials end. */
  expires: bigint | undefined;
  readonly dialect: number;
  readonly channels = new Map<Connection, Channel>();
  /** One at a time for each connection. */
  readonly authentications = new Map<Connection, PendingAuthentication>();
  readonly trees = new Map<number, TreeConnect>();
  readonly opens = new Map<bigint, Open>();
  /** Requests that wait, whose connection is lost. */
  readonly stranded = new Set<Request>();
  #nextTreeId = 1;

  constructor(sessionId: bigint, dialect: number, created: number) {
    this.sessionId = sessionId;
    this.dialect = dialect;
    this.created = created;
  }

  /** The session began with a user's key: guests and anonymous callers have none that only they and the server know. */
  canSign = false;
  /** The client knows of copychunk requests without chunks: AAPL, kAAPL_SUPPORTS_OSX_COPYFILE. */
  copiesWholeFiles = false;
  /** Session.SupportsNotifications: the client hears of the end of the session (MS-SMB2 2.2.44). */
  supportsNotifications = false;
  /** A request to bind it to another connection was signed with its key. */
  hasSignedBindings = false;
  /** Of the connection on which the session began; what further channels must agree with. */
  signingAlgorithm: SigningAlgorithm = 0;
  cipherId: CipherId | undefined;

  /** A TreeId that is not in use. The table is bounded far below 32 bits, so that one is found at once. */
  allocateTreeId(): number {
    let id = this.#nextTreeId;
    while (this.trees.has(id)) id = id >= 0xffff_fffe ? 1 : id + 1;
    this.#nextTreeId = id >= 0xffff_fffe ? 1 : id + 1;
    return id;
  }
}
