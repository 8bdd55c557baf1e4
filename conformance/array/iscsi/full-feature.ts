// SPDX-License-Identifier: Apache-2.0
/** The full feature phase of a connection: every PDU that an initiator sends after its login. */
import { dataBuffers } from "../buffers.ts";
import type { Connection } from "./connection.ts";
import { DataOutTransfer, type TransferFault } from "./data-out.ts";
import type { IscsiHost, ScsiOutcome } from "./host.ts";
import {
  ConnectionError,
  cmdSN,
  finalBit,
  initiatorTaskTag,
  isContinued,
  isFinal,
  isImmediate,
  lunField,
  newHeader,
  Opcode,
  opcodeOf,
  type Pdu,
  reservedTag,
} from "./pdu.ts";
import { AsyncEvent, asyncMessage, RejectReason, readyToTransfer, reject } from "./responses.ts";
import { sendOutcome } from "./send-outcome.ts";
import type { Session } from "./session.ts";
import { type CommandPdu, decodeCommand, Task } from "./task.ts";
import { manageTasks } from "./task-management.ts";
import { decodeText, encodeText, maxTextBytes } from "./text.ts";

const checkCondition = 0x02;
const abortedCommand = 0x0b;
const noData = Buffer.alloc(0);

export class FullFeaturePhase {
  readonly #connection: Connection;
  readonly #session: Session;
  readonly #host: IscsiHost;
  readonly #transfers = new Map<number, DataOutTransfer>();
  #lastTransferTag = 0;
  #text: Buffer[] = [];
  #textBytes = 0;
  #loggedOut = false;
  readonly #pings: NodeJS.Timeout | undefined;

  constructor(connection: Connection, session: Session, host: IscsiHost) {
    this.#connection = connection;
    this.#session = session;
    this.#host = host;
    const { nopInterval } = host.options;
    if (nopInterval > 0) {
      this.#pings = setInterval(() => this.ping(), nopInterval * 1000);
      this.#pings.unref();
    }
  }

