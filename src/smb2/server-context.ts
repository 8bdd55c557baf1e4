// SPDX-License-Identifier: Apache-2.0

import type { Authenticator, Identity } from "../auth/auth.ts";
import type { OffloadOptions } from "../offload/engine.ts";
import type { CopyOperation, CopyWay, OffloadSwitches } from "../offload/operations.ts";
import type { PipeService } from "../rpc/pipe.ts";
import type { Volume } from "../vfs/volume.ts";
import type { PersistentOpenStore } from "./state/persistent-open.ts";

/** Structured log, compatible with pino: fields first, then the message. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface Timer {
  cancel(): void;
}

/** Time as a parameter: tests hand in a clock that they advance themselves. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `action` once after `milliseconds`; a pending timer does not keep the process alive. */
  after(milliseconds: number, action: () => void): Timer;
}

export type EncryptionPolicy = "off" | "desired" | "required";

/** A dialect revision (MS-SMB2 2.2.4). */
export type Dialect = 0x0202 | 0x0210 | 0x0300 | 0x0302 | 0x0311;

/** Names of the ciphers of MS-SMB2 2.2.3.1.2. */
export type CipherName = "aes-128-gcm" | "aes-128-ccm" | "aes-256-gcm" | "aes-256-ccm";

/** Names of the signing algorithms of MS-SMB2 2.2.3.1.7. */
export type SigningAlgorithmName = "aes-gmac" | "aes-cmac" | "hmac-sha256";

/** A disk share (MS-SMB2 3.3.1.6). */
export interface Share {
  /** As configured; matched without regard to case. */
  readonly name: string;
  readonly comment: string;
  readonly volume: Volume;
  readonly readOnly: boolean;
  readonly encryption: EncryptionPolicy;
  /** Shown by share enumeration. */
  readonly browseable: boolean;
  /** Entries that the caller cannot read are left out of listings (SHI1005_FLAGS_ACCESS_BASED_DIRECTORY_ENUM). */
  readonly accessBasedEnumeration: boolean;
  /** Names that show as HIDDEN, whatever attributes are stored. */
  readonly hidesName?: ((name: string) => boolean) | undefined;
  /** Which copies on the server the share offers, where its volume can. */
  readonly offload: OffloadSwitches;
  /** Clients get persistent handles, and their changes are written through (TREE_CONNECT, Share.IsCA). */
  readonly continuousAvailability: boolean;
  /** The rights this share grants at most to a caller, as a file access mask; 0 refuses the tree connect. */
  maximalAccess(caller: Identity): number;
}

/** What the protocol may do and how far. Lengths are bytes, times milliseconds. */
export interface ProtocolOptions {
  readonly minDialect: Dialect;
  readonly maxDialect: Dialect;
  /** RequireMessageSigning (MS-SMB2 3.3.1.5). */
  readonly signingRequired: boolean;
  readonly encryption: EncryptionPolicy;
  /** Ciphers on offer, the preferred one first. */
  readonly ciphers: readonly CipherName[];
  readonly signingAlgorithms: readonly SigningAlgorithmName[];
  readonly maxTransactSize: number;
  readonly maxReadSize: number;
  readonly maxWriteSize: number;
  /** Credits a connection may hold at most. */
  readonly maxCredits: number;
  readonly maxSessionsPerConnection: number;
  readonly maxTreesPerSession: number;
  readonly maxOpensPerSession: number;
  readonly maxAsyncPerConnection: number;
  readonly maxLocksPerOpen: number;
  /** Time after which a session expires and its client has to authenticate again; 0: for no other reason than its credentials. */
  readonly sessionLifetime: number;
  /** Time after which a session ends that asks nothing and has nothing open; 0: none. */
  readonly sessionIdleTimeout: number;
  /** Time that a durable handle waits for its client where the client names none; milliseconds as the next two. */
  readonly durableTimeout: number;
  /** The longest time that a client may ask for with a durable handle. */
  readonly maxDurableTimeout: number;
  /** MaxResiliencyTimeout (MS-SMB2 3.3.1.5). */
  readonly maxResilientTimeout: number;
  /** Handles that wait for their clients, over all and of one user. */
  readonly maxDisconnectedOpens: number;
  readonly maxDisconnectedOpensPerUser: number;
  /** Memory for requests that have arrived and answers that have not been sent, over all connections. */
  readonly maxMessageBytes: number;
}

