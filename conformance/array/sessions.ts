// SPDX-License-Identifier: Apache-2.0
/** The sessions of an array: who is logged in where, and what a reset does to their tasks. */

import type { Connection } from "./iscsi/connection.ts";
import { TaskManagementResponse } from "./iscsi/host.ts";
import type { LoginIdentity } from "./iscsi/login.ts";
import { LoginStatus } from "./iscsi/login.ts";
import { Session } from "./iscsi/session.ts";
import { TaskManagement } from "./iscsi/task-management.ts";
import { decodeLun } from "./scsi/lun.ts";
import { Nexus } from "./scsi/nexus.ts";
import { Attention, type Sense } from "./scsi/sense.ts";
import type { Target } from "./scsi/target.ts";
import type { LogicalUnit } from "./scsi/unit.ts";

const maxSessions = 256;

export interface SessionEvents {
  readonly queueDepth: number;
  target(name: string): Target | undefined;
  nexusLost(nexus: Nexus): void;
  unitReset(unit: LogicalUnit): void;
  log(message: string): void;
}

export class SessionTable {
  readonly #events: SessionEvents;
  readonly #sessions = new Map<number, Session>();
  /** I_T nexuses that were here before: they are told of their loss, not of the power on. */
  readonly #known = new Set<string>();
  #lastTsih = 0;

  constructor(events: SessionEvents) {
    this.#events = events;
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }

