// SPDX-License-Identifier: Apache-2.0

import { createServer } from "node:http";
import type { Registry } from "prom-client";
import { formatHostPort, type HostPort } from "./config/units.ts";
import { listenOn } from "./listen.ts";

export interface MetricsEndpoint {
  readonly address: HostPort;
  close(): Promise<void>;
}

/**
 * Serves `GET /metrics` in the Prometheus text format, and `GET /healthz`.
 * @throws StartupError when the address cannot be listened on
 */
export async function serveMetrics(registry: Registry, { host, port }: HostPort): Promise<MetricsEndpoint> {
  const server = createServer((request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    switch (request.url?.split("?")[0]) {
      case "/metrics":
        registry.metrics().then(
          (text) => response.writeHead(200, { "content-type": registry.contentType }).end(text),
          () => response.writeHead(500).end(),
        );
        break;
      case "/healthz":
        response.writeHead(200, { "content-type": "text/plain" }).end("ok\n");
        break;
      default:
        response.writeHead(404).end();
    }
  });
  server.maxConnections = 32;
  const address = await listenOn(server, { host, port }, `the metrics address ${formatHostPort({ host, port })}`);
  return {
    address,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
