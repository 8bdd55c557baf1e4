// SPDX-License-Identifier: Apache-2.0

import { CreateDisposition, LeaseFlag, LeaseState, OplockLevel } from "../../src/smb2/wire/constants.ts";
import { type CreateRequest, decodeCreateResponse } from "../../src/smb2/wire/create.ts";
import { decodeLease, leaseContext } from "../../src/smb2/wire/create-context-data.ts";
import { CreateContextName, findCreateContext } from "../../src/smb2/wire/create-contexts.ts";
import { decodeOplockBreakNotification, decodeOplockBreakResponse } from "../../src/smb2/wire/oplock-break.ts";
import type { ServerHarness } from "./server-harness.ts";
import { SmbFile, type SmbTree } from "./smb-client.ts";
import { type Call, ClientError, type NegotiateOptions, type Reply, succeeded } from "./smb-connection.ts";
import { requests } from "./smb-requests.ts";

const LETTERS: readonly [string, number][] = [
  ["R", LeaseState.READ_CACHING],
  ["W", LeaseState.WRITE_CACHING],
  ["H", LeaseState.HANDLE_CACHING],
];

/** `RWH` and the like as bits. */
export function leaseBits(letters: string): number {
  let bits = 0;
  for (const [letter, bit] of LETTERS) if (letters.includes(letter)) bits |= bit;
  return bits;
}

export function leaseLetters(bits: number): string {
  return LETTERS.filter(([, bit]) => (bits & bit) !== 0)
    .map(([letter]) => letter)
    .join("");
}

function keyOf(number: number): Buffer {
  return Buffer.alloc(16, number);
}

export interface LeaseOpen {
  /** Names the lease; without it the handle has none. */
  readonly key?: number;
  /** `RWH` and the like. */
  readonly state?: string;
  readonly version?: 1 | 2;
  readonly parentKey?: number;
  readonly epoch?: number;
  readonly disposition?: number;
  readonly request?: Partial<CreateRequest>;
}

export interface LeasedFile {
  readonly file: SmbFile;
  /** Granted; `undefined` where the response has no lease. */
  readonly state: string | undefined;
  readonly epoch: number | undefined;
  readonly flags: number | undefined;
  readonly oplockLevel: number;
}

export interface LeaseBreakSeen {
  readonly key: number;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly flags: number;
}

/** An open that may have to wait. */
export class Opening {
  readonly call: Call;
  readonly opened: Promise<LeasedFile>;
  isDone = false;

  constructor(call: Call, tree: SmbTree) {
    this.call = call;
    this.opened = call.reply.then((reply) => {
      this.isDone = true;
      return leasedFile(tree, succeeded(reply));
    });
    this.opened.catch(() => {});
  }

  /** The interim response. */
  get pending(): Promise<Reply> {
    return this.call.pending;
  }
}

function leasedFile(tree: SmbTree, reply: Reply): LeasedFile {
  const response = decodeCreateResponse(reply.reader);
  const data = findCreateContext(response.contexts, CreateContextName.REQUEST_LEASE);
  const lease = data === undefined ? undefined : decodeLease(data);
  return {
    file: new SmbFile(tree, response),
    state: lease === undefined ? undefined : leaseLetters(lease.leaseState),
    epoch: lease?.epoch,
    flags: lease?.flags,
    oplockLevel: response.oplockLevel,
  };
}

/** A client with a connection of its own that asks for leases and tells what became of them. */
export class LeaseClient {
  readonly tree: SmbTree;

  constructor(tree: SmbTree) {
    this.tree = tree;
  }

  static async mount(harness: ServerHarness, negotiate: NegotiateOptions = {}): Promise<LeaseClient> {
    return new LeaseClient(await harness.mount("data", { negotiate }));
  }

  /** Sends a CREATE; by default it opens the file or creates it. */
  begin(name: string, options: LeaseOpen): Opening {
    const { key, state = "", version = 2, parentKey, epoch = 0 } = options;
    const lease =
      key === undefined
        ? {}
        : {
            requestedOplockLevel: OplockLevel.LEASE,
            contexts: [
              leaseContext({
                version,
                leaseKey: keyOf(key),
                leaseState: leaseBits(state),
                flags: parentKey === undefined ? 0 : LeaseFlag.PARENT_LEASE_KEY_SET,
                parentLeaseKey: keyOf(parentKey ?? 0),
                epoch,
              }),
            ],
          };
    const createDisposition = options.disposition ?? CreateDisposition.OPEN_IF;
    return new Opening(
      this.tree.submit(requests.create(name, { createDisposition, ...lease, ...options.request })),
      this.tree,
    );
  }

  /** @throws StatusError */
  open(name: string, options: LeaseOpen): Promise<LeasedFile> {
    return this.begin(name, options).opened;
  }

  /** The lease breaks that have arrived so far. */
  get breaks(): LeaseBreakSeen[] {
    return this.tree.session.connection.notifications.map((reply) => {
      const reader = reply.reader;
      reader.seek(64);
      const message = decodeOplockBreakNotification(reader);
      if (message.kind !== "lease") throw new ClientError("an oplock break, not a lease break");
      return {
        key: message.leaseKey[0] ?? 0,
        from: leaseLetters(message.currentLeaseState),
        to: leaseLetters(message.newLeaseState),
        epoch: message.newEpoch,
        flags: message.flags,
      };
    });
  }

  /** @returns the state that the server confirms @throws StatusError */
  async acknowledge(key: number, state: string): Promise<string> {
    const reply = succeeded(
      await this.tree.exchange(
        requests.oplockBreak({ kind: "lease", leaseKey: keyOf(key), leaseState: leaseBits(state) }),
      ),
    );
    const response = decodeOplockBreakResponse(reply.reader);
    if (response.kind !== "lease") throw new ClientError("not the answer to a lease break acknowledgment");
    return leaseLetters(response.leaseState);
  }

  /** Cuts the connection. */
  close(): void {
    this.tree.session.connection.close();
  }
}
