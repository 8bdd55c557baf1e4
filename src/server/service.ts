// SPDX-License-Identifier: Apache-2.0

import path from "node:path";
import type { AccountStore } from "../auth/accounts.ts";
import { FileAccountStore, UserFileError } from "../auth/user-file.ts";
import type { OffloadOptions } from "../offload/engine.ts";
import type { ProtocolOptions } from "../smb2/server-context.ts";
import type { Config, OffloadConfig, ServerConfig, ShareConfig } from "./config/schema.ts";
import { formatHostPort, type HostPort, isLoopback } from "./config/units.ts";
import type { ServerLog } from "./log.ts";
import { ServerMetrics } from "./metrics.ts";
import { type MetricsEndpoint, serveMetrics } from "./metrics-endpoint.ts";
import { PersistentHandles } from "./persistent-handles.ts";
import { Server, type ServerOptions, type User } from "./server.ts";
import { StartupError } from "./startup-error.ts";
import { defaultStateDirectory, ensureStateDirectory, loadServerGuid } from "./state-directory.ts";
import { loadTokenKeys } from "./token-keys.ts";
import { VolumePool } from "./volume-pool.ts";
import { Watch } from "./watch.ts";

/** Where the users of a configuration are kept. */
export function usersFileOf(config: ServerConfig): string {
  return config.usersFile ?? path.join(stateDirectoryOf(config), "users.json");
}

export function stateDirectoryOf(config: ServerConfig): string {
  return config.stateDirectory ?? defaultStateDirectory();
}

export interface ServiceOptions {
  readonly config: Config;
  /** Users given on the command line: with any of them there is no users file. */
  readonly users: readonly User[];
  readonly log: ServerLog;
}

/** A server that runs by a configuration: with its state directory, users file, volumes and metrics. */
export class Service {
  readonly #server: Server;
  readonly #pool: VolumePool;
  readonly #accounts: FileAccountStore | undefined;
  readonly #watch: Watch;
  readonly #endpoint: MetricsEndpoint | undefined;
  readonly #handles: PersistentHandles | undefined;
  readonly #log: ServerLog;
  #config: Config;
  /** Reloads run one after the other. */
  #reloading: Promise<void> = Promise.resolve();

  private constructor(parts: {
    server: Server;
    pool: VolumePool;
    accounts: FileAccountStore | undefined;
    watch: Watch;
    endpoint: MetricsEndpoint | undefined;
    handles: PersistentHandles | undefined;
    options: ServiceOptions;
  }) {
    this.#server = parts.server;
    this.#pool = parts.pool;
    this.#accounts = parts.accounts;
    this.#watch = parts.watch;
    this.#endpoint = parts.endpoint;
    this.#handles = parts.handles;
    this.#log = parts.options.log;
    this.#config = parts.options.config;
  }

  /** @throws StartupError, UserFileError; nothing is left running then */
  static async start(options: ServiceOptions): Promise<Service> {
    const { config, log, users } = options;
    const { server: settings } = config;
    if (users.length > 0 && settings.usersFile !== undefined) {
      throw new StartupError(
        "Users are given on the command line while the configuration names a users file.",
        `Leave --user out, and add users to ${settings.usersFile} with: tessera user add NAME --config FILE`,
      );
    }
    const state = stateDirectoryOf(settings);
    await ensureStateDirectory(state);
    const guid = await loadServerGuid(state);
    const accounts = users.length > 0 ? undefined : await openAccounts(usersFileOf(settings), log);
    const tokenKeys = await loadTokenKeys(config.offload.keyFiles);
    const handles = config.shares.some(isContinuouslyAvailable) ? PersistentHandles.open(state, log) : undefined;
    const pool = new VolumePool(log);
    const metrics = new ServerMetrics();
    let endpoint: MetricsEndpoint | undefined;
    try {
      const server = new Server({
        ...serverOptions(settings),
        offload: { ...offloadOptions(config.offload), tokenKeys },
        shares: await pool.open(config),
        ...(accounts === undefined ? { users } : { accounts: accounts satisfies AccountStore }),
        ...(handles === undefined ? {} : { persistentHandles: handles }),
        guid,
        logger: log,
        metrics,
      });
      metrics.watchTokens(() => server.tokenUsage);
      metrics.watchMessages(() => server.messageBytes);
      if (settings.metrics !== undefined) {
        endpoint = await serveMetrics(metrics.registry, settings.metrics.listen);
        logMetricsAddress(endpoint.address, log);
      }
      await server.listen();
      const watch = await Watch.start({ server, metrics, log, state, logInterval: config.offload.logInterval });
      return new Service({ server, pool, accounts, watch, endpoint, handles, options });
    } catch (error) {
      await endpoint?.close();
      metrics.close();
      await pool.close();
      await handles?.close();
      throw error;
    }
  }

  get addresses(): readonly HostPort[] {
    return this.#server.addresses;
  }

