// SPDX-License-Identifier: Apache-2.0

import { createHash, randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type AccountStore, FIRST_ACCOUNT_RID, MemoryAccountStore, machineSidFromSeed } from "../auth/accounts.ts";
import { createAuthenticator } from "../auth/authenticator.ts";
import { ntHashOfPassword } from "../auth/nt-hash.ts";
import { spareProcessor } from "../native/spare-processor.ts";
import { chain } from "../nt/awaitable.ts";
import { foldName } from "../nt/names.ts";
import type { OffloadOptions, OffloadUsage } from "../offload/engine.ts";
import type { HeldToken } from "../offload/token-registry.ts";
import type { ShareListing } from "../rpc/pipe.ts";
import { createPipeService } from "../rpc/service.ts";
import { Smb2Server } from "../smb2/server.ts";
import {
  type Clock,
  defaultProtocolOptions,
  type Logger,
  type Metrics,
  type ProtocolOptions,
  type ServerContext,
  type Share,
} from "../smb2/server-context.ts";
import type { PersistentOpenStore } from "../smb2/state/persistent-open.ts";
import { recoverOpens } from "../smb2/state/recover-opens.ts";
import { AccountDirectory } from "./account-directory.ts";
import { listOpenFiles, listSessions } from "./activity.ts";
import { systemClock } from "./clock.ts";
import { formatHostPort, type HostPort, parseHostPort } from "./config/units.ts";
import { Listener } from "./listener.ts";
import { silentLog } from "./log.ts";
import { shareOfMemory } from "./memory-share.ts";
import { noMetrics } from "./metrics.ts";
import { reachableInterfaces } from "./network-interfaces.ts";
import { createShare, type ShareOptions } from "./share.ts";
import { shareKey, sharePath } from "./share-name.ts";
import { StartupError } from "./startup-error.ts";

/** Characters of a NetBIOS name (MS-NLMP 2.2.2.1). */
const NETBIOS_NAME_LENGTH = 15;

/** STYPE_DISKTREE, STYPE_IPC and STYPE_SPECIAL (MS-SRVS 2.2.2.4). */
const ShareType = { DISKTREE: 0, IPC: 3, SPECIAL: 0x80000000 } as const;

export interface User {
  readonly name: string;
  readonly password: string;
}

export interface ServerOptions {
  readonly shares: readonly ShareOptions[];
  /** Users with their passwords. For many users, or users that change, give `accounts` instead. */
  readonly users?: readonly User[];
  readonly accounts?: AccountStore;
  /** `HOST:PORT`, one or several. Default `127.0.0.1:4445`; port 0 lets the system choose. */
  readonly listen?: string | readonly (string | HostPort)[];
  /** Name of the server, at most 15 characters. Default: from the host name. */
  readonly name?: string;
  /** Default `WORKGROUP`. */
  readonly workgroup?: string;
  readonly comment?: string;
  /** ServerGuid (MS-SMB2 3.3.1.5), 16 bytes; give the same after a restart. Default: random. */
  readonly guid?: Buffer;
  /** Accept sessions without a user. Default false. */
  readonly allowAnonymous?: boolean;
  /** The guest that unknown users become. Default: they are refused. */
  readonly guest?: string;
  /** Where handles on continuously available shares are kept; without it they end with the server. */
  readonly persistentHandles?: PersistentOpenStore;
  /** What the protocol offers and how far it goes. */
  readonly protocol?: Partial<ProtocolOptions>;
  /** How far copies on the server go. */
  readonly offload?: Partial<OffloadOptions>;
  /** Connections at most, over all and from one address. Default 10,000 and 1,024. */
  readonly maxConnections?: number;
  readonly maxConnectionsPerAddress?: number;
  /** Milliseconds that a connection has until its NEGOTIATE, and until a user is logged on. Default 10 s and 60 s. */
  readonly negotiateTimeout?: number;
  readonly authenticateTimeout?: number;
  /** Milliseconds after which a client is gone whose system acknowledges nothing. Default 2 minutes. */
  readonly unreachableTimeout?: number;
  /** Default: none. A pino logger will do. */
  readonly logger?: Logger;
  readonly metrics?: Metrics;
  readonly clock?: Clock;
}

/** The host's name as a NetBIOS name. */
function defaultName(): string {
  const label = (hostname().split(".")[0] ?? "").replace(/[^A-Za-z0-9-]/g, "").toUpperCase();
  return label.slice(0, NETBIOS_NAME_LENGTH) || "TESSERA";
}

