// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../../src/auth/auth.ts";
import { type AuthenticatorOptions, createAuthenticator } from "../../src/auth/authenticator.ts";
import { Access } from "../../src/nt/access-mask.ts";
import { fileTimeFromMilliseconds } from "../../src/nt/filetime.ts";
import { foldName } from "../../src/nt/names.ts";
import { statusName } from "../../src/nt/status.ts";
import type { OffloadOptions } from "../../src/offload/engine.ts";
import { allOperations, type CopyOperation, type CopyWay } from "../../src/offload/operations.ts";
import type { PipeService } from "../../src/rpc/pipe.ts";
import { createPipeService } from "../../src/rpc/service.ts";
import { Smb2Server } from "../../src/smb2/server.ts";
import {
  defaultProtocolOptions,
  type Logger,
  type NetworkInterface,
  type ProtocolOptions,
  type ServerContext,
  type Share,
} from "../../src/smb2/server-context.ts";
import type { PersistentOpenStore } from "../../src/smb2/state/persistent-open.ts";
import { recoverOpens } from "../../src/smb2/state/recover-opens.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { Volume } from "../../src/vfs/volume.ts";
import { MACHINE_SID, testAccounts } from "./auth-fixtures.ts";
import { FakeClock } from "./fake-clock.ts";
import { type Account, type LogOnOptions, logOn, type SmbSession, type SmbTree } from "./smb-client.ts";
import { type NegotiateOptions, SmbConnection, StatusError } from "./smb-connection.ts";
import { InProcessTransport } from "./smb-transport.ts";

export const alice: Account = { userName: "Alice", password: "secret1" };
/** An administrator. */
export const bob: Account = { userName: "Bob", password: "Пароль-2" };

export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly fields: object;
  readonly message: string;
}

export interface CopyNote {
  readonly operation: CopyOperation;
  readonly way: CopyWay;
  readonly bytes: number;
}

export interface RefusalNote {
  readonly operation: CopyOperation;
  readonly reason: string;
}

export interface HarnessOptions {
  readonly protocol?: Partial<ProtocolOptions>;
  readonly authenticator?: Partial<AuthenticatorOptions>;
  /** Whether long work is left to other threads; it is by default. */
  readonly hasSpareProcessor?: boolean;
  /** Of the share "data". */
  readonly share?: Partial<Share>;
  /** Further shares by name. */
  readonly shares?: Readonly<Record<string, Partial<Share>>>;
  readonly volume?: Volume;
  readonly pipes?: PipeService;
  readonly offload?: Partial<OffloadOptions>;
  readonly networkInterfaces?: readonly NetworkInterface[];
  /** Where persistent handles are kept; what it holds is opened again. */
  readonly persistentOpens?: PersistentOpenStore;
  /** Another byte makes other "random" bytes: for a second server beside the first. */
  readonly randomSeed?: number;
  /** Of another server, where both look at the same clock. */
  readonly clock?: FakeClock;
}

/** A server in this process, with a memory volume, a clock that stands still and the real authenticator. */
export class ServerHarness {
  readonly server: Smb2Server;
  readonly clock: FakeClock;
  readonly log: LogLine[];
  readonly volume: Volume;
  /** What the metrics heard of copies on the server. */
  readonly copies: readonly CopyNote[];
  readonly refusals: readonly RefusalNote[];
  /** Shares by folded name; tests may change them. */
  readonly shares: Map<string, Share>;
  #nextAddress = 1;

  private constructor(
    context: ServerContext,
    clock: FakeClock,
    log: LogLine[],
    shares: Map<string, Share>,
    volume: Volume,
    notes: { readonly copies: readonly CopyNote[]; readonly refusals: readonly RefusalNote[] },
  ) {
    this.server = new Smb2Server(context);
    this.copies = notes.copies;
    this.refusals = notes.refusals;
    this.clock = clock;
    this.log = log;
    this.shares = shares;
    this.volume = volume;
  }

