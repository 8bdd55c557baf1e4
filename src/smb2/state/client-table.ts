// SPDX-License-Identifier: Apache-2.0

import type { Connection } from "../connection.ts";
import { Dialect } from "../wire/constants.ts";

interface Client {
  readonly dialect: number;
  /** Its connections on which somebody has logged on. */
  readonly connections: Set<Connection>;
}

/**
 * The clients that have logged on, by ClientGuid (GlobalClientTable, MS-SMB2 3.3.1.16): all connections of one speak the same
 * dialect, so that none of them can have been talked down to a weaker one. Bounded by the number of connections.
 */
export class ClientTable {
  readonly #clients = new Map<string, Client>();

  get size(): number {
    return this.#clients.size;
  }

  /**
   * A user has logged on (MS-SMB2 3.3.5.5.3).
   * @returns false where the client speaks another dialect on another connection
   */
  admit(connection: Connection): boolean {
    const { clientGuid, dialect } = connection;
    // A GUID of zero tells nobody apart: those who know none send it (MS-SMB2 2.2.3).
    if (dialect === Dialect.SMB_2_0_2 || clientGuid.every((byte) => byte === 0)) return true;
    const key = clientGuid.toString("latin1");
    const client = this.#clients.get(key);
    if (client === undefined) {
      this.#clients.set(key, { dialect, connections: new Set([connection]) });
      return true;
    }
    if (client.dialect !== dialect) return false;
    client.connections.add(connection);
    return true;
  }

  /** A connection is gone, and the client with the last of them (MS-SMB2 3.3.7.1). */
  connectionClosed(connection: Connection): void {
    const key = connection.clientGuid.toString("latin1");
    const client = this.#clients.get(key);
    if (client?.connections.delete(connection) && client.connections.size === 0) this.#clients.delete(key);
  }
}