function parseListen(listen: ServerOptions["listen"] = "127.0.0.1:4445"): readonly HostPort[] {
  return (typeof listen === "string" ? [listen] : listen).map((entry) => {
    const address = typeof entry === "string" ? parseHostPort(entry, 445) : entry;
    if (address === undefined) {
      throw new StartupError(`"${String(entry)}" is not an address to listen on: it must be HOST:PORT.`);
    }
    return address;
  });
}

/**
 * An SMB server. It serves the volumes it is given and leaves closing them to the caller, after {@link Server.close}.
 */
export class Server {
  readonly name: string;
  readonly #options: ServerOptions;
  readonly #listen: readonly HostPort[];
  readonly #log: Logger;
  readonly #clock: Clock;
  #shares: ReadonlyMap<string, Share>;
  #accounts: AccountStore | undefined;
  #running: { readonly smb: Smb2Server; readonly listener: Listener } | undefined;

  /** @throws StartupError for options that cannot work */
  constructor(options: ServerOptions) {
    this.#options = options;
    this.#listen = parseListen(options.listen);
    this.#log = options.logger ?? silentLog;
    this.#clock = options.clock ?? systemClock;
    this.name = options.name ?? defaultName();
    if (this.name.length > NETBIOS_NAME_LENGTH) {
      throw new StartupError(
        `The server name "${this.name}" must not be longer than ${NETBIOS_NAME_LENGTH} characters.`,
      );
    }
    this.#shares = indexShares(options.shares);
  }

  /** Where it listens, with the ports that the system chose for port 0. */
  get addresses(): readonly HostPort[] {
    return this.#running?.listener.addresses ?? [];
  }

  /** What the tokens of offloaded copies hold, over all; `undefined` while it does not listen. */
  get tokenUsage(): OffloadUsage | undefined {
    return this.#running?.smb.offload.usage;
  }

  /** Bytes of requests that have arrived and of answers that have not been sent, over all connections. */
  get messageBytes(): number {
    return this.#running?.smb.budget.used ?? 0;
  }

  /** The tokens of offloaded copies that it honours now. */
  heldTokens(): readonly HeldToken[] {
    return this.#running?.smb.offload.heldTokens() ?? [];
  }

