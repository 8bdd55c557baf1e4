// SPDX-License-Identifier: Apache-2.0

import type { Clock, Timer } from "../clock.ts";
import { ProtocolError, ScsiStatus, TransportError } from "../errors.ts";
import { type Nexus, type NexusEvents, NexusLostError, type RunningCommand, type ScsiCommand } from "../nexus.ts";
import { decodeSense } from "../sense.ts";
import { dataSegmentLengthOf, expCmdSnOf, initiatorTaskTagOf, maxCmdSnOf, NO_TAG, Opcode, opcodeOf } from "./bhs.ts";
import type { ConnectionEvents, IscsiConnection } from "./connection.ts";
import { Keepalive } from "./keepalive.ts";
import type { LoginResult } from "./login.ts";
import type { SessionParameters } from "./negotiation.ts";
import type { DataPlacement } from "./pdu-reader.ts";
import { decodeDataIn, decodeR2t, decodeScsiResponse } from "./scsi-pdus.ts";
import { nextSerial, serialDistance } from "./serial.ts";
import type { SessionLink, SessionTimes } from "./session-link.ts";
import {
  AsyncEvent,
  decodeAsyncMessage,
  decodeReject,
  encodeLogoutRequest,
  encodeTextRequest,
  responseOf,
  TaskManagementFunction,
  TaskManagementResponse,
} from "./session-pdus.ts";
import { Task } from "./task.ts";
import { NO_RESPONSE, TaskManagement } from "./task-management.ts";

export const defaultSessionTimes: SessionTimes = { keepaliveInterval: 5000, answerTimeout: 5000 };

export interface SessionParts {
  readonly portal: string;
  readonly name: string;
  readonly connection: IscsiConnection;
  readonly login: LoginResult;
  readonly clock: Clock;
  readonly times: SessionTimes;
  readonly events: NexusEvents;
}

/** Commands that wait for an answer; the window of the target may be wider than is good for anybody. */
const MAXIMUM_TASKS = 1024;
const NO_SENSE = Buffer.alloc(0);

/** A session of one connection, at error recovery level 0 (RFC 7143 4.2, 7.1.5): what goes wrong ends it. */
export class IscsiSession implements Nexus, ConnectionEvents, SessionLink {
  readonly portal: string;
  readonly name: string;
  readonly connection: IscsiConnection;
  readonly clock: Clock;
  readonly times: SessionTimes;
  readonly #events: NexusEvents;
  readonly #management: TaskManagement;
  readonly #keepalive: Keepalive;
  readonly #tasks = new Map<number, Task>();
  /** Answered, with data that are still being sent. */
  readonly #sending = new Set<Task>();
  readonly #queue: Task[] = [];
  #nextTag = 1;
  #cmdSn: number;
  #expCmdSn: number;
  #maxCmdSn: number;
  #logoutTag: number | undefined;
  #textTag: number | undefined;
  #logoutTimer: Timer | undefined;
  #draining = false;
  #closedByUs = false;
  #idle: (() => void) | undefined;
  readonly #whenEnded: Promise<void>;
  #resolveEnded: () => void = () => undefined;

  constructor({ portal, name, connection, login, clock, times, events }: SessionParts) {
    this.portal = portal;
    this.name = name;
    this.connection = connection;
    this.clock = clock;
    this.times = times;
    this.#events = events;
    this.#cmdSn = login.cmdSn;
    this.#expCmdSn = login.cmdSn;
    this.#maxCmdSn = login.maxCmdSn;
    this.#whenEnded = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#management = new TaskManagement(this);
    this.#keepalive = new Keepalive(this);
  }

  get connected(): boolean {
    return this.connection.open && !this.#draining;
  }

  /** What was agreed on in login. */
  get parameters(): Readonly<SessionParameters> {
    return this.connection.parameters;
  }

