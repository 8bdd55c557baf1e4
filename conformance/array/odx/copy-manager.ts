// SPDX-License-Identifier: Apache-2.0
/** The copy manager of an array: its tokens, and the copy operations of each I_T nexus (SPC-4 5.16). */
import type { Clock } from "../clock.ts";
import type { Nexus } from "../scsi/nexus.ts";
import { CheckCondition, illegal, SenseKey, sense } from "../scsi/sense.ts";
import type { LogicalUnit } from "../scsi/unit.ts";
import { CopyOperation } from "./copy-operation.ts";
import type { OdxOptions } from "./options.ts";
import { type IssuedToken, TokenRegistry } from "./token-registry.ts";

export class CopyManager {
  readonly options: OdxOptions;
  readonly clock: Clock;
  readonly tokens: TokenRegistry;
  /** Copy managers whose tokens are taken here while `remoteTokens` is set. */
  readonly peers: CopyManager[] = [];
  remoteTokens = true;
  readonly #operations = new Map<Nexus, Map<number, CopyOperation>>();

  constructor(identity: string, options: OdxOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
    this.tokens = new TokenRegistry(identity, options, clock);
  }

  /** Begins an operation; a list identifier whose operation still runs is refused (SPC-4 6.4.3.2). */
  begin(nexus: Nexus, unit: LogicalUnit, listIdentifier: number, serviceAction: number): CopyOperation {
    const operations = this.#operations.get(nexus) ?? new Map<number, CopyOperation>();
    // OPERATION IN PROGRESS.
    if (operations.get(listIdentifier)?.running === true) throw illegal(0x00, 0x16);
    operations.delete(listIdentifier);
    if (operations.size >= this.options.maxOperations && !this.#forgetOne(operations)) {
      // INSUFFICIENT RESOURCES.
      throw new CheckCondition(sense(SenseKey.ABORTED_COMMAND, 0x55, 0x03));
    }
    const operation = new CopyOperation(listIdentifier, serviceAction, unit);
    operations.set(listIdentifier, operation);
    this.#operations.set(nexus, operations);
    return operation;
  }

  find(nexus: Nexus, listIdentifier: number): CopyOperation | undefined {
    return this.#operations.get(nexus)?.get(listIdentifier);
  }

  /** The result was fetched, or is not wanted. */
  forget(nexus: Nexus, operation: CopyOperation): void {
    const operations = this.#operations.get(nexus);
    if (operations?.get(operation.listIdentifier) === operation) operations.delete(operation.listIdentifier);
  }

  /** The nexus is lost: its operations stop and their results are gone. */
  nexusLost(nexus: Nexus): void {
    for (const operation of this.#operations.get(nexus)?.values() ?? []) operation.stop();
    this.#operations.delete(nexus);
  }

  /** The unit is reset: the operations of all nexuses on it stop and their results are gone. */
  unitReset(unit: LogicalUnit): void {
    for (const operations of this.#operations.values()) {
      for (const [listIdentifier, operation] of [...operations]) {
        if (operation.unit !== unit) continue;
        operation.stop();
        operations.delete(listIdentifier);
      }
    }
  }

  /** Finds a token here or, where that is allowed, with a peer. */
  findToken(bytes: Buffer): { readonly token: IssuedToken; readonly owner: CopyManager } {
    const owner = this.tokens.isOwn(bytes) || !this.remoteTokens ? this : this.#peerOf(bytes);
    return { token: owner.tokens.find(bytes), owner };
  }

  /** The unit is gone: nothing can be read from it any more. */
  unitLost(unit: LogicalUnit): void {
    this.tokens.cancelFor(unit);
  }

  close(): void {
    for (const nexus of [...this.#operations.keys()]) this.nexusLost(nexus);
    this.tokens.close();
  }

  #peerOf(bytes: Buffer): CopyManager {
    return this.peers.find(({ tokens }) => tokens.isOwn(bytes)) ?? this;
  }

  /** Makes room: the oldest result that nobody fetched goes. */
  #forgetOne(operations: Map<number, CopyOperation>): boolean {
    for (const [listIdentifier, operation] of operations) {
      if (operation.running) continue;
      operations.delete(listIdentifier);
      return true;
    }
    return false;
  }
}
