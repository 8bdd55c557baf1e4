// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../memory/total-length.ts";
import { ScatterWriter, sliceBuffers } from "../buffers.ts";
import { ProtocolError } from "../errors.ts";
import { NexusLostError, type RunningCommand, type ScsiCommand, type ScsiResult } from "../nexus.ts";
import { NO_TAG } from "./bhs.ts";
import type { IscsiConnection } from "./connection.ts";
import type { DataPlacement } from "./pdu-reader.ts";
import { type DataIn, encodeDataOut, encodeScsiCommand, type ReadyToTransfer } from "./scsi-pdus.ts";

const NO_BUFFERS: readonly Buffer[] = [];

/** One SCSI command on its way through a connection (RFC 7143 4.2.5). */
export class Task implements RunningCommand {
  readonly command: ScsiCommand;
  readonly result: Promise<ScsiResult>;
  /** 0 and unused before the command is sent. */
  initiatorTaskTag = 0;
  cmdSn = 0;
  sent = false;
  /** Why it is to end, once somebody has asked for it. */
  abortReason: Error | undefined;
  readonly expectedLength: number;
  readonly #abort: (task: Task) => void;
  readonly #dataOut: readonly Buffer[];
  readonly #dataIn: ScatterWriter | undefined;
  #resolve: (result: ScsiResult) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #dataSn = 0;
  #r2tSn = 0;
  /** Bytes of the data out that were sent, or will be without being asked for again. */
  #offered = 0;
  /** PDUs with data that are not yet with the operating system. */
  #pendingSends = 0;
  /** How the result settles, once no buffer is in use any more. */
  #outcome: (() => void) | undefined;

  /** @param abort called once when somebody wants the command to end before it has */
  constructor(command: ScsiCommand, abort: (task: Task) => void) {
    this.command = command;
    this.#abort = abort;
    this.#dataOut = command.dataOut ?? NO_BUFFERS;
    this.#dataIn = command.dataIn === undefined ? undefined : new ScatterWriter(command.dataIn);
    this.expectedLength = totalLength(command.dataIn ?? this.#dataOut);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever gave the command up may not wait for its end.
    this.result.catch(() => undefined);
  }

  /** True once the unit has answered, even if data are still on their way out. */
  get answered(): boolean {
    return this.#outcome !== undefined;
  }

  get isSending(): boolean {
    return this.#pendingSends > 0;
  }

  abort(reason: Error): void {
    const over = this.#outcome !== undefined && this.#pendingSends === 0;
    if (over || this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.#abort(this);
  }

  /** Sends the command with its immediate and unsolicited data. */
  start(connection: IscsiConnection, initiatorTaskTag: number, cmdSn: number): void {
    const { parameters } = connection;
    const { command, expectedLength } = this;
    this.initiatorTaskTag = initiatorTaskTag;
    this.cmdSn = cmdSn;
    this.sent = true;
    const write = command.dataOut !== undefined;
    const firstBurst = write ? Math.min(parameters.firstBurstLength, expectedLength) : 0;
    const immediate = parameters.immediateData ? Math.min(firstBurst, parameters.targetMaxRecvDataSegmentLength) : 0;
    const unsolicited = parameters.initialR2t ? immediate : firstBurst;
    const bhs = encodeScsiCommand({
      initiatorTaskTag,
      lun: command.lun,
      cdb: command.cdb,
      read: command.dataIn !== undefined,
      write,
      final: unsolicited === immediate,
      expectedDataTransferLength: expectedLength,
      dataSegmentLength: immediate,
      cmdSn,
      expStatSn: connection.expStatSn,
    });
    this.#offered = unsolicited;
    if (immediate === 0) connection.send(bhs);
    else this.#send(connection, bhs, 0, immediate);
    if (unsolicited > immediate) this.#sendSequence(connection, NO_TAG, immediate, unsolicited - immediate);
  }

  /** Answers an R2T. @throws ProtocolError */
  readyToTransfer(connection: IscsiConnection, r2t: ReadyToTransfer): void {
    const { bufferOffset, desiredDataTransferLength: length } = r2t;
    // Sequences come in order: a range that is asked for twice is no honest target.
    const inOrder = r2t.r2tSn === this.#r2tSn && bufferOffset === this.#offered;
    const fits = length > 0 && length <= connection.parameters.maxBurstLength;
    if (!inOrder || !fits || r2t.targetTransferTag === NO_TAG || bufferOffset + length > totalLength(this.#dataOut)) {
      throw new ProtocolError("an R2T asks for data that it may not ask for");
    }
    this.#r2tSn++;
    this.#offered += length;
    this.#sendSequence(connection, r2t.targetTransferTag, bufferOffset, length);
  }

  /** Where the data of a Data-In PDU go. @throws ProtocolError */
  placeDataIn(dataIn: DataIn, length: number): DataPlacement {
    const writer = this.#dataIn;
    const inOrder = writer !== undefined && dataIn.bufferOffset === writer.position && dataIn.dataSn === this.#dataSn;
    if (!inOrder || dataIn.bufferOffset + length > this.expectedLength) {
      throw new ProtocolError("Data-In that was not asked for");
    }
    this.#dataSn++;
    return writer;
  }

  /**
   * The unit has answered.
   * @param residual bytes that it did not move
   */
  complete(status: number, senseData: Buffer, residual: number): void {
    const transferred =
      this.#dataIn === undefined
        ? Math.max(0, Math.min(this.#offered, this.expectedLength - residual))
        : this.#dataIn.position;
    this.#settle(() => this.#resolve({ status, senseData, transferred }));
  }

  /** The command is known to be dead. */
  fail(error: Error): void {
    this.#settle(() => this.#reject(error));
  }

  /** The connection is gone, and with it every use of the buffers. */
  lost(cause: Error): void {
    this.#pendingSends = 0;
    if (this.#outcome !== undefined) this.#outcome();
    else this.#settle(() => this.#reject(new NexusLostError(cause.message, this.sent, { cause })));
  }

  #settle(outcome: () => void): void {
    this.#outcome = outcome;
    if (this.#pendingSends === 0) outcome();
  }

  #sendSequence(connection: IscsiConnection, targetTransferTag: number, offset: number, length: number): void {
    const maximum = connection.parameters.targetMaxRecvDataSegmentLength;
    for (let done = 0, dataSn = 0; done < length; dataSn++) {
      const size = Math.min(maximum, length - done);
      const bhs = encodeDataOut({
        initiatorTaskTag: this.initiatorTaskTag,
        targetTransferTag,
        lun: this.command.lun,
        final: done + size === length,
        dataSn,
        bufferOffset: offset + done,
        dataSegmentLength: size,
        expStatSn: connection.expStatSn,
      });
      this.#send(connection, bhs, offset + done, size);
      done += size;
    }
  }

  readonly #sendDone = () => {
    this.#pendingSends--;
    if (this.#pendingSends === 0) this.#outcome?.();
  };

  #send(connection: IscsiConnection, bhs: Buffer, offset: number, length: number): void {
    this.#pendingSends++;
    connection.send(bhs, sliceBuffers(this.#dataOut, offset, length), length, this.#sendDone);
  }
}
