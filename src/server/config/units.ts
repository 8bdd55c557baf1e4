// SPDX-License-Identifier: Apache-2.0

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `500ms`, `5m`, `2h`, `1d`, or a number of seconds, as milliseconds; `undefined` for anything else. */
export function parseDuration(value: string | number): number | undefined {
  if (typeof value === "number") {
    return Number.isFinite(value) && value >= 0 ? Math.round(value * 1000) : undefined;
  }
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(value.trim());
  const unit = MILLISECONDS[match?.[2] ?? ""];
  return match === null || unit === undefined ? undefined : Math.round(Number(match[1]) * unit);
}

export interface HostPort {
  /** An IP address or host name, IPv6 without brackets. */
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
}

/** `HOST:PORT`, `[IPv6]:PORT` or `HOST` alone with a default port; `undefined` for anything else. */
export function parseHostPort(value: string, defaultPort: number): HostPort | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:[\]]+))(?::(\d{1,5}))?$/.exec(value.trim());
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? defaultPort : Number(match[3]);
  return host === undefined || port > 65535 ? undefined : { host, port };
}

/** The counterpart of {@link parseHostPort}. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