  start(command: ScsiCommand): RunningCommand {
    const task = new Task(command, this.#abortTask);
    if (!this.connected) {
      task.fail(new NexusLostError(`the session with ${this.portal} is over`, false));
      return task;
    }
    this.#queue.push(task);
    this.#pump();
    return task;
  }

  async resetLogicalUnit(lun: bigint): Promise<void> {
    const affected = [...this.#tasks.values()].filter((task) => task.command.lun === lun);
    const response = await this.#management.request(TaskManagementFunction.LOGICAL_UNIT_RESET, lun, NO_TAG, 0);
    if (response === NO_RESPONSE) throw new TransportError(`${this.portal} was lost before it answered a LUN reset`);
    if (response !== TaskManagementResponse.FUNCTION_COMPLETE) {
      throw new TransportError(`${this.portal} refused a LUN reset (response ${response})`);
    }
    for (const task of affected) {
      if (this.#tasks.get(task.initiatorTaskTag) !== task) continue;
      this.#remove(task);
      if (task.abortReason === undefined) task.complete(ScsiStatus.TASK_ABORTED, NO_SENSE, task.expectedLength);
      else task.fail(task.abortReason);
    }
  }

  async close(): Promise<void> {
    if (!this.connection.open) return this.#whenEnded;
    this.#draining = true;
    this.#closedByUs = true;
    await this.#drained();
    this.#logout();
    return this.#whenEnded;
  }

  /** Ends the session at once. */
  fail(error: Error): void {
    this.connection.fail(error);
  }

  header(bhs: Buffer): DataPlacement | undefined {
    this.#keepalive.heard();
    if (opcodeOf(bhs) !== Opcode.DATA_IN) return undefined;
    return this.#task(bhs).placeDataIn(decodeDataIn(bhs), dataSegmentLengthOf(bhs));
  }

  pdu(bhs: Buffer, data: Buffer): void {
    this.#keepalive.heard();
    switch (opcodeOf(bhs)) {
      case Opcode.DATA_IN:
        this.#dataIn(bhs);
        break;
      case Opcode.SCSI_RESPONSE:
        this.#scsiResponse(bhs, data);
        break;
      case Opcode.R2T:
        this.#task(bhs).readyToTransfer(this.connection, decodeR2t(bhs));
        break;
      case Opcode.NOP_IN:
        this.#keepalive.nopIn(bhs);
        break;
      case Opcode.TASK_MANAGEMENT_RESPONSE:
        this.#management.answered(initiatorTaskTagOf(bhs), responseOf(bhs));
        break;
      case Opcode.ASYNC_MESSAGE:
        this.#asyncMessage(bhs, data);
        break;
      case Opcode.REJECT:
        this.#rejected(bhs, data);
        break;
      case Opcode.TEXT_RESPONSE:
        if (initiatorTaskTagOf(bhs) !== this.#textTag) throw new ProtocolError("text that was not asked for");
        this.#textTag = undefined;
        break;
      case Opcode.LOGOUT_RESPONSE:
        if (initiatorTaskTagOf(bhs) !== this.#logoutTag) throw new ProtocolError("a logout that was not asked for");
        this.connection.fail(new TransportError("logged out"));
        return;
      default:
        throw new ProtocolError(`a PDU of the unknown kind ${opcodeOf(bhs).toString(16)}h`);
    }
    this.#window(bhs);
  }

  closed(error: Error): void {
    this.#keepalive.stop();
    this.#logoutTimer?.cancel();
    const tasks = [...this.#tasks.values(), ...this.#sending, ...this.#queue];
    this.#tasks.clear();
    this.#sending.clear();
    this.#queue.length = 0;
    for (const task of tasks) task.lost(error);
    this.#management.closed();
    this.#idle?.();
    this.#resolveEnded();
    this.#events.lost(this.#closedByUs ? undefined : error);
  }

  #task(bhs: Buffer): Task {
    const task = this.#tasks.get(initiatorTaskTagOf(bhs));
    if (task === undefined) throw new ProtocolError("an answer to a command that was not given");
    return task;
  }

  #dataIn(bhs: Buffer): void {
    const { hasStatus, status, residual } = decodeDataIn(bhs);
    if (!hasStatus) return;
    const task = this.#task(bhs);
    this.#remove(task);
    task.complete(status, NO_SENSE, residual);
  }

  #scsiResponse(bhs: Buffer, data: Buffer): void {
    const { response, status, residual } = decodeScsiResponse(bhs);
    const task = this.#task(bhs);
    if (response !== 0) throw new ProtocolError("the target failed to complete a command");
    this.#remove(task);
    const senseLength = data.length >= 2 ? Math.min(data.readUInt16BE(0), data.length - 2) : 0;
    task.complete(status, senseLength === 0 ? NO_SENSE : Buffer.from(data.subarray(2, 2 + senseLength)), residual);
  }

  /** Takes out a task that has its answer. */
  #remove(task: Task): void {
    this.#tasks.delete(task.initiatorTaskTag);
    if (task.isSending) {
      this.#sending.add(task);
      const forget = () => this.#sending.delete(task);
      task.result.then(forget, forget);
    }
    if (this.#tasks.size === 0) this.#idle?.();
    this.#pump();
  }

  /** Takes over how far commands may go (RFC 7143 4.2.2.1). */
  #window(bhs: Buffer): void {
    const expCmdSn = expCmdSnOf(bhs);
    const maxCmdSn = maxCmdSnOf(bhs);
    // An older PDU may come late in general, and a window that ends before it begins is none.
    if (serialDistance(maxCmdSn, expCmdSn) < -1) return;
    if (serialDistance(expCmdSn, this.#expCmdSn) > 0) this.#expCmdSn = expCmdSn;
    if (serialDistance(maxCmdSn, this.#maxCmdSn) <= 0) return;
    this.#maxCmdSn = maxCmdSn;
    this.#pump();
  }

  #pump(): void {
    while (
      this.#queue.length > 0 &&
      this.connection.open &&
      this.#tasks.size < MAXIMUM_TASKS &&
      serialDistance(this.#maxCmdSn, this.#cmdSn) >= 0
    ) {
      const task = this.#queue.shift();
      if (task === undefined) return;
      const tag = this.takeTag();
      this.#tasks.set(tag, task);
      const cmdSn = this.#cmdSn;
      this.#cmdSn = nextSerial(cmdSn);
      task.start(this.connection, tag, cmdSn);
    }
  }

  takeTag(): number {
    let tag = this.#nextTag;
    while (tag === NO_TAG || this.#tasks.has(tag) || this.#management.has(tag)) tag = nextSerial(tag);
    this.#nextTag = nextSerial(tag);
    return tag;
  }

  get sequence() {
    return { cmdSn: this.#cmdSn, expStatSn: this.connection.expStatSn };
  }

  readonly #abortTask = (task: Task) => {
    const reason = task.abortReason;
    if (reason === undefined) return;
    if (!task.sent) {
      const index = this.#queue.indexOf(task);
      if (index >= 0) this.#queue.splice(index, 1);
      task.fail(reason);
      return;
    }
    if (task.answered) this.fail(new TransportError(`${this.portal} takes no more data`));
    else if (this.connection.open) void this.#abortSent(task, reason);
  };

  async #abortSent(task: Task, reason: Error): Promise<void> {
    const { initiatorTaskTag, cmdSn, command } = task;
    const answer = await this.#management.request(
      TaskManagementFunction.ABORT_TASK,
      command.lun,
      initiatorTaskTag,
      cmdSn,
    );
    if (this.#tasks.get(initiatorTaskTag) !== task) return;
    if (answer === TaskManagementResponse.FUNCTION_COMPLETE || answer === TaskManagementResponse.TASK_DOES_NOT_EXIST) {
      this.#remove(task);
      task.fail(reason);
      return;
    }
    try {
      await this.resetLogicalUnit(command.lun);
    } catch {
      // What cannot be ended otherwise ends with the session.
      this.fail(new TransportError(`${this.portal} neither answers nor aborts a command`));
    }
  }

  #asyncMessage(bhs: Buffer, data: Buffer): void {
    const { event, lun, parameter3 } = decodeAsyncMessage(bhs);
    if (event === AsyncEvent.SCSI_EVENT) {
      const senseLength = data.length >= 2 ? data.readUInt16BE(0) : 0;
      const sense = decodeSense(data.subarray(2, 2 + senseLength));
      if (sense !== undefined) this.#events.attention(lun, sense);
    } else if (event === AsyncEvent.LOGOUT_REQUESTED) {
      void this.#leave(parameter3 * 1000);
    } else if (event === AsyncEvent.CONNECTION_DROPPED || event === AsyncEvent.SESSION_DROPPED) {
      throw new TransportError(`${this.portal} drops the session`);
    } else if (event === AsyncEvent.NEGOTIATION_REQUESTED && this.#textTag === undefined) {
      // We have nothing to ask for; the target says what it wants in its answer, and we stay with what was agreed.
      this.#textTag = this.takeTag();
      this.connection.send(
        encodeTextRequest({
          ...this.sequence,
          initiatorTaskTag: this.#textTag,
          targetTransferTag: NO_TAG,
          final: true,
          dataSegmentLength: 0,
        }),
      );
    }
  }

  /** The target asks us to go: commands in flight may end, within the time that it gives. */
  async #leave(milliseconds: number): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    const timer = this.clock.after(milliseconds, () => this.#logout());
    await this.#drained();
    timer.cancel();
    this.#logout();
  }

  #drained(): Promise<void> {
    if (this.#tasks.size === 0 && this.#queue.length === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const earlier = this.#idle;
      this.#idle = () => {
        if (this.#queue.length > 0 && this.connection.open) return;
        earlier?.();
        this.#idle = undefined;
        resolve();
      };
    });
  }

  #logout(): void {
    if (!this.connection.open || this.#logoutTag !== undefined) return;
    this.#logoutTag = this.takeTag();
    this.connection.send(encodeLogoutRequest(this.#logoutTag, this.sequence));
    this.#keepalive.stop();
    this.#logoutTimer = this.clock.after(this.times.answerTimeout, () => {
      this.fail(new TransportError(`${this.portal} does not answer a logout`));
    });
  }

  #rejected(bhs: Buffer, data: Buffer): void {
    const { reasonText, refused } = decodeReject(bhs, data);
    const opcode = refused === undefined ? undefined : opcodeOf(refused);
    const tag = refused === undefined ? NO_TAG : initiatorTaskTagOf(refused);
    if (opcode === Opcode.TASK_MANAGEMENT_REQUEST && this.#management.has(tag)) {
      this.#management.answered(tag, TaskManagementResponse.REJECTED);
    } else if (opcode === Opcode.NOP_OUT || opcode === Opcode.TEXT_REQUEST) {
      this.#keepalive.refused(tag);
      if (tag === this.#textTag) this.#textTag = undefined;
    } else {
      throw new ProtocolError(`the target rejects what we sent: ${reasonText}`);
    }
  }
}
