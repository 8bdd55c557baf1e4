// SPDX-License-Identifier: Apache-2.0

import type { Clock } from "./clock.ts";
import type { ChapOptions } from "./iscsi/chap.ts";
import { formatLun } from "./iscsi/lun.ts";
import { defaultSessionWishes, type SessionWishes } from "./iscsi/negotiation.ts";
import { type InitiatorParts, type OpenOptions, openSession } from "./iscsi/open-session.ts";
import { defaultSessionTimes } from "./iscsi/session.ts";
import type { SessionTimes } from "./iscsi/session-link.ts";
import { dialTcp } from "./iscsi/tcp-stream.ts";
import { type Dial, formatPortal, type Portal } from "./iscsi/transport.ts";
import type { LogicalUnit } from "./logical-unit.ts";
import { defaultUnitOptions, ScsiUnit, type UnitOptions } from "./unit/unit.ts";

export interface IscsiUnitOptions {
  /** Where the target can be reached, in the order of preference; at least one. */
  readonly portals: readonly Portal[];
  readonly targetName: string;
  /** 64 bits, as `encodeLun` makes it of a number. */
  readonly lun: bigint;
  /** By which the array knows this host: `iqn.…`. */
  readonly initiatorName: string;
  readonly chap?: ChapOptions | undefined;
  readonly session?: Partial<SessionWishes> | undefined;
  readonly times?: Partial<SessionTimes> | undefined;
  /** Milliseconds for connection and login on one portal. */
  readonly loginTimeout?: number | undefined;
  readonly unit?: Partial<UnitOptions> | undefined;
}

/** What the initiator needs of its surroundings. */
export interface IscsiSurroundings {
  readonly clock: Clock;
  readonly randomBytes: (size: number) => Buffer;
  /** TCP, where it is left out. */
  readonly dial?: Dial | undefined;
}

/** The iSCSI name of a host that was given none. */
export function defaultInitiatorName(hostName: string): string {
  const name = hostName.toLowerCase().replace(/[^a-z0-9.:-]/g, "-");
  return `iqn.2026-01.tessera-smb:${name === "" ? "gateway" : name}`;
}

const DEFAULT_LOGIN_TIMEOUT = 5000;

/** An initiator session identifier of the random kind (RFC 7143 11.12.5): it names this initiator port for good. */
function randomIsid(randomBytes: (size: number) => Buffer): Buffer {
  const isid = randomBytes(6);
  isid[0] = 0x80;
  return isid;
}

export function initiatorParts(
  { clock, randomBytes, dial }: IscsiSurroundings,
  options: Pick<IscsiUnitOptions, "times" | "loginTimeout">,
): InitiatorParts {
  return {
    clock,
    randomBytes,
    dial: dial ?? dialTcp,
    times: { ...defaultSessionTimes, ...options.times },
    loginTimeout: options.loginTimeout ?? DEFAULT_LOGIN_TIMEOUT,
  };
}

export function loginOptions(
  { randomBytes }: IscsiSurroundings,
  {
    initiatorName,
    targetName,
    chap,
    session,
  }: Pick<IscsiUnitOptions, "initiatorName" | "targetName" | "chap" | "session">,
): OpenOptions {
  return {
    initiatorName,
    targetName,
    isid: randomIsid(randomBytes),
    chap,
    wishes: { ...defaultSessionWishes, ...session },
  };
}

/**
 * A logical unit of an iSCSI target. Looks for a path from now on until it is closed; `ready` says when there is one.
 * Each unit has a session of its own, so that one that is stuck holds nobody up.
 */
export function openIscsiUnit(surroundings: IscsiSurroundings, options: IscsiUnitOptions): LogicalUnit {
  const { portals, targetName, lun } = options;
  const [first] = portals;
  if (first === undefined) throw new RangeError("a unit needs a portal");
  const parts = initiatorParts(surroundings, options);
  const login = loginOptions(surroundings, options);
  return new ScsiUnit({
    address: `iscsi://${formatPortal(first)}/${targetName}/${formatLun(lun)}`,
    lun,
    paths: portals.map((portal) => ({
      name: formatPortal(portal),
      open: (events) => openSession(parts, portal, login, events),
    })),
    clock: surroundings.clock,
    randomBytes: surroundings.randomBytes,
    options: { ...defaultUnitOptions, ...options.unit },
  });
}
