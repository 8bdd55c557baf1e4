// SPDX-License-Identifier: Apache-2.0

/** What a byte stream tells its owner. */
export interface StreamEvents {
  /** A view that is valid during the call only. */
  received(chunk: Buffer): void;
  /** Where what comes next belongs: it is read into there, and told by {@link filled}. `undefined`: told by {@link received}. */
  room(): Buffer | undefined;
  /** So many bytes have come into the room that was given last. */
  filled(count: number): void;
  /** Once, at the end: nothing is received any more, and no buffer that was sent is touched. */
  closed(error: Error | undefined): void;
}

/** A connection to a portal. */
export interface ByteStream {
  /** For messages: `address:port` of this side. */
  readonly localAddress: string;
  /** From now on; what was received before is told then. */
  begin(events: StreamEvents): void;
  /**
   * Queues buffers as one piece. They must not be changed until `done`, or `closed`.
   */
  send(buffers: readonly Buffer[], done?: () => void): void;
  /** Bytes that were queued and are not yet with the operating system. */
  readonly queuedBytes: number;
  destroy(error?: Error): void;
}

export interface Portal {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Target portal group tag, where discovery told it. */
  readonly portalGroupTag?: number | undefined;
}

export const formatPortal = ({ host, port }: Portal): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Connects to a portal; rejects when the signal is aborted. */
export type Dial = (portal: Portal, signal: AbortSignal) => Promise<ByteStream>;
