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

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
  TiB: 1024 ** 4,
  PiB: 1024 ** 5,
};

/** `512B`, `64KiB`, `1.5GiB` and so on, or a number of bytes, as whole bytes; `undefined` for anything else. */
export function parseSize(value: string | number): number | undefined {
  const match = typeof value === "number" ? undefined : /^(\d+(?:\.\d+)?)\s*([KMGTP]iB|B)$/.exec(value.trim());
  const bytes =
    typeof value === "number" ? value : Math.round(Number(match?.[1]) * (BYTES[match?.[2] ?? ""] ?? Number.NaN));
  return Number.isSafeInteger(bytes) && bytes >= 0 ? bytes : undefined;
}

/** Bytes for people: `1.5 GiB`. */
export function formatSize(bytes: number): string {
  const [name, unit] = Object.entries(BYTES).findLast(([, each]) => Math.abs(bytes) >= each) ?? ["B", 1];
  return `${trimmed(bytes / unit)} ${name}`;
}

/** Three digits that count, and no zeros at the end of a fraction. */
function trimmed(value: number): string {
  return value >= 100 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}

/** Milliseconds for people: `250 ms`, `4.5 s`, `12 min 30 s`, `2 h 5 min`, `3 d 4 h`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1000) return `${trimmed(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${trimmed(milliseconds / 1000)} s`;
  const parts: readonly (readonly [string, number])[] = [
    ["d", Math.floor(milliseconds / 86_400_000)],
    ["h", Math.floor(milliseconds / 3_600_000) % 24],
    ["min", Math.floor(milliseconds / 60_000) % 60],
    ["s", Math.floor(milliseconds / 1000) % 60],
  ];
  const first = parts.findIndex(([, value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([, value]) => value > 0)
    .map(([unit, value]) => `${value} ${unit}`)
    .join(" ");
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

/** Whether only this machine can reach a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/.test(host);
}

/** The counterpart of {@link parseHostPort}. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
