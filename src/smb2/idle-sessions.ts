// SPDX-License-Identifier: Apache-2.0

import type { Smb2Server } from "./server.ts";
import type { Session } from "./state/session.ts";
import { notifySessionClosed } from "./unsolicited.ts";

/** Ends a session once it has asked nothing for the configured time and has nothing open (Session.IdleTime, MS-SMB2 3.3.1.8). */
export function watchIdleness(server: Smb2Server, session: Session): void {
  const { clock, options, log } = server.context;
  const { sessionIdleTimeout: timeout } = options;
  if (timeout === 0) return;
  session.lastUsed = clock.now();
  const look = (): void => {
    if (session.state === "closing") return;
    const idle = clock.now() - session.lastUsed;
    if (idle < timeout || isInUse(session)) {
      // A clock that was set back makes nobody wait longer than a whole period.
      clock.after(idle > 0 && idle < timeout ? timeout - idle : timeout, look);
      return;
    }
    log.info({ user: session.identity?.userName, reason: "idle" }, "session ended");
    notifySessionClosed(session);
    void server.closeSession(session, false);
  };
  clock.after(timeout, look);
}

/** Something is open, or a request has not been answered, which may be about to open something. */
function isInUse(session: Session): boolean {
  if (session.opens.size > 0) return true;
  for (const connection of session.channels.keys()) if (connection.unfinished > 0) return true;
  return false;
}
