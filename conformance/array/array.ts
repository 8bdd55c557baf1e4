// SPDX-License-Identifier: Apache-2.0
/** A simulated storage array: iSCSI targets with logical units on files, and a copy manager for all of them. */
import { randomUUID } from "node:crypto";
import { resolve } from "node:path";
import { systemClock } from "./clock.ts";
import type { ArrayConfig, PortalConfig, TargetConfig, UnitConfig } from "./config.ts";
import { FaultSwitches } from "./faults.ts";
import type { Connection } from "./iscsi/connection.ts";
import type { IscsiHost, ScsiRequest } from "./iscsi/host.ts";
import { LoginStatus } from "./iscsi/login.ts";
import { defaultIscsiOptions, type IscsiOptions } from "./iscsi/parameters.ts";
import type { Session } from "./iscsi/session.ts";
import { CopyManager } from "./odx/copy-manager.ts";
import { defaultOdxOptions } from "./odx/options.ts";
import { Portal } from "./portal.ts";
import { AccessState, type ArrayServices, type TargetPort } from "./scsi/command.ts";
import { DeviceServer } from "./scsi/device-server.ts";
import { Attention, encodeFixedSense, type Sense } from "./scsi/sense.ts";
import type { Target } from "./scsi/target.ts";
import { LogicalUnit } from "./scsi/unit.ts";
import { SessionTable } from "./sessions.ts";
import { Medium } from "./storage/medium.ts";

const defaultTransferBytes = 32 * 1024 * 1024;

interface MutablePort extends TargetPort {
  state: AccessState;
}

export class SimulatedArray {
  readonly identity: string;
  readonly faults = new FaultSwitches();
  readonly copyManager: CopyManager;
  readonly sessions: SessionTable;
  readonly #targets = new Map<string, Target>();
  readonly #units = new Map<string, LogicalUnit>();
  readonly #ports: MutablePort[];
  readonly #portals: Portal[] = [];
  readonly #device: DeviceServer;
  readonly #options: IscsiOptions;
  readonly #log: (message: string) => void;
  readonly #closing: (() => void)[] = [];

  constructor(config: ArrayConfig) {
    const clock = config.clock ?? systemClock;
    this.identity = config.identity ?? randomUUID();
    this.#log = config.log ?? (() => {});
    this.#options = { ...defaultIscsiOptions, ...config.iscsi };
    const name = `iqn.2026-01.com.example:${this.identity}`;
    this.copyManager = new CopyManager(name, { ...defaultOdxOptions, ...config.odx }, clock);
    for (const target of config.targets) this.addTarget(target);
    const groups = new Set((config.portals ?? []).map(({ portalGroup = 1 }) => portalGroup));
    if (groups.size === 0) groups.add(1);
    this.#ports = [...groups]
      .sort((a, b) => a - b)
      .map((portalGroup, index) => ({ portalGroup, relativeId: index + 1, state: AccessState.ACTIVE_OPTIMIZED }));
    this.sessions = new SessionTable({
      queueDepth: this.#options.queueDepth,
      target: (targetName) => this.#targets.get(targetName),
      nexusLost: (nexus) => this.copyManager.nexusLost(nexus),
      unitReset: (unit) => this.copyManager.unitReset(unit),
      log: this.#log,
    });
    const services: ArrayServices = {
      copyManager: this.copyManager,
      targetPorts: this.#ports,
      attention: (unit, kind, except) => this.sessions.attention(unit, Attention[kind], except),
    };
    this.#device = new DeviceServer(services, this.faults, clock, this.#log);
  }