  static async start(options: HarnessOptions = {}): Promise<ServerHarness> {
    const clock = options.clock ?? new FakeClock();
    const log: LogLine[] = [];
    const copies: CopyNote[] = [];
    const refusals: RefusalNote[] = [];
    const logger = recordingLogger(log);
    const volume = options.volume ?? new MemoryVolume({ clock: () => fileTimeFromMilliseconds(clock.now()) });
    const shares = new Map<string, Share>();
    const add = (name: string, share: Partial<Share>) => shares.set(foldName(name), testShare(name, volume, share));
    add("data", options.share ?? {});
    for (const [name, share] of Object.entries(options.shares ?? {})) add(name, share);
    let counter = 0;
    /** Different each time, and the same in every run. */
    const randomBytes = (size: number): Buffer => {
      const bytes = Buffer.alloc(size, options.randomSeed ?? 0xa5);
      counter += 1;
      if (size >= 4) bytes.writeUInt32BE(counter, size - 4);
      return bytes;
    };
    const context: ServerContext = {
      serverGuid: Buffer.alloc(16, 7),
      serverName: "TESSERA",
      options: { ...defaultProtocolOptions, ...options.protocol },
      ...(options.offload === undefined ? {} : { offload: options.offload }),
      ...(options.persistentOpens === undefined ? {} : { persistentOpens: options.persistentOpens }),
      authenticator: createAuthenticator({
        accounts: await testAccounts(),
        serverName: "TESSERA",
        dnsName: "tessera.example.org",
        domainName: "TESSERA",
        allowAnonymous: false,
        clock,
        random: randomBytes,
        logger,
        ...options.authenticator,
      }),
      pipes: options.pipes ?? testPipes(clock),
      log: logger,
      metrics: {
        request: () => {},
        bytesRead: () => {},
        bytesWritten: () => {},
        copied: (operation, way, bytes) => void copies.push({ operation, way, bytes }),
        copyRefused: (operation, reason) => void refusals.push({ operation, reason }),
        connections: () => {},
        sessions: () => {},
        opens: () => {},
      },
      clock,
      findShare: (name) => shares.get(foldName(name)),
      volumes: () => new Set(Array.from(shares.values(), (share) => share.volume)),
      networkInterfaces: () => options.networkInterfaces ?? [],
      hasSpareProcessor: () => options.hasSpareProcessor ?? true,
      randomBytes,
    };
    const harness = new ServerHarness(context, clock, log, shares, volume, { copies, refusals });
    await recoverOpens(harness.server);
    return harness;
  }

  transport(): InProcessTransport {
    return new InProcessTransport(this.server, `192.0.2.${(this.#nextAddress++ % 200) + 10}`);
  }

  /** A connection that has sent nothing yet. */
  open(clientGuid?: Buffer): SmbConnection {
    return new SmbConnection(this.transport(), clientGuid);
  }

  async connect(options: NegotiateOptions = {}, clientGuid?: Buffer): Promise<SmbConnection> {
    const connection = this.open(clientGuid);
    await connection.negotiate(options);
    return connection;
  }

  async logOn(
    account: Account = alice,
    options: LogOnOptions & { negotiate?: NegotiateOptions } = {},
  ): Promise<SmbSession> {
    return logOn(await this.connect(options.negotiate), account, options);
  }

  /** A user's tree connect on a connection of its own. */
  async mount(
    share = "data",
    options: LogOnOptions & { negotiate?: NegotiateOptions; account?: Account } = {},
  ): Promise<SmbTree> {
    return (await this.logOn(options.account ?? alice, options)).treeConnect(share);
  }

  /** Lines of the log that tell of a bug in the server. */
  get errors(): readonly LogLine[] {
    return this.log.filter(({ level }) => level === "error");
  }
}

export function recordingLogger(log: LogLine[]): Logger {
  const at = (level: LogLine["level"]) => (fields: object, message: string) => {
    log.push({ level, fields, message });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function testShare(name: string, volume: Volume, options: Partial<Share>): Share {
  return {
    name,
    comment: "",
    volume,
    readOnly: false,
    encryption: "off",
    browseable: true,
    accessBasedEnumeration: false,
    continuousAvailability: false,
    offload: allOperations,
    maximalAccess: (_caller: Identity) => Access.FILE_ALL,
    ...options,
  };
}

function testPipes(clock: FakeClock): PipeService {
  return createPipeService(
    {
      serverName: "TESSERA",
      domainName: "WORKGROUP",
      comment: "",
      domainSid: MACHINE_SID,
      shares: () => [],
      lookupSid: () => undefined,
      lookupName: () => undefined,
      sessions: () => [],
      openFiles: () => [],
    },
    { now: () => clock.now() },
  );
}

/** Name of the status that an operation ends with, `STATUS_SUCCESS` included. */
export async function statusOf(operation: Promise<unknown>): Promise<string> {
  try {
    await operation;
  } catch (error) {
    if (error instanceof StatusError) return statusName(error.status);
    throw error;
  }
  return "STATUS_SUCCESS";
}

/** Lets everything run that does not wait for the outside. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
