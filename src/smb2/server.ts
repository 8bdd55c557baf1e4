// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";
import { BufferPool } from "../memory/buffer-pool.ts";
import type { Awaitable } from "../nt/awaitable.ts";
import { defaultOffloadOptions, OffloadEngine } from "../offload/engine.ts";
import type { Volume } from "../vfs/volume.ts";
import { BreakNotices } from "./break-notices.ts";
import { Connection } from "./connection.ts";
import { MessageBudget } from "./message-budget.ts";
import { RefusalLog } from "./refusal-log.ts";
import type { ServerContext, Transport } from "./server-context.ts";
import { SlowRequests } from "./slow-requests.ts";
import { StalledClients } from "./stalled-clients.ts";
import { AppInstances } from "./state/app-instance.ts";
import { ClientTable } from "./state/client-table.ts";
import { closeOpen } from "./state/close-open.ts";
import { CreateReplays } from "./state/create-replays.ts";
import { isToBePreserved } from "./state/durability.ts";
import { DurableOpens } from "./state/durable-opens.ts";
import { LeaseTable } from "./state/lease.ts";
import type { Open } from "./state/open.ts";
import { OutsideWatches } from "./state/outside-change.ts";
import { PersistentOpens } from "./state/persistent-opens.ts";
import type { Session } from "./state/session.ts";
import { FileTable } from "./state/shared-file.ts";
import type { TreeConnect } from "./state/tree-connect.ts";
import { notifySessionClosed } from "./unsolicited.ts";

/** State that all connections share (MS-SMB2 3.3.1.5): sessions, opens, files. */
export class Smb2Server {
  readonly context: ServerContext;
  /** GlobalSessionTable. */
  readonly sessions = new Map<bigint, Session>();
  readonly connections = new Set<Connection>();
  readonly clients = new ClientTable();
  /** Opens by resume key, as hexadecimal text. */
  readonly resumeKeys = new Map<string, Open>();
  /** Tokens of offloaded copies. */
  readonly offload: OffloadEngine;
  readonly refusedTokens: RefusalLog;
  /** Handles that outlive their connections. */
  readonly durableOpens: DurableOpens;
  /** Handles that outlive the server, where it keeps any. */
  readonly persistentOpens: PersistentOpens | undefined;
  /** CREATE requests that may be sent again. */
  readonly createReplays = new CreateReplays();
  readonly appInstances = new AppInstances();
  /** GlobalLeaseTableList. */
  readonly leases = new LeaseTable();
  readonly breakNotices = new BreakNotices(this);
  readonly #fileTables = new Map<Volume, FileTable>();
  /** Memory of frames and file data. */
  readonly buffers = new BufferPool();
  /** How much memory requests and answers may take. */
  readonly budget: MessageBudget;
  readonly #stalledClients: StalledClients;
  readonly slowRequests: SlowRequests;
  #nextFileId: bigint;
  /** Nothing but persistent handles is kept for clients that come back. */
  isStopping = false;

  constructor(context: ServerContext) {
    this.context = context;
    this.slowRequests = new SlowRequests(context.clock);
    const { clock, log, options } = context;
    this.budget = new MessageBudget(options.maxMessageBytes);
    this.#stalledClients = new StalledClients({ clock, log, budget: this.budget, clients: () => this.connections });
    // Clients may come with a FileId from before a restart: it must not be another handle's now.
    this.#nextFileId = BigInt(clock.now()) << 22n;
    this.persistentOpens =
      context.persistentOpens === undefined
        ? undefined
        : new PersistentOpens(context.persistentOpens, (err, { fileName }) =>
            context.log.error({ err, file: fileName }, "a persistent handle could not be stored"),
          );
    this.durableOpens = new DurableOpens({
      clock,
      maximum: options.maxDisconnectedOpens,
      maximumPerOwner: options.maxDisconnectedOpensPerUser,
      expired: (open) => void this.close(open),
    });
    this.refusedTokens = new RefusalLog(context.log, context.clock, "an offload token was refused");
    this.offload = new OffloadEngine({
      options: { ...defaultOffloadOptions, ...context.offload },
      clock: context.clock,
      randomBytes: context.randomBytes,
      volumes: () => context.volumes(),
      failed: (err) => context.log.error({ err }, "the data of a token could not be given up"),
    });
  }

  /** A client has connected: the caller feeds the connection and tells it when the transport is gone. */
  accept(transport: Transport): Connection {
    const connection = new Connection(this, transport);
    this.connections.add(connection);
    this.context.metrics.connections(1);
    return connection;
  }

  /** The open files of a volume: one table, however many shares lead to it. */
  fileTable(volume: Volume): FileTable {
    let table = this.#fileTables.get(volume);
    if (table === undefined) {
      table = new FileTable(volume, this.context.clock, this.breakNotices);
      if (volume.outside !== undefined) table.outside = new OutsideWatches(table, volume.outside);
      this.#fileTables.set(volume, table);
    }
    return table;
  }

