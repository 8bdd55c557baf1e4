// SPDX-License-Identifier: Apache-2.0

import { totalLength } from "../../memory/total-length.ts";
import { type Clock, delay, type Timer } from "../clock.ts";
import { commandName } from "../commands/names.ts";
import { CommandTimeoutError, FateUnknownError, ScsiError, ScsiStatus, TransportError } from "../errors.ts";
import type { CommandOptions } from "../logical-unit.ts";
import { type Nexus, NexusLostError, type RunningCommand, type ScsiResult } from "../nexus.ts";
import { decodeSense, type SenseData, SenseKey } from "../sense.ts";
import type { Paths } from "./paths.ts";
import type { Slots } from "./slots.ts";

/** A command, and what may be done where it does not go well at once. */
export interface Order {
  readonly cdb: Buffer;
  readonly dataIn?: readonly Buffer[] | undefined;
  readonly dataOut?: readonly Buffer[] | undefined;
  /** A late execution would harm: it has to be known dead before anything else happens. */
  readonly changesMedium?: boolean | undefined;
  /** Only this nexus will do. */
  readonly nexus?: Nexus | undefined;
  /** Goes ahead of what waits for its turn: others may need it to go on. */
  readonly urgent?: boolean | undefined;
  /** Sense keys ABORTED COMMAND and status TASK ABORTED are for the caller. */
  readonly tellAborts?: boolean | undefined;
}

export interface ExecutorParts {
  readonly address: string;
  readonly lun: bigint;
  readonly clock: Clock;
  readonly slots: Slots;
  /** Milliseconds, for commands that do not say. */
  readonly commandTimeout: number;
  /** Hears of unit attentions, deferred errors and write protection. */
  readonly attention: (sense: SenseData) => void;
}

/** How often something may go wrong before a command is given up. */
const MAXIMUM_ATTENTIONS = 16;
const MAXIMUM_ABORTS = 3;
const MAXIMUM_BUSY = 20;
const MAXIMUM_LOST_PATHS = 1;
/** Milliseconds. */
const FIRST_BUSY_DELAY = 10;
const LONGEST_BUSY_DELAY = 1000;
const NOT_READY_DELAY = 500;

/** One command with its deadline: aborted when the time is over, or when the caller wants it to end. */
class Attempt {
  readonly deadline: number;
  attentions = 0;
  aborts = 0;
  busy = 0;
  lostPaths = 0;
  #ended: { readonly reason: Error } | undefined;
  #running: RunningCommand | undefined;
  /** Made where something has to be waited for: most commands go without. */
  #controller: AbortController | undefined;
  readonly #caller: AbortSignal | undefined;
  readonly #timer: Timer;
  readonly #callerAborted = () => this.#abort(this.#caller?.reason);

  constructor(clock: Clock, milliseconds: number, caller: AbortSignal | undefined, timeoutMessage: () => string) {
    this.deadline = clock.now() + milliseconds;
    this.#caller = caller;
    this.#timer = clock.after(milliseconds, () => this.#abort(new CommandTimeoutError(timeoutMessage())));
    caller?.addEventListener("abort", this.#callerAborted, { once: true });
    if (caller?.aborted === true) this.#callerAborted();
  }

  get aborted(): boolean {
    return this.#ended !== undefined;
  }

  /** For who waits for something else than a command. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    return this.#controller.signal;
  }

  /** @throws why it was aborted */
  check(): void {
    if (this.#ended !== undefined) throw this.#ended.reason;
  }

  /** Waits for a command that has just been started; aborts it when the time comes. */
  async result(running: RunningCommand): Promise<ScsiResult> {
    this.#running = running;
    try {
      return await running.result;
    } finally {
      this.#running = undefined;
    }
  }

  end(): void {
    this.#timer.cancel();
    this.#caller?.removeEventListener("abort", this.#callerAborted);
  }

  #abort(reason: Error): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#controller?.abort(reason);
    this.#running?.abort(reason);
  }
}

/** Carries commands out on whatever path there is, with retries within bounds (SAM-5 5.3, SPC-4 5.6). */
export class Executor {
  readonly #parts: ExecutorParts;
  readonly #paths: Paths;
  readonly #changing = new Map<Nexus, number>();

  constructor(parts: ExecutorParts, paths: Paths) {
    this.#parts = parts;
    this.#paths = paths;
  }

