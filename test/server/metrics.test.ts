// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it } from "vitest";
import { ServerMetrics } from "../../src/server/metrics.ts";
import { type MetricsEndpoint, serveMetrics } from "../../src/server/metrics-endpoint.ts";

describe("ServerMetrics", () => {
  let metrics: ServerMetrics | undefined;
  let endpoint: MetricsEndpoint | undefined;

  afterEach(async () => {
    await endpoint?.close();
    metrics?.close();
    endpoint = undefined;
  });

  it("counts requests by command and status", async () => {
    metrics = new ServerMetrics();
    metrics.request(0x0008, 0);
    metrics.request(0x0008, 0);
    metrics.request(0x0008, 0xc0000011);
    const text = await metrics.registry.metrics();
    expect(text).toContain('tessera_requests_total{command="READ",status="STATUS_SUCCESS"} 2\n');
    expect(text).toContain('tessera_requests_total{command="READ",status="STATUS_END_OF_FILE"} 1\n');
    // Collecting counts nothing twice.
    expect(await metrics.registry.metrics()).toContain('command="READ",status="STATUS_SUCCESS"} 2\n');
  });

  it("does not grow with commands that do not exist", async () => {
    metrics = new ServerMetrics();
    for (let command = 0x100; command < 0x200; command++) {
      metrics.request(command, 0xc000000d);
    }
    const lines = (await metrics.registry.metrics())
      .split("\n")
      .filter((line) => line.startsWith("tessera_requests_total{"));
    expect(lines).toEqual(['tessera_requests_total{command="UNKNOWN",status="STATUS_INVALID_PARAMETER"} 256']);
  });

  it("adds bytes up and follows what is live", async () => {
    metrics = new ServerMetrics();
    metrics.bytesRead(10);
    metrics.bytesRead(5);
    metrics.bytesWritten(7);
    metrics.connections(1);
    metrics.sessions(1);
    metrics.opens(1);
    metrics.opens(1);
    metrics.opens(-1);
    metrics.request(0x0008, 0);
    metrics.watchMessages(() => 12_345);
    expect(metrics.totals).toEqual({
      connections: 1,
      sessions: 1,
      opens: 1,
      requests: 1,
      readBytes: 15,
      writtenBytes: 7,
    });
    const text = await metrics.registry.metrics();
    expect(text).toContain("\ntessera_read_bytes_total 15\n");
    expect(text).toContain("\ntessera_written_bytes_total 7\n");
    expect(text).toContain("\ntessera_connections 1\n");
    expect(text).toContain("\ntessera_opens 1\n");
    expect(text).toContain("\ntessera_message_bytes 12345\n");
  });

  it("tells copies apart by operation and way, and refusals by operation and reason", async () => {
    metrics = new ServerMetrics();
    metrics.copied("odx", "reflink", 2 ** 40);
    metrics.copied("odx", "reflink", 1);
    metrics.copied("copychunk", "kernel", 5);
    metrics.copyRefused("odx", "altered");
    metrics.copyRefused("odx", "altered");
    for (let round = 0; round < 2; round++) {
      const text = await metrics.registry.metrics();
      expect(text).toContain('\ntessera_copied_bytes_total{operation="odx",way="reflink"} 1099511627777\n');
      expect(text).toContain('\ntessera_copied_bytes_total{operation="copychunk",way="kernel"} 5\n');
      expect(text).toContain('\ntessera_copies_refused_total{operation="odx",reason="altered"} 2\n');
    }
  });

  it("asks for tokens when it is asked, and knows of none before there is a server", async () => {
    metrics = new ServerMetrics();
    expect(await metrics.registry.metrics()).toContain("\ntessera_offload_tokens 0\n");
    metrics.watchTokens(() => ({ tokens: 3, bytes: 300, pins: 2, pinnedBytes: 200, preservedBytes: 100 }));
    const text = await metrics.registry.metrics();
    expect(text).toContain("\ntessera_offload_tokens 3\n");
    expect(text).toContain("\ntessera_offload_token_bytes 300\n");
    expect(text).toContain("\ntessera_offload_pins 2\n");
    expect(text).toContain("\ntessera_offload_pinned_bytes 200\n");
    expect(text).toContain("\ntessera_offload_preserved_bytes 100\n");
  });

  it("tells how long the event loop was held up beyond its pace, and begins anew with each collection", async () => {
    const histogram = { samples: [20e6, 20.5e6, 120e6], enabled: false };
    metrics = new ServerMetrics({
      get max() {
        return Math.max(0, ...histogram.samples);
      },
      percentile: (percentile) => histogram.samples[Math.floor((percentile / 100) * histogram.samples.length)] ?? 0,
      reset: () => void histogram.samples.splice(0),
      enable: () => {
        histogram.enabled = true;
        return true;
      },
      disable: () => {
        histogram.enabled = false;
        return true;
      },
    });
    expect(histogram.enabled).toBe(true);
    expect(metrics.eventLoopDelay.median).toBeCloseTo(0.0005);
    expect(metrics.eventLoopDelay.longest).toBeCloseTo(0.1);
    expect(await metrics.registry.metrics()).toMatch(/\ntessera_event_loop_delay_seconds\{quantile="0.99"\} 0\.1\n/);
    expect(metrics.eventLoopDelay).toEqual({ median: 0, p99: 0, longest: 0 });
    metrics.close();
    expect(histogram.enabled).toBe(false);
  });

  it("is served over HTTP, and nothing else is", async () => {
    metrics = new ServerMetrics();
    endpoint = await serveMetrics(metrics.registry, { host: "127.0.0.1", port: 0 });
    const base = `http://127.0.0.1:${endpoint.address.port}`;
    const answer = await fetch(`${base}/metrics`);
    expect(answer.headers.get("content-type")).toContain("text/plain");
    expect(await answer.text()).toContain("tessera_connections 0");
    expect(await (await fetch(`${base}/healthz`)).text()).toBe("ok\n");
    expect((await fetch(`${base}/etc/passwd`)).status).toBe(404);
    expect((await fetch(`${base}/metrics`, { method: "POST" })).status).toBe(405);
  });
});
