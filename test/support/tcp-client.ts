// SPDX-License-Identifier: Apache-2.0

import { type Account, type LogOnOptions, logOn, type SmbTree } from "./smb-client.ts";
import { type NegotiateOptions, SmbConnection } from "./smb-connection.ts";
import { connectTcp, type TcpTransport } from "./smb-transport.ts";

export interface MountOptions extends LogOnOptions {
  readonly negotiate?: NegotiateOptions;
}

/** A share of a running server, on a TCP connection of its own. */
export interface MountedShare {
  readonly tree: SmbTree;
  readonly transport: TcpTransport;
  /** Ends the connection at once. */
  readonly close: () => void;
}

/** Connects, negotiates, logs on and connects to a share of the server on 127.0.0.1:`port`. @throws StatusError */
export async function mountTcp(
  port: number,
  account: Account,
  share: string,
  options: MountOptions = {},
): Promise<MountedShare> {
  const { negotiate, ...logOnOptions } = options;
  const transport = await connectTcp(port);
  const close = () => transport.destroy();
  try {
    const connection = new SmbConnection(transport);
    await connection.negotiate(negotiate);
    const session = await logOn(connection, account, logOnOptions);
    return { tree: await session.treeConnect(share), transport, close };
  } catch (error) {
    close();
    throw error;
  }
}
