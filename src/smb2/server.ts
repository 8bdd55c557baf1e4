// SPDX-License-Identifier: Apache-2.0

import { BufferPool } from "../memory/buffer-pool.ts";
import { defaultOffloadOptions, OffloadEngine } from "../offload/engine.ts";
import type { Volume } from "../vfs/volume.ts";
import { Connection } from "./connection.ts";
import type { ServerContext, Transport } from "./server-context.ts";
import { closeOpen } from "./state/close-open.ts";
import type { Open } from "./state/open.ts";
import type { Session } from "./state/session.ts";
import { FileTable } from "./state/shared-file.ts";
import type { TreeConnect } from "./state/tree-connect.ts";

/** State that all connections share (MS-SMB2 3.3.1.5): sessions, opens, files. */
export class Smb2Server {
  readonly context: ServerContext;
  /** GlobalSessionTable. */
  readonly sessions = new Map<bigint, Session>();
  readonly connections = new Set<Connection>();
  /** Opens by resume key, as hexadecimal text. */
  readonly resumeKeys = new Map<string, Open>();
  /** Tokens of offloaded copies. */
  readonly offload: OffloadEngine;
  readonly #fileTables = new Map<Volume, FileTable>();
  /** Memory of frames and file data. */
  readonly buffers = new BufferPool();
  #nextFileId = 1n;

  constructor(context: ServerContext) {
    this.context = context;
    this.offload = new OffloadEngine({
      options: { ...defaultOffloadOptions, ...context.offload },
      clock: context.clock,
      randomBytes: context.randomBytes,
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
      table = new FileTable(volume);
      this.#fileTables.set(volume, table);
    }
    return table;
  }

  /** Forgets a volume that no share uses any more. */
  forgetVolume(volume: Volume): void {
    this.offload.forgetVolumes((other) => other === volume);
    if (this.#fileTables.get(volume)?.size === 0) this.#fileTables.delete(volume);
  }

  /** A FileId, unique while the server runs. -1 is never reached. */
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

  /** Ends a session with all that hangs on it (MS-SMB2 3.3.4.12, 3.3.5.6). */
  async closeSession(session: Session): Promise<void> {
    if (session.state === "closing") return;
    const wasValid = session.state !== "in-progress";
    session.state = "closing";
    this.sessions.delete(session.sessionId);
    const connections = new Set([...session.channels.keys(), ...session.authentications.keys()]);
    for (const connection of connections) {
      // What waits on a handle ends when that closes: a lock may be granted by the end of the handle before.
      connection.cancelWhere(
        (request) => request.maybeOpen === undefined && request.hasSession && request.session === session,
      );
      connection.sessions.delete(session.sessionId);
      const channel = session.channels.get(connection);
      if (session.canSign && channel !== undefined) connection.rememberSigner(session.sessionId, channel.signer);
    }
    session.authentications.clear();
    for (const tree of session.trees.values()) tree.closing = true;
    session.trees.clear();
    if (wasValid) this.context.metrics.sessions(-1);
    await this.closeOpens([...session.opens.values()]);
  }

  /** Ends a tree connect with its opens (MS-SMB2 3.3.5.8). */
  async closeTree(tree: TreeConnect): Promise<void> {
    if (tree.closing) return;
    tree.closing = true;
    const { session } = tree;
    session.trees.delete(tree.treeId);
    await this.closeOpens([...session.opens.values()].filter((open) => open.tree === tree));
  }

  /** Closes handles; a failure of one is logged and does not keep the others open. */
  async closeOpens(opens: readonly Open[]): Promise<void> {
    for (const open of opens) {
      try {
        await closeOpen(this, open);
      } catch (err) {
        this.context.log.error({ err, file: open.fileName }, "closing a file failed");
      }
    }
  }

  /** The transport of a connection is gone (MS-SMB2 3.3.7.1). */
  connectionClosed(connection: Connection): void {
    if (!this.connections.delete(connection)) return;
    this.context.metrics.connections(-1);
    for (const session of [...connection.sessions.values()]) {
      session.channels.delete(connection);
      session.authentications.delete(connection);
      if (session.channels.size === 0) void this.closeSession(session);
    }
    connection.sessions.clear();
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
  }

  /** Closes all sessions, flushing nothing that a client did not ask for, then all connections. */
  async shutdown(): Promise<void> {
    for (const session of [...this.sessions.values()]) await this.closeSession(session);
    this.offload.close();
    for (const connection of [...this.connections]) {
      connection.transport.end();
      connection.closed();
    }
  }
}
