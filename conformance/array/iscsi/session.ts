// SPDX-License-Identifier: Apache-2.0
/** One session: its I_T nexus, the command window and the outstanding tasks (RFC 7143 4.2.2 and 4.3). */
import type { Nexus } from "../scsi/nexus.ts";
import type { Connection } from "./connection.ts";
import type { LoginIdentity } from "./login.ts";
import { nextSN, precedes } from "./pdu.ts";
import type { Task } from "./task.ts";

export class Session {
  readonly identity: LoginIdentity;
  readonly tsih: number;
  /** Undefined in a discovery session. */
  readonly nexus: Nexus | undefined;
  readonly connection: Connection;
  /** Outstanding tasks by their Initiator Task Tag. */
  readonly tasks = new Map<number, Task>();
  readonly #queueDepth: number;
  #expCmdSN: number;
  #maxCmdSN: number;
  /** Commands that came ahead of their turn, by CmdSN. */
  readonly #early = new Map<number, () => void>();

  constructor(
    identity: LoginIdentity,
    tsih: number,
    connection: Connection,
    nexus: Nexus | undefined,
    queueDepth: number,
  ) {
    this.identity = identity;
    this.tsih = tsih;
    this.connection = connection;
    this.nexus = nexus;
    this.#queueDepth = queueDepth;
    this.#expCmdSN = identity.cmdSN;
    this.#maxCmdSN = (identity.cmdSN + queueDepth - 1) >>> 0;
  }

  get expCmdSN(): number {
    return this.#expCmdSN;
  }

  get maxCmdSN(): number {
    return this.#maxCmdSN;
  }

  /**
   * Delivers a numbered command in its turn. A command outside of the window, or one that came before, is dropped
   * without an answer (RFC 7143 4.2.2.1).
   */
  accept(serial: number, deliver: () => void): void {
    if (precedes(serial, this.#expCmdSN) || precedes(this.#maxCmdSN, serial)) return;
    if (serial !== this.#expCmdSN) {
      if (this.#early.size < this.#queueDepth) this.#early.set(serial, deliver);
      return;
    }
    for (let next: (() => void) | undefined = deliver; next !== undefined; ) {
      this.#expCmdSN = nextSN(this.#expCmdSN);
      next();
      next = this.#early.get(this.#expCmdSN);
      this.#early.delete(this.#expCmdSN);
    }
  }

  /** True where a command with this number would still be taken: it has not arrived. */
  isAhead(serial: number): boolean {
    return !precedes(serial, this.#expCmdSN) && !precedes(this.#maxCmdSN, serial);
  }

  /** Counts a command as arrived that never will: an ABORT TASK said so (RFC 7143 11.6.1). */
  skip(serial: number): void {
    this.accept(serial, () => this.release());
  }

  /** Ends a task without a response. */
  abort(task: Task): void {
    task.abort();
    this.tasks.delete(task.command.taskTag);
    // What runs is released when it comes to its end.
    if (!task.started && !task.command.immediate) this.release();
  }

  /** A numbered command is finished: the window moves on by one. */
  release(): void {
    this.#maxCmdSN = nextSN(this.#maxCmdSN);
  }
}