  /** True while a command that changes the medium is in flight on this nexus. */
  isChanging(nexus: Nexus): boolean {
    return (this.#changing.get(nexus) ?? 0) > 0;
  }

  /** Counts as a command that changes the medium, until the function that it returns is called, once. */
  holdChanging(nexus: Nexus): () => void {
    this.#changing.set(nexus, (this.#changing.get(nexus) ?? 0) + 1);
    return () => {
      const left = (this.#changing.get(nexus) ?? 0) - 1;
      if (left > 0) this.#changing.set(nexus, left);
      else this.#changing.delete(nexus);
    };
  }

  /**
   * @returns bytes that the unit sent or took
   * @throws ScsiError, TransportError, FateUnknownError, the reason of the caller's signal
   */
  async run(order: Order, options: CommandOptions = {}): Promise<number> {
    const { clock, commandTimeout, slots } = this.#parts;
    const name = commandName(order.cdb);
    const attempt = new Attempt(clock, options.timeout ?? commandTimeout, options.signal, () => {
      const { address } = this.#parts;
      return `${name} on ${address} took too long`;
    });
    try {
      if (order.urgent === true) return await this.#repeat(order, name, attempt);
      const bytes = totalLength(order.dataIn ?? order.dataOut ?? []);
      await slots.take(bytes);
      try {
        return await this.#repeat(order, name, attempt);
      } finally {
        slots.give(bytes);
      }
    } finally {
      attempt.end();
    }
  }

  async #repeat(order: Order, name: string, attempt: Attempt): Promise<number> {
    for (;;) {
      const nexus = order.nexus ?? (await this.#findPath(attempt));
      attempt.check();
      let result: ScsiResult;
      try {
        result = await this.#once(order, nexus, attempt);
      } catch (error) {
        if (!(error instanceof NexusLostError)) throw error;
        this.#lost(order, name, attempt, error);
        continue;
      }
      if (result.status === ScsiStatus.GOOD || result.status === ScsiStatus.CONDITION_MET) return result.transferred;
      await this.#judge(order, name, attempt, nexus, result);
    }
  }

  /** @throws FateUnknownError where an earlier try may still be at work, else why there is no path */
  async #findPath(attempt: Attempt): Promise<Nexus> {
    try {
      return this.#paths.current ?? (await this.#paths.wait(attempt.signal));
    } catch (error) {
      const { address } = this.#parts;
      const settled = this.#paths.settled;
      const cause = this.#paths.lastError;
      if (attempt.lostPaths > 0 && settled !== undefined) {
        throw new FateUnknownError(`${address} was lost with a command at work: ${cause.message}`, settled, { cause });
      }
      if (!(error instanceof CommandTimeoutError)) throw error;
      throw new TransportError(`${address} cannot be reached: ${cause.message}`, { cause });
    }
  }

  async #once(order: Order, nexus: Nexus, attempt: Attempt): Promise<ScsiResult> {
    const { cdb, dataIn, dataOut } = order;
    const release = order.changesMedium === true ? this.holdChanging(nexus) : undefined;
    try {
      return await attempt.result(nexus.start({ lun: this.#parts.lun, cdb, dataIn, dataOut }));
    } finally {
      release?.();
    }
  }

  /** A nexus was lost with the command on it. Returns where it may be tried on another path. */
  #lost(order: Order, name: string, attempt: Attempt, error: NexusLostError): void {
    const again = order.nexus === undefined && attempt.lostPaths < MAXIMUM_LOST_PATHS && !attempt.aborted;
    if (again || (order.nexus === undefined && !error.sent && !attempt.aborted)) {
      if (error.sent) attempt.lostPaths++;
      return;
    }
    const settled = this.#paths.settled;
    if (order.changesMedium === true && error.sent && settled !== undefined) {
      const message = `the path to ${this.#parts.address} was lost with ${name} at work: ${error.message}`;
      throw new FateUnknownError(message, settled, { cause: error });
    }
    attempt.check();
    throw error;
  }

  /** Looks at a status other than GOOD. Returns, after a pause, where the command is to be tried again. */
  async #judge(order: Order, name: string, attempt: Attempt, nexus: Nexus, result: ScsiResult): Promise<void> {
    const { status, senseData } = result;
    const sense = status === ScsiStatus.CHECK_CONDITION ? decodeSense(senseData) : undefined;
    const failure = new ScsiError(name, status, sense);
    if (status === ScsiStatus.BUSY || status === ScsiStatus.TASK_SET_FULL) {
      if (status === ScsiStatus.TASK_SET_FULL) this.#parts.slots.full();
      if (++attempt.busy > MAXIMUM_BUSY) throw failure;
      return this.#pause(attempt, Math.min(FIRST_BUSY_DELAY * 2 ** (attempt.busy - 1), LONGEST_BUSY_DELAY));
    }
    if (status === ScsiStatus.TASK_ABORTED) return countAbort(order, attempt, failure);
    if (sense === undefined) throw failure;
    if (sense.key === SenseKey.UNIT_ATTENTION || sense.deferred) {
      this.#parts.attention(sense);
      if (++attempt.attentions > MAXIMUM_ATTENTIONS) throw failure;
      return;
    }
    if (sense.key === SenseKey.NOT_READY) return this.#notReady(attempt, nexus, order, failure, sense);
    if (sense.key === SenseKey.ABORTED_COMMAND) return countAbort(order, attempt, failure);
    if (sense.key === SenseKey.DATA_PROTECT) this.#parts.attention(sense);
    throw failure;
  }

  async #notReady(attempt: Attempt, nexus: Nexus, order: Order, failure: ScsiError, sense: SenseData): Promise<void> {
    const { asc, ascq } = sense;
    const standby = asc === 0x04 && (ascq === 0x0b || ascq === 0x0c);
    if (standby && order.nexus === undefined) this.#paths.leave(nexus);
    // Becoming ready, or an asymmetric access state transition.
    const passing = asc === 0x04 && (ascq === 0x01 || ascq === 0x0a);
    if (!passing && !(standby && order.nexus === undefined)) throw failure;
    if (this.#parts.clock.now() + NOT_READY_DELAY >= attempt.deadline) throw failure;
    return this.#pause(attempt, NOT_READY_DELAY);
  }

  async #pause(attempt: Attempt, milliseconds: number): Promise<void> {
    await delay(this.#parts.clock, milliseconds, attempt.signal);
  }
}

function countAbort(order: Order, attempt: Attempt, failure: ScsiError): void {
  if (order.tellAborts === true || ++attempt.aborts > MAXIMUM_ABORTS) throw failure;
}
