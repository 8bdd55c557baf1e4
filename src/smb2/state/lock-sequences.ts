// SPDX-License-Identifier: Apache-2.0

/** Entries of Open.LockSequenceArray, numbered from 1 (MS-SMB2 3.3.1.10). */
const ENTRIES = 64;

/** Open.LockSequenceArray: the LOCK requests that have been carried out, so that none is carried out twice. */
export class LockSequences {
  /** SequenceNumber + 1 of each entry, 0 where it is not valid. Most handles never need it. */
  #entries: Uint8Array | undefined;

  /** True where this very request has succeeded before. Another number ends the entry (MS-SMB2 3.3.5.14). */
  isReplay(index: number, sequenceNumber: number): boolean {
    const entries = this.#entries;
    if (entries === undefined || index < 1 || index > ENTRIES) return false;
    const known = entries[index - 1];
    if (known === sequenceNumber + 1) return true;
    entries[index - 1] = 0;
    return false;
  }

  /** The request has succeeded (MS-SMB2 3.3.5.14.1, 3.3.5.14.2). Indexes out of range are not remembered. */
  record(index: number, sequenceNumber: number): void {
    if (index < 1 || index > ENTRIES) return;
    this.#entries ??= new Uint8Array(ENTRIES);
    this.#entries[index - 1] = sequenceNumber + 1;
  }

  /** The request has failed after all. */
  forget(index: number): void {
    if (this.#entries !== undefined && index >= 1 && index <= ENTRIES) this.#entries[index - 1] = 0;
  }

  /** The valid entries, to be kept elsewhere. */
  get entries(): Uint8Array | undefined {
    return this.#entries;
  }

  /** Takes over entries that were kept. */
  restore(entries: Uint8Array): void {
    this.#entries = Uint8Array.from(entries.subarray(0, ENTRIES));
  }
}
