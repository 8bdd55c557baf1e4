// SPDX-License-Identifier: Apache-2.0
/** Data-In PDUs and the response of a finished command. */
import { dataBuffers } from "../buffers.ts";
import type { Connection } from "./connection.ts";
import type { ScsiOutcome } from "./host.ts";
import type { Parameters } from "./parameters.ts";
import { dataIn, residualOf, scsiResponse, senseSegment } from "./responses.ts";
import type { CommandPdu } from "./task.ts";

const good = 0x00;
const noData = Buffer.alloc(0);

/**
 * Sends the data of a command and its status: with the last Data-In where the command ended GOOD, in a SCSI Response
 * otherwise.
 *
 * @param wantedOut bytes that the CDB asked of the initiator
 */
export function sendOutcome(
  connection: Connection,
  parameters: Parameters,
  command: CommandPdu,
  outcome: ScsiOutcome,
  wantedOut: number,
): void {
  const produced = outcome.dataIn ?? noData;
  const expected = command.read || command.write ? command.expectedLength : 0;
  const residual = residualOf(expected, command.write ? wantedOut : produced.length);
  const sent = command.read ? Math.min(produced.length, expected) : 0;
  const collapse = outcome.status === good && sent > 0;
  const { sendDataSegmentLength, maxBurstLength } = parameters;
  const giveBack = () => dataBuffers.give(produced);
  let dataSN = 0;
  for (let offset = 0; offset < sent; dataSN += 1) {
    const burstLeft = maxBurstLength - (offset % maxBurstLength);
    const length = Math.min(sendDataSegmentLength, burstLeft, sent - offset);
    const last = offset + length === sent;
    const header = dataIn({
      taskTag: command.taskTag,
      lun: command.lun,
      dataSN,
      offset,
      final: last || length === burstLeft,
      ...(last && collapse ? { status: { code: outcome.status, residual } } : {}),
    });
    const piece = produced.subarray(offset, offset + length);
    if (last && collapse) connection.sendStatus(header, piece, giveBack);
    else connection.send(header, piece, last ? giveBack : undefined);
    offset += length;
  }
  if (collapse) return;
  const response = scsiResponse(command.taskTag, outcome.status, residual, dataSN);
  connection.sendStatus(response, outcome.sense === undefined ? undefined : senseSegment(outcome.sense));
}