export const defaultProtocolOptions: ProtocolOptions = {
  minDialect: 0x0202,
  maxDialect: 0x0311,
  signingRequired: false,
  encryption: "desired",
  ciphers: ["aes-128-gcm", "aes-256-gcm", "aes-128-ccm", "aes-256-ccm"],
  signingAlgorithms: ["aes-gmac", "aes-cmac", "hmac-sha256"],
  maxTransactSize: 8 * 1024 * 1024,
  maxReadSize: 8 * 1024 * 1024,
  maxWriteSize: 8 * 1024 * 1024,
  maxCredits: 8192,
  maxSessionsPerConnection: 4096,
  maxTreesPerSession: 1024,
  maxOpensPerSession: 65_536,
  maxAsyncPerConnection: 2048,
  maxLocksPerOpen: 16_384,
  sessionLifetime: 0,
  sessionIdleTimeout: 0,
  durableTimeout: 60_000,
  maxDurableTimeout: 300_000,
  maxResilientTimeout: 300_000,
  maxDisconnectedOpens: 65_536,
  maxDisconnectedOpensPerUser: 16_384,
  maxMessageBytes: 1024 * 1024 * 1024,
};

/** Counters; implementations must be cheap. */
export interface Metrics {
  request(command: number, status: number): void;
  bytesRead(count: number): void;
  bytesWritten(count: number): void;
  /** Bytes copied on the server for a client; they never crossed the network. */
  copied(operation: CopyOperation, way: CopyWay, bytes: number): void;
  /** A request for a copy that failed. @param reason why a token was not honoured, or the name of the NTSTATUS */
  copyRefused(operation: CopyOperation, reason: string): void;
  /** Changes of the number of live connections, sessions and opens. */
  connections(change: 1 | -1): void;
  sessions(change: 1 | -1): void;
  opens(change: 1 | -1): void;
}

/** An interface of this machine that clients may connect to (FSCTL_QUERY_NETWORK_INTERFACE_INFO). */
export interface NetworkInterface {
  readonly index: number;
  /** 4 or 16 bytes in network order. */
  readonly address: Buffer;
  /** Bits per second. */
  readonly linkSpeed: number;
  /** RSS capable: clients open several connections to it. */
  readonly receiveSideScaling: boolean;
}

/** Everything that the protocol needs from its surroundings. */
export interface ServerContext {
  /** ServerGuid (MS-SMB2 3.3.1.5), 16 bytes, stable over restarts. */
  readonly serverGuid: Buffer;
  readonly serverName: string;
  readonly options: ProtocolOptions;
  /** What differs from the defaults. */
  readonly offload?: Partial<OffloadOptions>;
  /** Where persistent handles are kept; without it there are none. */
  readonly persistentOpens?: PersistentOpenStore;
  readonly authenticator: Authenticator;
  readonly pipes: PipeService;
  readonly log: Logger;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Looks a disk share up by its name without regard to case; looked at for each tree connect, so it may change. */
  findShare(name: string): Share | undefined;
  /** The volumes that shares lead to now. */
  volumes(): Iterable<Volume>;
  networkInterfaces(): readonly NetworkInterface[];
  /** Whether long work is done sooner on another thread than on this one, as things are now. */
  hasSpareProcessor(): boolean;
  randomBytes(size: number): Buffer;
}

/** The byte stream below a connection: direct TCP (MS-SMB2 2.1). Frames go out in the order of the calls. */
export interface Transport {
  readonly remoteAddress: string;
  readonly localAddress: string;
  /**
   * Queues the buffers for sending, as one `writev` where possible. They must not be changed until `done` says that they
   * have been sent, or never will be.
   */
  send(buffers: readonly Buffer[], done?: () => void): void;
  /** Bytes queued and not yet taken by the kernel; the connection stops reading above a bound. */
  readonly queuedBytes: number;
  /** Bytes that were given to {@link send}, from the beginning. */
  readonly sentBytes: number;
  /** Those of them that the client's system has acknowledged; `undefined` where that cannot be known. */
  acknowledgedBytes(): number | undefined;
  pause(): void;
  resume(): void;
  /** Sends what is queued, then closes. */
  end(): void;
  /** Closes at once. */
  destroy(): void;
  /** Closes at once, and says so to a client that does not acknowledge what was sent before: it would hear of no other end. */
  reset(): void;
}