  /** Opens a portal; gives the port it listens on. */
  async listen(config: PortalConfig): Promise<Portal> {
    const portal = await Portal.open(config, this.#host());
    this.#portals.push(portal);
    return portal;
  }

  get portals(): readonly Portal[] {
    return this.#portals;
  }

  /** `host:port` of the first portal, for an iscsi:// URL. */
  get address(): string {
    const portal = this.#portals[0];
    if (portal === undefined) throw new Error("the array does not listen");
    return portal.address;
  }

  /** The URL of a unit as libiscsi and QEMU take it. */
  url(targetName: string, lun: number): string {
    return `iscsi://${this.address}/${targetName}/${lun}`;
  }

  get targets(): readonly Target[] {
    return [...this.#targets.values()];
  }

  get units(): readonly LogicalUnit[] {
    return [...this.#units.values()];
  }

  /** A unit by its `id`; throws where there is none. */
  unit(id: string): LogicalUnit {
    const unit = this.#units.get(id);
    if (unit === undefined) throw new Error(`no logical unit ${id}`);
    return unit;
  }

  addTarget(config: TargetConfig): Target {
    if (this.#targets.has(config.name)) throw new Error(`two targets named ${config.name}`);
    const luns = new Map<number, LogicalUnit>();
    for (const [number, unit] of Object.entries(config.luns)) {
      luns.set(Number(number), typeof unit === "string" ? this.unit(unit) : this.#addUnit(unit));
    }
    const { alias, chap, portalGroups } = config;
    const target: Target = { name: config.name, alias, luns, chap, portalGroups };
    this.#targets.set(config.name, target);
    return target;
  }

  /** Maps a unit to a number of a target, or takes the number away; all its initiators are told. */
  map(target: Target, lun: number, unit: UnitConfig | LogicalUnit | undefined): void {
    if (unit === undefined) target.luns.delete(lun);
    else target.luns.set(lun, unit instanceof LogicalUnit ? unit : this.#addUnit(unit));
    this.sessions.targetAttention(Attention.REPORTED_LUNS_CHANGED, target);
  }

  /** Changes the size of a unit, in bytes; its initiators are told. */
  resize(unit: LogicalUnit, size: number): void {
    if (size < unit.medium.size) this.copyManager.unitLost(unit);
    unit.medium.resize(size);
    this.sessions.attention(unit, Attention.CAPACITY_CHANGED);
  }

  /** Takes a unit out of service, or brings it back. */
  setOffline(unit: LogicalUnit, offline: boolean): void {
    unit.offline = offline;
  }

  /** Changes the asymmetric access state of a portal group; all initiators are told. */
  setAccessState(portalGroup: number, state: AccessState): void {
    const port = this.#ports.find((one) => one.portalGroup === portalGroup);
    if (port === undefined) throw new Error(`no portal group ${portalGroup}`);
    port.state = state;
    this.sessions.targetAttention(Attention.ASYMMETRIC_ACCESS_CHANGED);
  }

  /** Establishes a unit attention condition for all nexuses of a unit. */
  raise(unit: LogicalUnit, attention: Sense): void {
    this.sessions.attention(unit, attention);
  }

  /** Cuts off all sessions, or those of one initiator. */
  dropSessions(initiatorName?: string): void {
    for (const session of this.sessions.list()) {
      if (initiatorName === undefined || session.identity.initiatorName === initiatorName) session.connection.drop();
    }
  }

  /** Ends with the array what has to end with it: its control port, say. */
  onClose(callback: () => void): void {
    this.#closing.push(callback);
  }

  async close(): Promise<void> {
    for (const callback of this.#closing) callback();
    await Promise.all(this.#portals.map((portal) => portal.close()));
    this.copyManager.close();
    for (const unit of this.#units.values()) unit.medium.close();
  }

  #addUnit(config: UnitConfig): LogicalUnit {
    const { blockBytes = 512 } = config;
    const id = config.id ?? resolve(config.file);
    if (this.#units.has(id)) throw new Error(`two logical units ${id}`);
    if (blockBytes !== 512 && blockBytes !== 4096) throw new Error(`blocks of ${blockBytes} bytes`);
    const medium = new Medium(resolve(config.file), config.size ?? 0, blockBytes);
    const options = {
      id,
      physicalBlockExponent: config.physicalBlockExponent ?? (blockBytes === 512 ? 3 : 0),
      thin: config.thin ?? true,
      maxTransferBlocks: config.maxTransferBlocks ?? defaultTransferBytes / blockBytes,
      readOnly: config.readOnly ?? false,
      bytesPerSecond: config.bytesPerSecond ?? 0,
    };
    const unit = new LogicalUnit(this.identity, options, medium);
    this.#units.set(id, unit);
    return unit;
  }

  #host(): IscsiHost {
    const { sessions } = this;
    const device = this.#device;
    return {
      options: this.#options,
      log: this.#log,
      admit: (targetName, portalGroup) => {
        if (targetName === undefined) return { chap: undefined, alias: undefined };
        const target = this.#targets.get(targetName);
        if (target === undefined || !isReached(target, portalGroup)) return LoginStatus.TARGET_NOT_FOUND;
        return { chap: target.chap, alias: target.alias };
      },
      establish: (identity, connection) => sessions.establish(identity, connection),
      sessionEnded: (session: Session) => sessions.ended(session),
      connectionEnded: (connection: Connection) => {
        for (const portal of this.#portals) portal.forget(connection);
      },
      sendTargets: (connection, targetName) => this.#sendTargets(connection, targetName),
      dataOutLength: (request) => device.dataOutLength(request),
      execute: (request: ScsiRequest) => device.execute(request),
      transportSense: (key, code, qualifier) => encodeFixedSense({ key, code, qualifier }),
      manage: (session, operation, lun) => sessions.manage(session, operation, lun),
    };
  }

  /** TargetName and TargetAddress for each target and portal (RFC 7143 appendix C). */
  #sendTargets(connection: Connection, targetName: string | undefined): [string, string][] {
    const found: [string, string][] = [];
    for (const target of this.#targets.values()) {
      if (targetName !== undefined && target.name !== targetName) continue;
      found.push(["TargetName", target.name]);
      for (const portal of this.#portals) {
        if (!isReached(target, portal.portalGroup)) continue;
        found.push(["TargetAddress", `${portal.addressFor(connection)},${portal.portalGroup}`]);
      }
    }
    return found;
  }
}

function isReached(target: Target, portalGroup: number): boolean {
  return target.portalGroups === undefined || target.portalGroups.includes(portalGroup);
}

/** Makes an array and opens its portals. */
export async function startArray(config: ArrayConfig): Promise<SimulatedArray> {
  const array = new SimulatedArray(config);
  try {
    for (const portal of config.portals ?? [{ port: 0 }]) await array.listen(portal);
  } catch (error) {
    await array.close();
    throw error;
  }
  return array;
}
