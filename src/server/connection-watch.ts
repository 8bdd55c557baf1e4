// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../smb2/server-context.ts";
import type { ServedConnection } from "./listener.ts";

/** Looks at a connection within the time that its client may be silent. */
const LOOKS = 4;

export interface WatchOptions {
  readonly clock: Clock;
  /** Milliseconds that a new connection has to send its NEGOTIATE. */
  readonly negotiateTimeout: number;
  /** Milliseconds that a connection may be without anybody logged on. */
  readonly authenticateTimeout: number;
  /** Milliseconds after which a client is gone whose system acknowledges nothing. */
  readonly unreachableTimeout: number;
}

/**
 * Ends a connection that is of no use to a user (MS-SMB2 3.3.2.3, 3.3.6.3).
 * @returns stops watching
 */
export function watchLogOn(
  connection: ServedConnection,
  { clock, negotiateTimeout, authenticateTimeout }: WatchOptions,
  end: (reason: string) => void,
): () => void {
  let wasAuthenticated = false;
  const checkAuthenticated = () => {
    const isAuthenticated = connection.isAuthenticated;
    if (!isAuthenticated && !wasAuthenticated) {
      end("nobody logged on");
      return;
    }
    // A client that logged off since the last look has one more period to log on again.
    wasAuthenticated = isAuthenticated;
    timer = clock.after(authenticateTimeout, checkAuthenticated);
  };
  const checkNegotiated = () => {
    if (connection.dialect === 0) {
      end("no NEGOTIATE");
      return;
    }
    timer = clock.after(Math.max(authenticateTimeout - negotiateTimeout, 0), checkAuthenticated);
  };
  let timer = clock.after(negotiateTimeout, checkNegotiated);
  return () => timer.cancel();
}

/**
 * Notices a client that has gone without a word while something was on its way to it. TCP by itself goes on trying for a quarter
 * of an hour, and asks for signs of life only where nothing is.
 * @param gone called once
 * @returns stops watching
 */
export function watchDelivery(
  { transport }: ServedConnection,
  { clock, unreachableTimeout }: WatchOptions,
  gone: () => void,
): () => void {
  let acknowledged: number | undefined = 0;
  let looks = 0;
  const look = () => {
    // Where all has been acknowledged and nothing was sent since then, the system need not be asked.
    if (transport.sentBytes === acknowledged) looks = 0;
    else {
      const before = acknowledged;
      acknowledged = transport.acknowledgedBytes();
      const isStuck = acknowledged !== undefined && acknowledged === before && acknowledged < transport.sentBytes;
      looks = isStuck ? looks + 1 : 0;
    }
    if (looks >= LOOKS) gone();
    else timer = clock.after(unreachableTimeout / LOOKS, look);
  };
  let timer = clock.after(unreachableTimeout / LOOKS, look);
  return () => timer.cancel();
}
