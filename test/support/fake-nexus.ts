// SPDX-License-Identifier: Apache-2.0

import { ScsiStatus, TransportError } from "../../src/scsi/errors.ts";
import {
  type Nexus,
  type NexusEvents,
  NexusLostError,
  type RunningCommand,
  type ScsiCommand,
  type ScsiResult,
} from "../../src/scsi/nexus.ts";
import type { Path } from "../../src/scsi/unit/paths.ts";

const NO_SENSE = Buffer.alloc(0);

export const good = (transferred = 0): ScsiResult => ({ status: ScsiStatus.GOOD, senseData: NO_SENSE, transferred });
export const status = (code: number): ScsiResult => ({ status: code, senseData: NO_SENSE, transferred: 0 });

/** CHECK CONDITION in fixed format, with INFORMATION where it is given. */
export function check(key: number, asc: number, ascq = 0, information?: number): ScsiResult {
  const senseData = Buffer.alloc(18);
  senseData[0] = information === undefined ? 0x70 : 0xf0;
  senseData[2] = key;
  senseData.writeUInt32BE(information ?? 0, 3);
  senseData[7] = 10;
  senseData[12] = asc;
  senseData[13] = ascq;
  return { status: ScsiStatus.CHECK_CONDITION, senseData, transferred: 0 };
}

/** What a command comes to: an answer, `lost` with the nexus, or nothing at all. */
export type Outcome = ScsiResult | "lost" | "silence";

/** A unit in memory behind any number of paths: it answers what makes it known, and what a test says to anything else. */
export class FakeDevice {
  blocks = 2048;
  name = "6000000000000001";
  readOnly = false;
  /** Target port groups' states by the paths' names; 0 is active/optimized. */
  readonly accessStates = new Map<string, number>();
  readonly nexuses: FakeNexus[] = [];
  readonly commands: { readonly path: string; readonly cdb: Buffer; readonly dataOut: Buffer }[] = [];
  resets = 0;
  resetWorks = true;
  /** Answers a command, or leaves it to the device. */
  answer: (cdb: Buffer, command: ScsiCommand, path: string) => Outcome | undefined = () => undefined;
  /** Why a path cannot be opened. */
  refuse: (path: string) => Error | undefined = () => undefined;

  /** @param name of the nexus: paths of one portal group have the same */
  path(portal: string, name: string): Path {
    return {
      name: portal,
      open: async (events) => {
        // A login takes its time.
        await new Promise<void>((resolve) => setImmediate(resolve));
        const error = this.refuse(portal);
        if (error !== undefined) throw error;
        const nexus = new FakeNexus(this, portal, name, events);
        this.nexuses.push(nexus);
        return nexus;
      },
    };
  }

  /** Commands with this operation code and service action. */
  sent(opcode: number, serviceAction = 0) {
    return this.commands.filter(({ cdb }) => cdb[0] === opcode && (serviceAction === 0 || cdb[1] === serviceAction));
  }

  run(command: ScsiCommand, path: string): Outcome {
    const { cdb } = command;
    this.commands.push({ path, cdb: Buffer.from(cdb), dataOut: Buffer.concat(command.dataOut ?? []) });
    const answer = this.answer(cdb, command, path);
    if (answer !== undefined) return answer;
    const data = this.#data(cdb, path);
    if (data === undefined) return good(Buffer.concat([...(command.dataIn ?? []), ...(command.dataOut ?? [])]).length);
    return fill(command, data);
  }

  #data(cdb: Buffer, path: string): Buffer | undefined {
    const opcode = cdb[0];
    if (opcode === 0x12) return this.#inquiry(cdb);
    if (opcode === 0x9e) {
      const data = Buffer.alloc(32);
      data.writeUInt32BE(this.blocks - 1, 4);
      data.writeUInt32BE(512, 8);
      return data;
    }
    if (opcode === 0x1a) return Buffer.from([3, 0, this.readOnly ? 0x80 : 0, 0]);
    if (opcode === 0xa3) return Buffer.from([0, 0, 0, 8, this.accessStates.get(path) ?? 0, 0, 0, 1, 0, 0, 0, 0]);
    return undefined;
  }

  #inquiry(cdb: Buffer): Buffer {
    const hex = (text: string) => Buffer.from(text.replace(/\s/g, ""), "hex");
    if ((cdb[1] ?? 0) === 0)
      return Buffer.concat([hex("0000060f5b100000"), Buffer.from("TEST    DEVICE          0001")]);
    if (cdb[2] === 0x00) return hex("00000005 00 83 8f b0 b2");
    if (cdb[2] === 0x83) return hex(`00830014 01030008 ${this.name} 01150004 00000001`);
    if (cdb[2] === 0x8f) {
      return hex("008f0024 0000 0020 000000000000 0008 00000258 0000003c 0000000000200000 0000000000080000");
    }
    return Buffer.concat([Buffer.from([0, cdb[2] ?? 0, 0, 0x3c]), Buffer.alloc(0x3c)]);
  }
}

/** Puts data into the buffers of a command. */
export function fill(command: ScsiCommand, data: Buffer): ScsiResult {
  let done = 0;
  for (const buffer of command.dataIn ?? []) done += data.copy(buffer, 0, done);
  return good(done);
}

interface Waiting {
  readonly command: ScsiCommand;
  readonly reject: (error: Error) => void;
}

export class FakeNexus implements Nexus {
  readonly portal: string;
  readonly name: string;
  connected = true;
  /** ABORT TASK works. */
  abortWorks = true;
  aborted = 0;
  readonly #device: FakeDevice;
  readonly #events: NexusEvents;
  readonly #waiting = new Set<Waiting>();

  constructor(device: FakeDevice, portal: string, name: string, events: NexusEvents) {
    this.portal = portal;
    this.name = name;
    this.#device = device;
    this.#events = events;
  }

  start(command: ScsiCommand): RunningCommand {
    if (!this.connected) {
      const result = Promise.reject(new NexusLostError("no nexus", false));
      result.catch(() => undefined);
      return { result, abort: () => undefined };
    }
    let waiting: Waiting | undefined;
    const result = new Promise<ScsiResult>((resolve, reject) => {
      const outcome = this.#device.run(command, this.portal);
      if (typeof outcome === "object") {
        resolve(outcome);
        return;
      }
      waiting = { command, reject };
      this.#waiting.add(waiting);
      if (outcome === "lost") queueMicrotask(() => this.lose(new TransportError("the cable is out")));
    });
    result.catch(() => undefined);
    return {
      result,
      abort: (reason) => {
        if (waiting === undefined || !this.#waiting.has(waiting)) return;
        this.aborted++;
        if (!this.abortWorks) {
          this.lose(new TransportError("it does not abort"));
          return;
        }
        this.#waiting.delete(waiting);
        waiting.reject(reason);
      },
    };
  }

  async resetLogicalUnit(): Promise<void> {
    this.#device.resets++;
    if (!this.#device.resetWorks || !this.connected) throw new TransportError("the reset was refused");
  }

  async close(): Promise<void> {
    this.#end(undefined);
  }

  attention(key: number, asc: number, ascq: number): void {
    this.#events.attention(0n, { key, asc, ascq, information: undefined, deferred: false });
  }

  lose(error: Error): void {
    this.#end(error);
  }

  #end(error: Error | undefined): void {
    if (!this.connected) return;
    this.connected = false;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { reject } of waiting) reject(new NexusLostError(error?.message ?? "closed", true));
    this.#events.lost(error);
  }
}
