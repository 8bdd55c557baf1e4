// SPDX-License-Identifier: Apache-2.0

import type { FileTime } from "../../nt/filetime.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { Allocator, Piece } from "./allocator.ts";
import { ArrayOffload } from "./array-offload.ts";
import type { Catalogue } from "./catalogue.ts";
import type { Lun } from "./lun.ts";
import type { Node } from "./node.ts";
import { Reclaimer } from "./reclaimer.ts";
import type { CatalogueStore, Change } from "./store.ts";

/** What a volume tells of itself. */
export interface VolumeLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** What the parts of one array volume share. */
export class ArrayContext {
  readonly catalogue: Catalogue;
  readonly allocator: Allocator;
  readonly luns: readonly Lun[];
  /** Bytes of an allocation unit. */
  readonly unit: number;
  readonly maximumFileSize: number;
  readonly readOnly: boolean;
  /** Every LUN is one file, neither more nor less. */
  readonly wholeLuns: boolean;
  readonly defaultSecurity: Buffer;
  readonly clock: () => FileTime;
  readonly log: VolumeLog;
  readonly offload: ArrayOffload;
  /** Files that are open, by file id. */
  readonly nodes = new Map<bigint, Node>();
  readonly #store: CatalogueStore;
  /** Bytes that are given out again once the catalogue on disk no longer says whose they are. */
  #settling = 0;
  #waitingForDisk: Piece[] = [];
  #settled: Promise<void> | undefined;
  /** What tokens may still read, until when by {@link #now}. */
  #held: { readonly pieces: readonly Piece[]; readonly until: number }[] = [];
  readonly #reclaimer: Reclaimer;
  readonly #now: () => number;
  #storeFailed = false;

  constructor(
    store: CatalogueStore,
    parts: Pick<
      ArrayContext,
      | "catalogue"
      | "allocator"
      | "luns"
      | "unit"
      | "maximumFileSize"
      | "readOnly"
      | "wholeLuns"
      | "defaultSecurity"
      | "clock"
      | "log"
    > & { readonly monotonicClock: () => number; readonly acceptsForeignTokens: boolean },
  ) {
    this.#store = store;
    this.catalogue = parts.catalogue;
    this.allocator = parts.allocator;
    this.luns = parts.luns;
    this.unit = parts.unit;
    this.maximumFileSize = parts.maximumFileSize;
    this.readOnly = parts.readOnly;
    this.wholeLuns = parts.wholeLuns;
    this.defaultSecurity = parts.defaultSecurity;
    this.clock = parts.clock;
    this.log = parts.log;
    this.#now = parts.monotonicClock;
    this.offload = new ArrayOffload(this, parts.monotonicClock, parts.acceptsForeignTokens);
    this.#reclaimer = new Reclaimer({
      ...parts,
      failed: (lun, err) => this.log.warn({ lun: lun.name, err }, "the array does not take freed room back"),
    });
  }

  /** Bytes in the largest block of any LUN. */
  get logicalBlockSize(): number {
    return Math.max(...this.luns.map((lun) => lun.blockSize));
  }

  /** Bytes that are free, or will be as soon as the disk has caught up. */
  get free(): number {
    return this.allocator.free + this.#settling + this.#reclaimer.claimed;
  }

  /** @throws SmbError IO_DEVICE_ERROR: the catalogue is wrong */
  lunOf(piece: Piece | undefined): Lun {
    const found = piece === undefined ? undefined : this.luns[piece.lun];
    if (found === undefined) throw new SmbError(NtStatus.IO_DEVICE_ERROR, `the volume has no LUN ${piece?.lun}`);
    return found;
  }

  /** @throws SmbError MEDIA_WRITE_PROTECTED */
  checkWritable(): void {
    if (this.readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  }

  /**
   * Stores changes that belong together, and gives `freed` back once no crash can bring its old owner back.
   * @throws SmbError DISK_FULL or IO_DEVICE_ERROR: the catalogue's disk failed; the volume accepts no change any more
   */
  async commit(changes: readonly Change[], freed: readonly Piece[] = []): Promise<void> {
    if (changes.length === 0 && freed.length === 0) return;
    try {
      await this.#store.apply(changes);
    } catch (error) {
      if (!this.#storeFailed) this.log.error({ err: error }, "the catalogue of the array volume cannot be written");
      this.#storeFailed = true;
      throw storeError(error);
    }
    // Not before: where the store does not take the change, the old owner has its room for good.
    if (freed.length > 0) this.#settle(freed);
  }

  /** As {@link commit}, for changes that nobody waits for: an error shows in the next one. */
  commitLater(changes: readonly Change[]): void {
    this.commit(changes).catch(() => {});
  }

  /**
   * Takes room on the LUNs, waiting for the disk where room is only about to become free.
   * @throws SmbError DISK_FULL
   */
  async take(length: number, near?: { readonly lun: number; readonly start: number }): Promise<Piece[]> {
    const wanted = Math.ceil(length / this.unit) * this.unit;
    this.#releaseHeld();
    if (wanted > this.allocator.free && this.#settling > 0) await this.#settled;
    if (wanted > this.allocator.free && this.#reclaimer.claimed > 0) await this.#reclaimer.yield();
    return this.allocator.take(length, near);
  }

  /** Gives room back that no stored record has ever had. */
  giveBack(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.allocator.release(piece);
  }

  /** Data and catalogue survive the end of the machine afterwards. */
  async flush(): Promise<void> {
    await Promise.all(this.luns.map((lun) => lun.flush()));
    try {
      await this.#store.flush();
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Ends what works in the background. */
  async close(): Promise<void> {
    await this.#settled;
    await this.#reclaimer.close();
  }

  #release(pieces: readonly Piece[]): void {
    for (const piece of pieces) this.allocator.release(piece);
    this.#reclaimer.offer(pieces);
  }

  #releaseHeld(): void {
    while ((this.#held[0]?.until ?? Number.POSITIVE_INFINITY) <= this.#now()) {
      this.#release(this.#held.shift()?.pieces ?? []);
    }
  }

  #settle(freed: readonly Piece[]): void {
    this.#waitingForDisk.push(...freed);
    for (const { length } of freed) this.#settling += length;
    this.#settled ??= this.#releaseSettled();
  }

  async #releaseSettled(): Promise<void> {
    try {
      while (this.#waitingForDisk.length > 0) {
        const pieces = this.#waitingForDisk;
        this.#waitingForDisk = [];
        await this.#store.flush();
        for (const { length } of pieces) this.#settling -= length;
        const until = this.offload.tokensUntil;
        if (until > this.#now()) this.#held.push({ pieces, until });
        else this.#release(pieces);
        this.#releaseHeld();
      }
    } catch {
      // The store has failed and says so to everybody; what waits here is not given out any more.
    }
    this.#settled = undefined;
  }
}

function storeError(error: unknown): SmbError {
  const message = error instanceof Error ? error.message : String(error);
  const full = /MDB_MAP_FULL|No space|ENOSPC/.test(message);
  return new SmbError(full ? NtStatus.DISK_FULL : NtStatus.IO_DEVICE_ERROR, `the catalogue: ${message}`);
}