  /** @throws StartupError when an address cannot be listened on, or a user cannot exist */
  async listen(): Promise<void> {
    if (this.#running !== undefined) {
      throw new StartupError("The server is listening already.");
    }
    const options = this.#options;
    const smb = new Smb2Server(await this.#createContext());
    const listener = new Listener({
      log: this.#log,
      clock: this.#clock,
      maxConnections: options.maxConnections ?? 10_000,
      maxConnectionsPerAddress: options.maxConnectionsPerAddress ?? 1024,
      negotiateTimeout: options.negotiateTimeout ?? 10_000,
      authenticateTimeout: options.authenticateTimeout ?? 60_000,
      unreachableTimeout: options.unreachableTimeout ?? 120_000,
      serve: (transport) => smb.accept(transport),
    });
    this.#running = { smb, listener };
    try {
      await recoverOpens(smb);
      await listener.listen(this.#listen);
    } catch (error) {
      this.#running = undefined;
      throw error;
    }
    for (const address of listener.addresses) {
      this.#log.info({ address: formatHostPort(address), shares: this.#shares.size }, "listening");
    }
  }

  /**
   * Replaces the shares. Clients stay connected; only their tree connects to shares that are gone, or whose volume is
   * another one, end. What else changed holds for new tree connects.
   * @throws StartupError for shares that cannot be; nothing has changed then
   */
  async setShares(shares: readonly ShareOptions[]): Promise<void> {
    const before = this.#shares;
    this.#shares = indexShares(shares);
    const smb = this.#running?.smb;
    if (smb === undefined) {
      return;
    }
    await smb.sharesChanged();
    const inUse = new Set([...this.#shares.values()].map(({ volume }) => volume));
    for (const { volume } of before.values()) {
      if (!inUse.has(volume)) {
        smb.forgetVolume(volume);
      }
    }
  }

  /** Ends the sessions of users whom the account store has no longer, or has disabled. Clients that can be told are told. */
  async accountsChanged(): Promise<void> {
    const accounts = this.#accounts;
    const domain = `${accounts?.machineSid}-`;
    const ended = await this.#running?.smb.endSessions(({ kind, sid }) => {
      if (accounts === undefined || kind !== "user" || !sid.startsWith(domain)) return false;
      return chain(
        accounts.lookupRid(Number(sid.slice(domain.length))),
        (account) => account === undefined || account.disabled,
      );
    });
    if (ended !== undefined && ended > 0)
      this.#log.info({ sessions: ended }, "ended the sessions of users who are gone");
  }

  /**
   * Accepts no more connections, lets requests that are being worked on finish, ends all sessions and closes their files.
   * @param timeout milliseconds after which connections are cut that have not ended by then
   */
  async close(timeout = 10_000): Promise<void> {
    const running = this.#running;
    if (running === undefined) {
      return;
    }
    this.#running = undefined;
    running.listener.stop();
    await running.listener.drain(timeout);
    await running.smb.shutdown();
    await running.listener.closed(timeout);
  }

  async #createContext(): Promise<ServerContext> {
    const options = this.#options;
    const log = this.#log;
    const clock = this.#clock;
    const accounts = options.accounts ?? (await accountsOf(options.users ?? [], this.name));
    this.#accounts = accounts;
    const directory = new AccountDirectory(accounts, this.name);
    const authenticator = createAuthenticator({
      accounts,
      serverName: this.name,
      dnsName: hostname(),
      // A server outside of any domain is the authority for its own accounts.
      domainName: this.name,
      allowAnonymous: options.allowAnonymous ?? false,
      guest: options.guest,
      clock,
      random: randomBytes,
      logger: log,
    });
    const pipes = createPipeService(
      {
        serverName: this.name,
        domainName: options.workgroup ?? "WORKGROUP",
        comment: options.comment ?? "",
        domainSid: accounts.machineSid,
        shares: (caller) => this.#listShares((share) => share.maximalAccess(caller) !== 0),
        sessions: () => (this.#running === undefined ? [] : listSessions(this.#running.smb, clock.now())),
        openFiles: () => (this.#running === undefined ? [] : listOpenFiles(this.#running.smb)),
        lookupSid: (sid) => directory.lookupSid(sid),
        lookupName: (name) => directory.lookupName(name),
      },
      { now: () => clock.now() },
    );
    return {
      serverGuid: options.guid ?? randomBytes(16),
      serverName: this.name,
      options: { ...defaultProtocolOptions, maxMessageBytes: shareOfMemory(), ...options.protocol },
      ...(options.offload === undefined ? {} : { offload: options.offload }),
      ...(options.persistentHandles === undefined ? {} : { persistentOpens: options.persistentHandles }),
      authenticator,
      pipes,
      log,
      metrics: options.metrics ?? noMetrics,
      clock,
      findShare: (name) => this.#shares.get(shareKey(name)),
      volumes: () => new Set(Array.from(this.#shares.values(), (share) => share.volume)),
      networkInterfaces: () => reachableInterfaces(this.addresses),
      hasSpareProcessor: () => spareProcessor.isThere,
      randomBytes,
    };
  }

  #listShares(mayUse: (share: Share) => boolean): readonly ShareListing[] {
    const listings: ShareListing[] = [];
    for (const share of this.#shares.values()) {
      if (share.browseable && mayUse(share)) {
        listings.push({
          name: share.name,
          comment: share.comment,
          type: (share.name.endsWith("$") ? ShareType.SPECIAL : 0) + ShareType.DISKTREE,
          path: sharePath(share.name),
          currentUsers: this.#currentUsers(share),
        });
      }
    }
    listings.push({
      name: "IPC$",
      comment: "Remote IPC",
      type: ShareType.SPECIAL + ShareType.IPC,
      path: "",
      currentUsers: 0,
    });
    return listings;
  }

  #currentUsers(share: Share): number {
    let count = 0;
    for (const session of this.#running?.smb.sessions.values() ?? []) {
      for (const tree of session.trees.values()) {
        if (tree.share?.name === share.name) {
          count++;
        }
      }
    }
    return count;
  }
}

function indexShares(options: readonly ShareOptions[]): ReadonlyMap<string, Share> {
  const shares = new Map<string, Share>();
  for (const share of options.map(createShare)) {
    const key = shareKey(share.name);
    if (shares.has(key)) {
      throw new StartupError(`There are two shares with the name "${share.name}".`);
    }
    shares.set(key, share);
  }
  return shares;
}

/** RIDs of users without a store count from their name, so that a SID does not depend on who else is there. */
function ridOfName(name: string): number {
  const hash = createHash("sha256").update(foldName(name)).digest();
  return FIRST_ACCOUNT_RID + (hash.readUInt32LE(0) & 0x3fff_ffff);
}

async function accountsOf(users: readonly User[], serverName: string): Promise<AccountStore> {
  const accounts = await Promise.all(
    users.map(async ({ name, password }) => ({ name, ntHash: await ntHashOfPassword(password), rid: ridOfName(name) })),
  );
  try {
    return new MemoryAccountStore(machineSidFromSeed(foldName(serverName)), accounts);
  } catch (error) {
    throw error instanceof RangeError ? new StartupError(`The users are not valid: ${error.message}.`) : error;
  }
}