  /** The connection is gone: what runs is ended. */
  close(): void {
    clearInterval(this.#pings);
    for (const task of this.#session.tasks.values()) task.abort();
    this.#session.tasks.clear();
    this.#transfers.clear();
  }

  /** Asks the initiator for a sign of life: NOP-In with a transfer tag (RFC 7143 11.19). */
  ping(): void {
    const header = newHeader(Opcode.NOP_IN, finalBit, reservedTag);
    header.writeUInt32BE(this.#newTransferTag(), 20);
    header.writeUInt32BE(this.#connection.statSN, 24);
    this.#connection.send(header);
  }

  /** Where a data segment that is about to come belongs. */
  placeOf(header: Buffer, dataBytes: number): Buffer | undefined {
    if (opcodeOf(header) !== Opcode.DATA_OUT) return undefined;
    return this.#transfers.get(initiatorTaskTag(header))?.placeOf(header, dataBytes);
  }

  handle(pdu: Pdu): void {
    if (this.#loggedOut) return;
    const { header } = pdu;
    const opcode = opcodeOf(header);
    if (opcode === Opcode.DATA_OUT) {
      this.#dataOut(pdu);
      return;
    }
    // Without its data the command is as good as not received; the initiator sends it again (RFC 7143 7.8).
    if (!pdu.dataIntact) {
      this.#reject(header, RejectReason.DATA_DIGEST_ERROR);
      return;
    }
    if (opcode === Opcode.SNACK_REQUEST) {
      this.#reject(header, RejectReason.SNACK_REJECT);
      return;
    }
    if (opcode === Opcode.LOGIN_REQUEST) throw new ConnectionError("login in the full feature phase");
    const run = this.#handler(opcode);
    if (run === undefined) this.#reject(header, RejectReason.COMMAND_NOT_SUPPORTED);
    else if (isImmediate(header)) run(pdu);
    else this.#session.accept(cmdSN(header), () => run(pdu));
  }

  #handler(opcode: number): ((pdu: Pdu) => void) | undefined {
    switch (opcode) {
      case Opcode.SCSI_COMMAND:
        return this.#session.nexus === undefined ? undefined : (pdu) => this.#command(pdu);
      case Opcode.TASK_MANAGEMENT_REQUEST:
        return this.#session.nexus === undefined ? undefined : (pdu) => this.#numbered(pdu, () => this.#manage(pdu));
      case Opcode.NOP_OUT:
        return (pdu) => this.#numbered(pdu, () => this.#nopOut(pdu));
      case Opcode.TEXT_REQUEST:
        return (pdu) => this.#numbered(pdu, () => this.#textRequest(pdu));
      case Opcode.LOGOUT_REQUEST:
        return (pdu) => this.#numbered(pdu, () => this.#logout(pdu));
      default:
        return undefined;
    }
  }

  /** Runs what is finished at once: its number is free again with the response. */
  #numbered(pdu: Pdu, run: () => void): void {
    if (!isImmediate(pdu.header)) this.#session.release();
    run();
  }

  #newTransferTag(): number {
    this.#lastTransferTag = (this.#lastTransferTag + 1) % reservedTag;
    return this.#lastTransferTag;
  }

  #command(pdu: Pdu): void {
    const command = decodeCommand(pdu.header, pdu.additionalHeader);
    const { nexus, tasks } = this.#session;
    if (nexus === undefined) return;
    if (tasks.has(command.taskTag)) {
      if (!command.immediate) this.#session.release();
      this.#reject(pdu.header, RejectReason.TASK_IN_PROGRESS);
      return;
    }
    const task = new Task(command);
    tasks.set(command.taskTag, task);
    if (!command.write) {
      if (pdu.data.length > 0) this.#reject(pdu.header, RejectReason.PROTOCOL_ERROR);
      this.#execute(task, noData);
      return;
    }
    const wanted = this.#host.dataOutLength({ nexus, lun: command.lun, cdb: command.cdb });
    const transfer = new DataOutTransfer(
      wanted,
      command.expectedLength,
      this.#session.identity.parameters,
      () => this.#newTransferTag(),
      (r2t) => this.#connection.send(readyToTransfer(command.taskTag, command.lun, r2t, this.#connection.statSN)),
    );
    this.#transfers.set(command.taskTag, transfer);
    this.#progress(task, transfer, transfer.begin(pdu.data, command.final));
  }

  #dataOut(pdu: Pdu): void {
    const taskTag = initiatorTaskTag(pdu.header);
    const task = this.#session.tasks.get(taskTag);
    const transfer = this.#transfers.get(taskTag);
    // Data of a task that was aborted or has failed may still arrive.
    if (task === undefined || transfer === undefined) return;
    if (!pdu.dataIntact) this.#reject(pdu.header, RejectReason.DATA_DIGEST_ERROR);
    this.#progress(task, transfer, transfer.receive(pdu));
  }