  /** Enters a session. One of the same initiator port and target portal group ends first (RFC 7143 6.3.5). */
  establish(identity: LoginIdentity, connection: Connection): Session | number {
    if (identity.tsih !== 0) {
      return this.#sessions.has(identity.tsih) ? LoginStatus.TOO_MANY_CONNECTIONS : LoginStatus.SESSION_DOES_NOT_EXIST;
    }
    const { portalGroup } = connection;
    const target = identity.targetName === undefined ? undefined : this.#events.target(identity.targetName);
    if (identity.targetName !== undefined && target === undefined) return LoginStatus.TARGET_REMOVED;
    const nexus = target && new Nexus(identity.initiatorName, identity.isid, target, portalGroup);
    if (nexus !== undefined) this.#reinstate(nexus);
    if (this.#sessions.size >= maxSessions) return LoginStatus.OUT_OF_RESOURCES;
    const session = new Session(identity, this.#newTsih(), connection, nexus, this.#events.queueDepth);
    this.#sessions.set(session.tsih, session);
    if (nexus !== undefined) this.#greet(nexus);
    this.#events.log(`login of ${identity.initiatorName} to ${identity.targetName ?? "discovery"}`);
    return session;
  }

  /** The connection of the session is gone, and with it the nexus: MaxConnections is 1, Time2Retain 0. */
  ended(session: Session): void {
    if (!this.#sessions.delete(session.tsih)) return;
    for (const task of [...session.tasks.values()]) session.abort(task);
    if (session.nexus !== undefined) this.#events.nexusLost(session.nexus);
    this.#events.log(`end of the session of ${session.identity.initiatorName}`);
  }

  /** Establishes a unit attention for every nexus that reaches the unit, except one. */
  attention(unit: LogicalUnit, attention: Sense, except?: Nexus): void {
    for (const nexus of this.#nexusesOf(unit)) if (nexus !== except) nexus.raise(unit, attention);
  }

  /** Establishes a unit attention for all units of all nexuses of a target, or of all targets. */
  targetAttention(attention: Sense, target?: Target): void {
    for (const { nexus } of this.#sessions.values()) {
      if (nexus === undefined || (target !== undefined && nexus.target !== target)) continue;
      for (const unit of nexus.target.luns.values()) nexus.raise(unit, attention);
    }
  }

  /** Task management on units and targets (RFC 7143 11.5.1, SAM-5 7). */
  manage(session: Session, operation: number, lun: Buffer): number {
    const { nexus } = session;
    if (nexus === undefined) return TaskManagementResponse.REJECTED;
    switch (operation) {
      case TaskManagement.TARGET_WARM_RESET:
      case TaskManagement.TARGET_COLD_RESET:
        this.#resetTarget(session, operation === TaskManagement.TARGET_COLD_RESET);
        return TaskManagementResponse.FUNCTION_COMPLETE;
      case TaskManagement.ABORT_TASK_SET:
      case TaskManagement.CLEAR_TASK_SET:
      case TaskManagement.LOGICAL_UNIT_RESET: {
        const number = decodeLun(lun);
        const unit = typeof number === "number" ? nexus.target.luns.get(number) : undefined;
        if (unit === undefined) return TaskManagementResponse.LUN_DOES_NOT_EXIST;
        this.#manageUnit(session, operation, unit);
        return TaskManagementResponse.FUNCTION_COMPLETE;
      }
      default:
        return TaskManagementResponse.NOT_SUPPORTED;
    }
  }

  #manageUnit(session: Session, operation: number, unit: LogicalUnit): void {
    if (operation === TaskManagement.ABORT_TASK_SET) {
      this.#abortTasks(session, unit);
      return;
    }
    if (operation === TaskManagement.LOGICAL_UNIT_RESET) {
      this.resetUnit(unit);
      return;
    }
    for (const other of this.#sessions.values()) {
      const aborted = this.#abortTasks(other, unit);
      if (aborted > 0 && other !== session) other.nexus?.raise(unit, Attention.COMMANDS_CLEARED);
    }
  }

  /** Ends all tasks of a unit and its copy operations; all nexuses are told (SAM-5 6.3.3). */
  resetUnit(unit: LogicalUnit): void {
    unit.reset();
    this.#events.unitReset(unit);
    for (const session of this.#sessions.values()) {
      this.#abortTasks(session, unit);
      const { nexus } = session;
      if (nexus === undefined || !this.#reaches(nexus, unit)) continue;
      nexus.replaceAttentions(unit, Attention.BUS_DEVICE_RESET);
    }
  }

  #resetTarget(session: Session, cold: boolean): void {
    const target = session.nexus?.target;
    for (const unit of target?.luns.values() ?? []) this.resetUnit(unit);
    if (!cold) return;
    // A cold reset is a power on: all sessions of the target end (RFC 7143 11.5.1), this one after the response.
    for (const other of this.list()) {
      if (other.nexus?.target !== target) continue;
      if (other !== session) other.connection.drop();
      else queueMicrotask(() => other.connection.end());
    }
  }

  #abortTasks(session: Session, unit: LogicalUnit): number {
    let aborted = 0;
    for (const task of [...session.tasks.values()]) {
      const number = decodeLun(task.command.lun);
      if (typeof number !== "number" || session.nexus?.target.luns.get(number) !== unit) continue;
      session.abort(task);
      aborted += 1;
    }
    return aborted;
  }

  #reinstate(nexus: Nexus): void {
    for (const old of this.list()) {
      const same =
        old.nexus?.initiatorPort === nexus.initiatorPort &&
        old.nexus.target === nexus.target &&
        old.nexus.portalGroup === nexus.portalGroup;
      if (!same) continue;
      this.ended(old);
      old.connection.drop();
    }
  }

  /** What a nexus learns first (SAM-5 6.2): that the power came on, or that it was lost. */
  #greet(nexus: Nexus): void {
    const name = `${nexus.initiatorPort} ${nexus.target.name} ${nexus.portalGroup}`;
    const attention = this.#known.has(name) ? Attention.NEXUS_LOSS : Attention.POWER_ON;
    if (this.#known.size >= maxSessions) this.#known.clear();
    this.#known.add(name);
    for (const unit of nexus.target.luns.values()) nexus.raise(unit, attention);
  }

  #reaches(nexus: Nexus, unit: LogicalUnit): boolean {
    return [...nexus.target.luns.values()].includes(unit);
  }

  #nexusesOf(unit: LogicalUnit): Nexus[] {
    return this.list().flatMap(({ nexus }) => (nexus !== undefined && this.#reaches(nexus, unit) ? [nexus] : []));
  }

  #newTsih(): number {
    do this.#lastTsih = (this.#lastTsih % 0xffff) + 1;
    while (this.#sessions.has(this.#lastTsih));
    return this.#lastTsih;
  }
}
