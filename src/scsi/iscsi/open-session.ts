// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "../clock.ts";
import { TransportError } from "../errors.ts";
import type { NexusEvents } from "../nexus.ts";
import { type ConnectionEvents, IscsiConnection } from "./connection.ts";
import { type LoginOptions, LoginRedirect, type LoginResult } from "./login.ts";
import { IscsiSession } from "./session.ts";
import type { SessionTimes } from "./session-link.ts";
import { type Dial, formatPortal, type Portal } from "./transport.ts";

export interface InitiatorParts {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  readonly times: SessionTimes;
  /** Milliseconds for a connection and a login. */
  readonly loginTimeout: number;
}

export type OpenOptions = Omit<LoginOptions, "randomBytes">;

const MAXIMUM_REDIRECTS = 4;
/** Runs `action` with a signal that is aborted when the login takes too long. */
async function withDeadline<T>(
  { clock, loginTimeout }: InitiatorParts,
  portal: Portal,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const timer = clock.after(loginTimeout, () => {
    controller.abort(new TransportError(`${formatPortal(portal)} does not answer`));
  });
  try {
    return await action(controller.signal);
  } finally {
    timer.cancel();
  }
}

/**
 * Connects and logs in, wherever the target sends us.
 * @param attach is called in the moment in which the login is over
 * @throws LoginError, TransportError
 */
export async function connect(
  parts: InitiatorParts,
  portal: Portal,
  options: OpenOptions,
  attach: (connection: IscsiConnection, login: LoginResult, at: Portal) => ConnectionEvents,
): Promise<void> {
  let at = portal;
  for (let redirects = 0; ; redirects++) {
    try {
      await withDeadline(parts, at, async (signal) => {
        const stream = await parts.dial(at, signal);
        const connection = new IscsiConnection(stream, options.wishes.maxRecvDataSegmentLength);
        signal.addEventListener("abort", () => connection.fail(signal.reason), { once: true });
        const current = at;
        await connection.login({ ...options, randomBytes: parts.randomBytes }, (login) =>
          attach(connection, login, current),
        );
      });
      return;
    } catch (error) {
      if (!(error instanceof LoginRedirect) || redirects === MAXIMUM_REDIRECTS) throw error;
      at = error.portal;
    }
  }
}

/**
 * A session with the target that `options` name.
 * @throws LoginError, TransportError
 */
export async function openSession(
  parts: InitiatorParts,
  portal: Portal,
  options: OpenOptions,
  events: NexusEvents,
): Promise<IscsiSession> {
  let session: IscsiSession | undefined;
  await connect(parts, portal, options, (connection, login, at) => {
    const group = login.parameters.targetPortalGroupTag ?? portal.portalGroupTag;
    session = new IscsiSession({
      portal: formatPortal(at),
      // The names of initiator and target do not change; without a group tag, each portal counts as one (RFC 7143 4.4.1).
      name: `${options.isid.toString("hex")},${group ?? formatPortal(at)}`,
      connection,
      login,
      clock: parts.clock,
      times: parts.times,
      events,
    });
    return session;
  });
  if (session === undefined) throw new TransportError("the login was not completed");
  return session;
}