  #progress(task: Task, transfer: DataOutTransfer, fault: TransferFault | undefined): void {
    if (fault !== undefined) {
      this.#transfers.delete(task.command.taskTag);
      this.#finish(task, {
        status: checkCondition,
        sense: this.#host.transportSense(abortedCommand, fault[0], fault[1]),
      });
    } else if (transfer.complete) {
      this.#transfers.delete(task.command.taskTag);
      this.#execute(task, transfer.buffer);
    }
  }

  #execute(task: Task, dataOut: Buffer): void {
    const { nexus } = this.#session;
    if (nexus === undefined) return;
    task.started = true;
    const { lun, cdb, attribute, write } = task.command;
    const expectedLength = write ? task.command.expectedLength : 0;
    const outcome = this.#host.execute({ nexus, lun, cdb, attribute, dataOut, expectedLength, signal: task.signal });
    const finish = (settled: ScsiOutcome) => {
      dataBuffers.give(dataOut);
      this.#finish(task, settled);
    };
    if (outcome instanceof Promise) {
      outcome.then(finish, (error: unknown) =>
        this.#host.log(`command failed: ${error instanceof Error ? error.stack : String(error)}`),
      );
    } else finish(outcome);
  }

  #finish(task: Task, outcome: ScsiOutcome): void {
    const { command } = task;
    if (this.#session.tasks.get(command.taskTag) === task) this.#session.tasks.delete(command.taskTag);
    if (!command.immediate) this.#session.release();
    if (task.silent) return;
    const { transport } = outcome;
    if (transport === "drop") {
      this.#connection.drop();
      return;
    }
    if (transport === "corruptHeaderDigest") this.#connection.corruptNext("header");
    else if (transport === "corruptDataDigest") this.#connection.corruptNext("data");
    sendOutcome(this.#connection, this.#session.identity.parameters, command, outcome, this.#wantedOut(command));
  }

  #wantedOut(command: CommandPdu): number {
    const { nexus } = this.#session;
    return nexus === undefined || !command.write
      ? 0
      : this.#host.dataOutLength({ nexus, lun: command.lun, cdb: command.cdb });
  }

  #manage(pdu: Pdu): void {
    const { header } = pdu;
    const response = newHeader(Opcode.TASK_MANAGEMENT_RESPONSE, finalBit, initiatorTaskTag(header));
    response.writeUInt8(manageTasks(header, this.#session, this.#host), 2);
    for (const taskTag of this.#transfers.keys()) {
      if (!this.#session.tasks.has(taskTag)) this.#transfers.delete(taskTag);
    }
    this.#connection.sendStatus(response);
  }

  #nopOut(pdu: Pdu): void {
    const taskTag = initiatorTaskTag(pdu.header);
    // The answer to our ping.
    if (taskTag === reservedTag) return;
    const header = newHeader(Opcode.NOP_IN, finalBit, taskTag);
    lunField(pdu.header).copy(header, 8);
    header.writeUInt32BE(reservedTag, 20);
    this.#connection.sendStatus(header, pdu.data);
  }

  #textRequest(pdu: Pdu): void {
    const { header } = pdu;
    this.#textBytes += pdu.data.length;
    if (this.#textBytes > maxTextBytes) throw new ConnectionError("text too long");
    this.#text.push(pdu.data);
    const more = isContinued(header);
    const response = newHeader(Opcode.TEXT_RESPONSE, !more && isFinal(header) ? finalBit : 0, initiatorTaskTag(header));
    lunField(header).copy(response, 8);
    if (more || !isFinal(header)) response.writeUInt32BE(this.#newTransferTag(), 20);
    else response.writeUInt32BE(reservedTag, 20);
    if (more) {
      this.#connection.sendStatus(response);
      return;
    }
    const replies: [string, string][] = [];
    for (const [key, value] of decodeText(Buffer.concat(this.#text))) {
      if (key === "SendTargets") replies.push(...this.#sendTargets(value));
      else replies.push([key, "NotUnderstood"]);
    }
    this.#text = [];
    this.#textBytes = 0;
    this.#connection.sendStatus(response, encodeText(replies));
  }

  #sendTargets(value: string): [string, string][] {
    const { discovery, targetName } = this.#session.identity;
    if (value === "All")
      return discovery ? this.#host.sendTargets(this.#connection, undefined) : [["SendTargets", "Reject"]];
    // Empty: the target of this session. In a normal session no other may be asked for.
    const wanted = value === "" ? targetName : value;
    if (wanted === undefined || (!discovery && wanted !== targetName)) return [["SendTargets", "Reject"]];
    return this.#host.sendTargets(this.#connection, wanted);
  }

  #logout(pdu: Pdu): void {
    const { header } = pdu;
    const reason = header.readUInt8(1) & 0x7f;
    const response = newHeader(Opcode.LOGOUT_RESPONSE, finalBit, initiatorTaskTag(header));
    const { parameters, connectionId } = this.#session.identity;
    // RFC 7143 11.15.1: 1 = CID not found, 2 = connection recovery is not supported.
    const wrongConnection = reason === 1 && header.readUInt16BE(20) !== connectionId;
    const result = reason > 2 ? 3 : reason === 2 ? 2 : wrongConnection ? 1 : 0;
    response.writeUInt8(result, 2);
    response.writeUInt16BE(parameters.time2Wait, 40);
    response.writeUInt16BE(parameters.time2Retain, 42);
    this.#connection.sendStatus(response);
    if (result !== 0) return;
    this.#loggedOut = true;
    this.#host.sessionEnded(this.#session);
    this.#connection.end();
  }

  #reject(header: Buffer, reason: number): void {
    this.#connection.sendStatus(reject(reason), Buffer.from(header));
  }

  /** Tells the initiator about the connection; times in seconds. */
  announce(event: number, parameters: readonly [number, number, number]): void {
    this.#connection.sendStatus(asyncMessage(event, parameters));
    if (event === AsyncEvent.CONNECTION_WILL_DROP || event === AsyncEvent.ALL_CONNECTIONS_WILL_DROP) {
      this.#connection.end();
    }
  }
}
