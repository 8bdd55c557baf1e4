// SPDX-License-Identifier: Apache-2.0

import { type Clock, delay } from "../clock.ts";
import {
  CopyOperationStatus,
  copyOperationAbortCdb,
  decodeRodTokenInformation,
  isInProgress,
  populateTokenCdb,
  populateTokenParameters,
  receiveRodTokenInformationCdb,
  rodTypeOf,
  transferredBlocks,
  writeUsingTokenCdb,
  writeUsingTokenParameters,
} from "../commands/tokens.ts";
import {
  CommandTimeoutError,
  FateUnknownError,
  ProtocolError,
  ScsiError,
  ScsiStatus,
  TransportError,
} from "../errors.ts";
import type {
  BlockRange,
  CommandOptions,
  CopyNexus,
  PopulatedToken,
  PopulateTokenRequest,
  RodTokenInformation,
  WriteUsingTokenRequest,
} from "../logical-unit.ts";
import { type Nexus, NexusLostError } from "../nexus.ts";
import { decodeSense, SenseKey } from "../sense.ts";
import type { Executor } from "./executor.ts";
import type { ListIdentifiers } from "./list-identifiers.ts";

/** Room for the header, the longest sense data, and one token: it must come whole, because it comes once (SPC-4 6.25). */
const RRTI_LENGTH = 1024;

/** The third-party copy commands on one nexus. */
export class PinnedCopyNexus implements CopyNexus {
  readonly nexus: Nexus;
  readonly #executor: Executor;
  readonly #identifiers: ListIdentifiers;

  constructor(nexus: Nexus, executor: Executor, identifiers: ListIdentifiers) {
    this.nexus = nexus;
    this.#executor = executor;
    this.#identifiers = identifiers;
  }

  get connected(): boolean {
    return this.nexus.connected;
  }

  /** The array may be changing the medium, though no command is in flight. @returns a function that ends it */
  holdChanging(): () => void {
    return this.#executor.holdChanging(this.nexus);
  }

  takeListIdentifier(): number {
    return this.#identifiers.take();
  }

  giveListIdentifier(listIdentifier: number): void {
    this.#identifiers.give(listIdentifier);
  }

  async populateToken(identifier: number, request: PopulateTokenRequest, options?: CommandOptions): Promise<void> {
    const list = populateTokenParameters(request);
    const cdb = populateTokenCdb(identifier, list.length);
    await this.#executor.run({ cdb, dataOut: [list], nexus: this.nexus, tellAborts: true }, options);
  }

  async writeUsingToken(identifier: number, request: WriteUsingTokenRequest, options?: CommandOptions): Promise<void> {
    const list = writeUsingTokenParameters(request);
    const cdb = writeUsingTokenCdb(identifier, list.length);
    const order = { cdb, dataOut: [list], nexus: this.nexus, tellAborts: true, changesMedium: true };
    await this.#executor.run(order, options);
  }

  async receiveRodTokenInformation(identifier: number, options?: CommandOptions): Promise<RodTokenInformation> {
    const answer = Buffer.alloc(RRTI_LENGTH);
    const cdb = receiveRodTokenInformationCdb(identifier, RRTI_LENGTH);
    // An answer that was lost on its way is gone: asking again would tell of another operation, or of none.
    const order = { cdb, dataIn: [answer], nexus: this.nexus, tellAborts: true };
    const received = await this.#executor.run(order, options);
    return decodeRodTokenInformation(answer.subarray(0, received));
  }

  async copyOperationAbort(identifier: number, options?: CommandOptions): Promise<void> {
    await this.#executor.run({ cdb: copyOperationAbortCdb(identifier), nexus: this.nexus }, options);
  }
}

export interface CopierParts {
  readonly clock: Clock;
  /** The nexus in use, or the next one. */
  readonly nexus: (signal: AbortSignal) => Promise<PinnedCopyNexus>;
  readonly blockSize: () => number;
  /** Milliseconds, for operations that do not say. */
  readonly commandTimeout: number;
  /** LOGICAL UNIT RESET, waiting for a path for so many milliseconds. */
  readonly reset: (timeout: number) => Promise<void>;
  /** As of `Paths`. */
  readonly settled: () => Promise<void> | undefined;
}

/** Tries on another path after the first one was lost. */
const MAXIMUM_LOST_PATHS = 1;
const MAXIMUM_IDENTIFIERS = 3;
/** Milliseconds between two questions for the state of an operation. */
const SHORTEST_POLL = 10;
const LONGEST_POLL = 2000;
const DEFAULT_POLL = 100;
/** Milliseconds for learning what became of an operation whose own time is over. */
const AFTERMATH = 2000;

const total = (ranges: readonly BlockRange[]): number => ranges.reduce((sum, { blocks }) => sum + blocks, 0);

