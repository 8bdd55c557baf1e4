// SPDX-License-Identifier: Apache-2.0

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/** Both ends of a TCP connection over loopback; the one that was accepted has not been read from yet. */
export class SocketPair {
  readonly server: Server;
  readonly client: Socket;
  readonly accepted: Socket;

  private constructor(server: Server, client: Socket, accepted: Socket) {
    this.server = server;
    this.client = client;
    this.accepted = accepted;
  }

  static async connect(): Promise<SocketPair> {
    const server = createServer({ noDelay: true, pauseOnConnect: true });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [accepted] = (await once(server, "connection")) as [Socket];
    return new SocketPair(server, client, accepted);
  }

  close(): void {
    this.client.destroy();
    this.accepted.destroy();
    this.server.close();
  }
}