  /**
   * Takes over the shares of a configuration and what the users file holds now. Clients stay connected. When something is
   * wrong, the error is logged and the service goes on as before.
   */
  reload(load: () => Promise<Config>): Promise<void> {
    this.#reloading = this.#reloading.then(() => this.#reload(load));
    return this.#reloading;
  }

  async #reload(load: () => Promise<Config>): Promise<void> {
    try {
      const config = await load();
      await this.#accounts?.reload();
      await this.#server.accountsChanged();
      await this.#server.setShares(await this.#pool.open(config));
      await this.#pool.closeUnused();
      this.#log.level = config.server.logging.level;
      if (JSON.stringify(restartOnly(config)) !== JSON.stringify(restartOnly(this.#config))) {
        this.#log.warn({}, "settings besides shares, users and the log level have changed: they need a restart");
      }
      if (this.#handles === undefined && config.shares.some(isContinuouslyAvailable)) {
        this.#log.warn({}, "shares become continuously available at the next start");
      }
      this.#config = config;
      this.#log.info({ shares: config.shares.length }, "reloaded");
    } catch (error) {
      if (!(error instanceof StartupError || error instanceof UserFileError)) {
        throw error;
      }
      this.#log.error({ reason: error.message }, "reload failed; everything stays as it was");
    }
  }

  /** Finishes what is in flight, within the configured time, closes and flushes everything. */
  async close(): Promise<void> {
    await this.#reloading;
    await this.#server.close(this.#config.server.timeouts.shutdown);
    await this.#pool.close();
    await this.#handles?.close();
    await this.#endpoint?.close();
    await this.#watch.close();
  }
}

function isContinuouslyAvailable(share: ShareConfig): boolean {
  return share.continuousAvailability;
}

async function openAccounts(file: string, log: ServerLog): Promise<FileAccountStore> {
  await ensureStateDirectory(path.dirname(file));
  const accounts = await FileAccountStore.openOrCreate(file);
  if (accounts.list().length === 0) {
    log.warn({ file }, "there are no users yet, so nobody can log on: add one with `tessera user add NAME`");
  }
  return accounts;
}

function logMetricsAddress(address: HostPort, log: ServerLog): void {
  log.info({ address: formatHostPort(address) }, "serving metrics");
  if (isLoopback(address.host)) return;
  log.warn({ address: formatHostPort(address) }, "everybody who reaches this address can read the metrics");
}

/** The part of a configuration that a reload does not take over. */
function restartOnly({ server, offload }: Config): object {
  return { offload, server: { ...server, logging: { ...server.logging, level: "" } } };
}

function offloadOptions({ tokenScope, clockSkew, timeToLive, limits }: OffloadConfig): Partial<OffloadOptions> {
  return {
    tokenScope,
    maxClockSkew: clockSkew,
    defaultTimeToLive: timeToLive.default,
    minimumTimeToLive: timeToLive.minimum,
    maximumTimeToLive: timeToLive.maximum,
    maxTokens: limits.tokens,
    maxTokensPerSession: limits.tokensPerSession,
    maxTokenBytes: limits.tokenBytes,
    maxPreservedBytes: limits.preservedBytes,
    maxBytesPerWrite: limits.bytesPerCall,
    maxTimePerWrite: limits.timePerCall,
  };
}

function serverOptions(config: ServerConfig): Omit<ServerOptions, "shares"> {
  const { limits, timeouts } = config;
  const protocol: Partial<ProtocolOptions> = {
    minDialect: config.minDialect,
    maxDialect: config.maxDialect,
    signingRequired: config.signing === "required",
    encryption: config.encrypt,
    ciphers: config.ciphers,
    signingAlgorithms: config.signingAlgorithms,
    maxCredits: limits.credits,
    maxSessionsPerConnection: limits.sessionsPerConnection,
    maxTreesPerSession: limits.treesPerSession,
    maxOpensPerSession: limits.opensPerSession,
    maxAsyncPerConnection: limits.pendingPerConnection,
    maxLocksPerOpen: limits.locksPerOpen,
    maxDisconnectedOpens: limits.disconnectedOpens,
    maxDisconnectedOpensPerUser: limits.disconnectedOpensPerUser,
    ...(limits.messageBytes === undefined ? {} : { maxMessageBytes: limits.messageBytes }),
    sessionLifetime: timeouts.session ?? 0,
    sessionIdleTimeout: timeouts.idle ?? 0,
    durableTimeout: timeouts.durable,
    maxDurableTimeout: timeouts.durableMaximum,
    maxResilientTimeout: timeouts.resilientMaximum,
  };
  return {
    listen: config.listen,
    ...(config.name === undefined ? {} : { name: config.name }),
    workgroup: config.workgroup,
    comment: config.comment,
    allowAnonymous: config.allowAnonymous,
    ...(config.guest === false ? {} : { guest: config.guest }),
    protocol,
    maxConnections: limits.connections,
    maxConnectionsPerAddress: limits.connectionsPerAddress,
    negotiateTimeout: timeouts.negotiate,
    authenticateTimeout: timeouts.authenticate,
    unreachableTimeout: timeouts.unreachable,
  };
}