/** The target cut the operation short, and did a part of it. */
function isTruncated(error: unknown): error is ScsiError {
  return (
    error instanceof ScsiError &&
    (error.is(SenseKey.COPY_ABORTED, 0x0d, 0x04) || error.is(SenseKey.ABORTED_COMMAND, 0x0d, 0x04))
  );
}

const isIdentifierInUse = (error: unknown) =>
  error instanceof ScsiError && error.is(SenseKey.ILLEGAL_REQUEST, 0x00, 0x16);

/** The command was refused as it is, and nothing was begun. */
function isRefused(error: unknown): boolean {
  return error instanceof ScsiError && error.sense?.key === SenseKey.ILLEGAL_REQUEST;
}

/** A further try may work: the path is gone, or somebody else reset the unit. */
const isPathLost = (error: unknown) => error instanceof NexusLostError || error instanceof FateUnknownError;

/** Time that is left to an operation of several commands. */
class Budget {
  readonly signal: AbortSignal;
  readonly #clock: Clock;
  readonly #deadline: number;
  readonly #controller = new AbortController();
  readonly #end: () => void;

  constructor(clock: Clock, milliseconds: number, caller: AbortSignal | undefined) {
    this.#clock = clock;
    this.#deadline = clock.now() + milliseconds;
    this.signal = this.#controller.signal;
    const timer = clock.after(milliseconds, () => {
      this.#controller.abort(new CommandTimeoutError("the copy operation took too long"));
    });
    const abort = () => this.#controller.abort(caller?.reason);
    caller?.addEventListener("abort", abort, { once: true });
    if (caller?.aborted === true) abort();
    this.#end = () => {
      timer.cancel();
      caller?.removeEventListener("abort", abort);
    };
  }

  get options(): CommandOptions {
    return { signal: this.signal, timeout: Math.max(1, this.#deadline - this.#clock.now()) };
  }

  end(): void {
    this.#end();
  }
}

/** POPULATE TOKEN and WRITE USING TOKEN to their ends: results, truncation, operations in progress, lost paths. */
export class Copier {
  readonly #parts: CopierParts;

  constructor(parts: CopierParts) {
    this.#parts = parts;
  }

  populateToken(request: PopulateTokenRequest, options: CommandOptions = {}): Promise<PopulatedToken> {
    return this.#onPaths(options, MAXIMUM_LOST_PATHS, async (nexus, identifier, budget) => {
      try {
        await nexus.populateToken(identifier, request, budget.options);
      } catch (error) {
        if (!isTruncated(error)) throw error;
      }
      const information = await this.#result(nexus, identifier, budget.signal, budget.options);
      return this.#tokenOf(information, total(request.ranges));
    });
  }

  writeUsingToken(request: WriteUsingTokenRequest, options: CommandOptions = {}): Promise<number> {
    const asked = total(request.ranges);
    const lostPaths = request.deleteToken === true ? 0 : MAXIMUM_LOST_PATHS;
    return this.#onPaths(options, lostPaths, async (nexus, identifier, budget) => {
      try {
        await nexus.writeUsingToken(identifier, request, budget.options);
      } catch (error) {
        if (isPathLost(error) || isRefused(error)) throw error;
        if (isTruncated(error)) {
          const count = error.sense?.information;
          if (count !== undefined && count > 0n && count <= BigInt(asked)) return Number(count);
        }
        return await this.#written(nexus, identifier, asked, error);
      }
      return this.#confirmed(nexus, identifier, asked, budget);
    });
  }

  /** Runs an operation with a list identifier, on another path where the first one is lost. */
  async #onPaths<T>(
    options: CommandOptions,
    maximumLostPaths: number,
    operation: (nexus: PinnedCopyNexus, identifier: number, budget: Budget) => Promise<T>,
  ): Promise<T> {
    const { clock, commandTimeout, nexus } = this.#parts;
    const budget = new Budget(clock, options.timeout ?? commandTimeout, options.signal);
    let failure: unknown;
    try {
      for (let lost = 0, inUse = 0; ; ) {
        // A new nexus is handed out only when everything on the lost one is known to be dead.
        const path = await this.#withFate(nexus(budget.signal), failure);
        const identifier = path.takeListIdentifier();
        try {
          return await operation(path, identifier, budget);
        } catch (error) {
          failure = error;
          if (isIdentifierInUse(error) && inUse++ < MAXIMUM_IDENTIFIERS) continue;
          if (!isPathLost(error) || lost++ >= maximumLostPaths || budget.signal.aborted) throw error;
        } finally {
          path.giveListIdentifier(identifier);
        }
      }
    } finally {
      budget.end();
    }
  }

  /** Waiting for a path may fail while an earlier try is still at work. */
  async #withFate<T>(path: Promise<T>, earlier: unknown): Promise<T> {
    try {
      return await path;
    } catch (error) {
      const settled = this.#parts.settled();
      if (!(earlier instanceof FateUnknownError) || settled === undefined) throw error;
      throw new FateUnknownError(earlier.message, settled, { cause: earlier });
    }
  }

  /**
   * The result of an operation, once it is over.
   * @param working hears that it is not over yet, each time that the array says so
   */
  async #result(
    nexus: CopyNexus,
    identifier: number,
    signal: AbortSignal,
    options: CommandOptions,
    working?: () => void,
  ): Promise<RodTokenInformation> {
    for (;;) {
      const information = await nexus.receiveRodTokenInformation(identifier, options);
      if (!isInProgress(information.status)) return information;
      working?.();
      const pause = Math.min(Math.max(information.statusUpdateDelay ?? DEFAULT_POLL, SHORTEST_POLL), LONGEST_POLL);
      await delay(this.#parts.clock, pause, signal);
      if (signal.aborted) {
        await nexus.copyOperationAbort(identifier, { timeout: AFTERMATH }).catch(() => undefined);
        throw signal.reason;
      }
    }
  }

  #tokenOf(information: RodTokenInformation, asked: number): PopulatedToken {
    const { token } = information;
    const blocks = this.#count(information, asked);
    if (blocks === 0 || token === undefined) throw operationError("POPULATE TOKEN", information);
    return { token, rodType: rodTypeOf(token), blocks };
  }

  /** Blocks that an operation says to have done: those of one that ended with an error do not count. */
  #count(information: RodTokenInformation, asked: number): number {
    const { status } = information;
    const good =
      status === CopyOperationStatus.COMPLETED ||
      status === CopyOperationStatus.COMPLETED_PARTIAL_ROD ||
      status === CopyOperationStatus.COMPLETED_RESIDUAL;
    if (!good) return 0;
    const blocks = transferredBlocks(information, this.#parts.blockSize());
    if (blocks === undefined || blocks > asked) {
      throw new ProtocolError("the array says that it copied more than it was asked to");
    }
    return blocks;
  }

  /**
   * How much a WRITE USING TOKEN that ended with GOOD has written: an array may truncate and tell it in the result alone
   * (status 04h). One that keeps no result has written everything, unless it has said before that it is still at work.
   */
  async #confirmed(nexus: PinnedCopyNexus, identifier: number, asked: number, budget: Budget): Promise<number> {
    let release: (() => void) | undefined;
    const working = () => {
      release ??= nexus.holdChanging();
    };
    let information: RodTokenInformation;
    try {
      information = await this.#result(nexus, identifier, budget.signal, budget.options, working);
    } catch (error) {
      if (release === undefined) {
        if (error instanceof ScsiError) return asked;
        throw error;
      }
      if (!isPathLost(error)) await this.#makeDead(error);
      throw this.#unlessDead(error);
    } finally {
      release?.();
    }
    const blocks = this.#count(information, asked);
    if (blocks === 0) throw operationError("WRITE USING TOKEN", information);
    return blocks;
  }

  /** Learns how much a WRITE USING TOKEN that did not end well has written, and makes sure that it is over. */
  async #written(nexus: PinnedCopyNexus, identifier: number, asked: number, failure: unknown): Promise<number> {
    const controller = new AbortController();
    const timer = this.#parts.clock.after(AFTERMATH, () => controller.abort(failure));
    const release = nexus.holdChanging();
    let information: RodTokenInformation;
    try {
      information = await this.#result(nexus, identifier, controller.signal, {
        timeout: AFTERMATH,
        signal: controller.signal,
      });
    } catch (error) {
      // The array has nothing to tell: the command has ended as it said. Anything else leaves it open.
      if (!(error instanceof ScsiError)) await this.#makeDead(failure);
      throw failure;
    } finally {
      release();
      timer.cancel();
    }
    const blocks = this.#count(information, asked);
    if (blocks === 0) throw failure;
    return blocks;
  }

  /** The loss of a path with an operation at work on it, which ends with the next login or reset. */
  #unlessDead(error: unknown): unknown {
    const settled = this.#parts.settled();
    if (!(error instanceof NexusLostError) || settled === undefined) return error;
    return new FateUnknownError(`the array may still be copying: ${error.message}`, settled, { cause: error });
  }

  /** Ends what may still be copying. */
  async #makeDead(failure: unknown): Promise<void> {
    try {
      await this.#parts.reset(AFTERMATH);
    } catch (error) {
      const settled = this.#parts.settled();
      if (settled === undefined) throw failure;
      throw new FateUnknownError("the array may still be copying", settled, { cause: error });
    }
  }
}

/** An operation without a result, as the error that its own command would have been. */
function operationError(command: string, information: RodTokenInformation): Error {
  const sense = decodeSense(information.senseData);
  if (information.completionStatus !== ScsiStatus.GOOD || sense !== undefined) {
    return new ScsiError(command, information.completionStatus || ScsiStatus.CHECK_CONDITION, sense);
  }
  return new TransportError(`${command}: the array did nothing (status ${information.status.toString(16)}h)`);
}