  /** Forgets a volume that no share uses any more. */
  forgetVolume(volume: Volume): void {
    this.offload.forgetVolumes((other) => other === volume);
    if (this.#fileTables.get(volume)?.size === 0) this.#fileTables.delete(volume);
  }

  /** A FileId, unique over restarts. -1 is never reached. */
  allocateFileId(): bigint {
    return this.#nextFileId++;
  }

  /** Random, so that they tell nothing. 32 bits, as clients exist that keep no more of them; 0 and -1 are reserved. */
  allocateSessionId(): bigint {
    for (;;) {
      const id = BigInt(this.context.randomBytes(4).readUInt32LE());
      if (id !== 0n && !this.sessions.has(id)) return id;
    }
  }

  /**
   * Ends the sessions of users who may not be here any longer, and what is kept for them (MS-SMB2 3.3.4.12). Their clients are told.
   * @returns how many sessions
   */
  async endSessions(isOver: (identity: Identity) => Awaitable<boolean>): Promise<number> {
    let ended = 0;
    for (const session of [...this.sessions.values()]) {
      const { identity } = session;
      if (identity === undefined || !(await isOver(identity)) || session.state === "closing") continue;
      ended++;
      notifySessionClosed(session);
      await this.closeSession(session, false);
    }
    for (const open of [...this.durableOpens.disconnected]) {
      const { identity } = open.session;
      if (identity !== undefined && (await isOver(identity)) && open.isDisconnected) await this.close(open);
    }
    return ended;
  }

  /**
   * Ends a session with all that hangs on it (MS-SMB2 3.3.4.12, 3.3.5.6).
   * @param keepsHandles those that outlive sessions do so
   */
  async closeSession(session: Session, keepsHandles = true): Promise<void> {
    if (session.state === "closing") return;
    const wasValid = session.state !== "in-progress";
    session.state = "closing";
    this.sessions.delete(session.sessionId);
    const connections = new Set([...session.channels.keys(), ...session.authentications.keys()]);
    for (const connection of connections) {
      // What waits on a handle ends when that closes: a lock may be granted by the end of the handle before.
      connection.cancelWhere(
        (request) => request.hasSession && request.session === session && !this.#endsWithHandle(request.maybeOpen),
      );
      connection.sessions.delete(session.sessionId);
      connection.binding.delete(session);
      const channel = session.channels.get(connection);
      if (session.canSign && channel !== undefined) connection.rememberSigner(session.sessionId, channel.signer);
    }
    session.authentications.clear();
    for (const request of [...session.stranded]) request.cancel();
    for (const tree of session.trees.values()) tree.closing = true;
    session.trees.clear();
    if (wasValid) this.context.metrics.sessions(-1);
    await this.closeOpens([...session.opens.values()].filter((open) => !(keepsHandles && this.#disconnect(open))));
  }

  /** What waits on a handle that is kept is cancelled: nobody is there to take the answer. */
  #endsWithHandle(open: Open | undefined): boolean {
    return open !== undefined && (open.kind === "pipe" || this.isStopping || !isToBePreserved(open));
  }

  #disconnect(open: Open): boolean {
    return open.kind === "file" && !this.isStopping && this.durableOpens.disconnect(open);
  }

  /** Ends a tree connect with its opens (MS-SMB2 3.3.5.8). */
  async closeTree(tree: TreeConnect): Promise<void> {
    if (tree.closing) return;
    tree.closing = true;
    const { session } = tree;
    session.trees.delete(tree.treeId);
    await this.closeOpens([...session.opens.values()].filter((open) => open.tree === tree));
  }

  /** Closes handles, one after the other. */
  async closeOpens(opens: Iterable<Open>): Promise<void> {
    for (const open of opens) await this.close(open);
  }

  /** Closes a handle; a failure is logged, and nobody else's business. */
  close(open: Open): Awaitable<void> {
    const failed = (err: unknown) => this.context.log.error({ err, file: open.fileName }, "closing a file failed");
    try {
      const closed = closeOpen(this, open);
      return closed instanceof Promise ? closed.catch(failed) : closed;
    } catch (error) {
      failed(error);
    }
  }

  /** The transport of a connection is gone (MS-SMB2 3.3.7.1). */
  connectionClosed(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    this.clients.connectionClosed(connection);
    this.context.metrics.connections(-1);
    for (const session of [...connection.sessions.values()]) {
      session.channels.delete(connection);
      session.authentications.delete(connection);
      if (session.channels.size === 0) void this.closeSession(session);
      else for (const open of session.opens.values()) forgetConnection(open, connection);
    }
    connection.sessions.clear();
    for (const session of connection.binding) session.authentications.delete(connection);
    connection.binding.clear();
    this.breakNotices.connectionClosed(connection);
  }

  /** Ends the tree connects of shares that are gone or whose volume was exchanged. */
  async sharesChanged(): Promise<void> {
    for (const session of [...this.sessions.values()]) {
      for (const tree of [...session.trees.values()]) {
        const { share } = tree;
        if (share !== undefined && this.context.findShare(share.name)?.volume !== share.volume) {
          await this.closeTree(tree);
        }
      }
    }
    await this.closeOpens(
      [...this.durableOpens.disconnected].filter(({ tree: { share } }) => {
        return share === undefined || this.context.findShare(share.name)?.volume !== share.volume;
      }),
    );
  }

  /** Closes all sessions, flushing nothing that a client did not ask for, then all connections. */
  async shutdown(): Promise<void> {
    this.isStopping = true;
    for (const session of [...this.sessions.values()]) await this.closeSession(session);
    await this.closeOpens([...this.durableOpens.disconnected]);
    this.offload.close();
    this.slowRequests.close();
    this.#stalledClients.close();
    for (const connection of [...this.connections]) {
      connection.transport.end();
      connection.closed();
    }
  }
}

/** What was opened on a connection that is gone goes on without it. */
function forgetConnection(open: Open, connection: Connection): void {
  if (open.kind === "file" && open.connection === connection) open.connection = undefined;
}
