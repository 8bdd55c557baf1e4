// SPDX-License-Identifier: Apache-2.0

import { FateUnknownError, TransportError } from "../../src/scsi/errors.ts";
import type { MemoryUnit } from "./memory-array.ts";

/** A session that ends with a command at work. */
export interface SessionDrop {
  /** Commands of the unit that come through before. */
  readonly after: number;
  /** What the array makes of a command that changes the medium: nothing, a part of it, or all. */
  readonly fate: "nothing" | "part" | "all";
  /** Bytes of the part. */
  readonly bytes: number;
  /** Turns of the event loop until there is a session again. */
  readonly turns: number;
  /** Commands that come meanwhile wait for that; otherwise they are refused. */
  readonly patient: boolean;
}

/**
 * Has the sessions with a unit in memory end with commands at work. As `LogicalUnit` promises, whoever gave a command that changes the
 * medium hears that its fate is unknown, and no other command is carried out before it is known: what the array makes of
 * the lost one happens late, but before that.
 */
export class LossyUnit {
  /** Sessions that have ended so far. */
  dropped = 0;
  readonly #unit: MemoryUnit;
  readonly #drops: SessionDrop[];
  readonly #restore: () => void;
  #commands = 0;
  /** While there is no session. */
  #away: { readonly drop: SessionDrop; readonly back: Promise<void> } | undefined;

  constructor(unit: MemoryUnit, drops: readonly SessionDrop[]) {
    this.#unit = unit;
    this.#drops = [...drops].sort((a, b) => a.after - b.after);
    const { write, read, unmap, populateToken, writeUsingToken, ready, synchronizeCache } = unit;
    this.#restore = () =>
      Object.assign(unit, { write, read, unmap, populateToken, writeUsingToken, ready, synchronizeCache });
    const changing = <T extends unknown[], R>(
      command: (...args: T) => Promise<R>,
      part: (bytes: number, ...args: T) => Promise<unknown>,
      copy: (...args: T) => T = (...args) => args,
    ) => {
      return (...args: T) => {
        const late = copy(...args);
        return this.#run(
          () => command.apply(unit, args),
          async ({ fate, bytes }) => {
            if (fate === "all") await command.apply(unit, late);
            else if (fate === "part") await part(bytes, ...late);
          },
        );
      };
    };
    const harmless = <T extends unknown[], R>(command: (...args: T) => Promise<R>) => {
      return (...args: T) => this.#run(() => command.apply(unit, args), undefined);
    };
    Object.assign(unit, {
      // The buffers are the caller's again once the command has ended.
      write: changing(
        write,
        async (bytes, lba, data) => unit.writeTorn(lba, data, bytes),
        (lba: number, data: readonly Buffer[]): [number, readonly Buffer[]] => [lba, [Buffer.concat(data)]],
      ),
      unmap: changing(unmap, (_bytes, ranges) => unmap.call(unit, ranges.slice(0, 1))),
      writeUsingToken: changing(writeUsingToken, (_bytes, request) =>
        writeUsingToken.call(unit, { ...request, ranges: request.ranges.slice(0, 1) }),
      ),
      read: harmless(read),
      populateToken: harmless(populateToken),
      synchronizeCache: harmless(synchronizeCache),
      ready: harmless(ready),
    });
  }

  /** Resolves when there is a session, and no command of an earlier one can change anything. */
  async quiet(): Promise<void> {
    while (this.#away !== undefined) await this.#away.back;
  }

  /** No session ends any more. */
  async release(): Promise<void> {
    await this.quiet();
    this.#restore();
  }

  async #run<R>(command: () => Promise<R>, late: ((drop: SessionDrop) => Promise<void>) | undefined): Promise<R> {
    const away = this.#away;
    if (away !== undefined) {
      if (!away.drop.patient) throw new TransportError("no path leads to the unit");
      await this.quiet();
    }
    const [drop] = this.#drops;
    if (drop === undefined || this.#commands++ < drop.after) return await command();
    this.#drops.shift();
    this.dropped += 1;
    const back = this.#comeBack(drop, late);
    this.#away = { drop, back };
    if (late === undefined) throw new TransportError("the session was lost");
    throw new FateUnknownError("the session was lost with a command at work", back);
  }

  async #comeBack(drop: SessionDrop, late: ((drop: SessionDrop) => Promise<void>) | undefined): Promise<void> {
    if (!drop.patient) this.#unit.vanish();
    for (let turn = 0; turn <= drop.turns; turn++) await new Promise(setImmediate);
    if (!drop.patient) this.#unit.comeBack();
    await late?.(drop);
    this.#away = undefined;
  }
}
