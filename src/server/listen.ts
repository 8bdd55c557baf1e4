// SPDX-License-Identifier: Apache-2.0

import type { Server } from "node:net";
import { formatHostPort, type HostPort } from "./config/units.ts";
import { StartupError, systemErrorCode } from "./startup-error.ts";

function explain(error: unknown, address: HostPort, what: string): unknown {
  switch (systemErrorCode(error)) {
    case "EADDRINUSE":
      return new StartupError(
        `Cannot listen on ${what}: the port is taken.`,
        address.port === 445
          ? "Another file server is running, perhaps smbd or ksmbd. Stop it, or choose another port: --listen HOST:4445."
          : "Another program, perhaps another Tessera, is using it. Stop it, or choose another port.",
      );
    case "EACCES":
      return new StartupError(
        `Cannot listen on ${what}: permission denied.`,
        address.port < 1024
          ? "Ports below 1024 need a privilege. Either run the service unit of deploy/, which grants CAP_NET_BIND_SERVICE," +
              ` or allow it to this Node: sudo setcap cap_net_bind_service=+ep ${process.execPath}` +
              ", or choose another port: --listen HOST:4445."
          : undefined,
      );
    case "EADDRNOTAVAIL":
      return new StartupError(`Cannot listen on ${what}: this machine has no such address.`);
    case "EAFNOSUPPORT":
      return new StartupError(`Cannot listen on ${what}: this machine does not speak that protocol family.`);
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new StartupError(`Cannot listen on ${what}: the host name ${address.host} is not known.`);
    default:
      return error;
  }
}

/**
 * Starts listening and returns the address that it became, with the port that the system chose for port 0.
 * @param what the address in the words of the error messages
 * @throws StartupError
 */
export function listenOn(server: Server, address: HostPort, what: string = formatHostPort(address)): Promise<HostPort> {
  return new Promise((resolve, reject) => {
    const failed = (error: unknown) => reject(explain(error, address, what));
    server.once("error", failed);
    server.listen({ host: address.host, port: address.port, backlog: 1024 }, () => {
      server.removeListener("error", failed);
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? { host: bound.address, port: bound.port } : address);
    });
  });
}
