// SPDX-License-Identifier: Apache-2.0

import { createHash, randomBytes } from "node:crypto";
import type { FoundData, PublishedData, SharedData } from "../offload.ts";
import type { VolumeStream } from "../volume.ts";
import { type PosixContext, pathBeneath } from "./context.ts";
import { DataStream } from "./data-stream.ts";
import { Descriptor } from "./descriptor.ts";
import { check, Errno } from "./errno.ts";
import { fileIdOf } from "./file-id.ts";
import { close, linkOpen, OpenFlag, openBeneath, removeName } from "./native/files.ts";
import { decodeStored, encodeStored } from "./native/path.ts";
import { FileType, type Statx, setTimes, statName, statOpen } from "./native/stat.ts";
import { getXattr, setXattr, XattrFlag, xattrValue } from "./native/xattr.ts";
import { stampOf } from "./own-changes.ts";
import { keptStream } from "./pins.ts";
import { entriesOf, insidePrivateFolder, PIN_FOLDER } from "./private-folder.ts";

const IDENTITY_ATTRIBUTE = "user.tessera.volume";
const IDENTITY_LENGTH = 16;
const PIN_NAME = /^[0-9a-f]{32}$/;
const STAMP_LENGTH = 16;
/** Inode, time of birth, stamp. */
const LOCATOR_HEAD = 8 + 8 + 4 + STAMP_LENGTH;

/**
 * Published data are files in a folder that clients never see; the time until which they are kept is their time of writing. The
 * folder's identity is an extended attribute of the share's root.
 */
export class PosixSharedData implements SharedData {
  readonly #context: PosixContext;
  #identity: Buffer | undefined;
  #closed = false;

  constructor(context: PosixContext) {
    this.#context = context;
  }

  /** The volume is closed: from here on nothing is found. */
  close(): void {
    this.#closed = true;
  }

  identity(): Buffer | undefined {
    const { root, hasMetadata, readOnly } = this.#context;
    if (this.#identity !== undefined || !hasMetadata || this.#closed) return this.#identity;
    let length = getXattr(root, "", IDENTITY_ATTRIBUTE);
    if (length === -Errno.ENODATA && !readOnly) {
      // Whoever comes first decides.
      setXattr(root, IDENTITY_ATTRIBUTE, randomBytes(IDENTITY_LENGTH), XattrFlag.CREATE);
      length = getXattr(root, "", IDENTITY_ATTRIBUTE);
    }
    if (length === IDENTITY_LENGTH) this.#identity = Buffer.from(xattrValue.subarray(0, length));
    return this.#identity;
  }

  publish(pinned: VolumeStream, name: string, expires: number): boolean {
    if (!(pinned instanceof DataStream) || this.#context.readOnly) return false;
    const pin = pinName(name);
    const fd = pinned.owner.descriptor.handle;
    check(setTimes(fd, undefined, timespec(expires)), "utimensat");
    const linked = this.#inside(true, -Errno.ENOENT, (base) => linkOpen(fd, base, pin));
    if (linked === -Errno.EOPNOTSUPP || linked === -Errno.EPERM) return false;
    check(linked, "linkat");
    return true;
  }

  find(name: string): PublishedData | undefined {
    const pin = pinName(name);
    const flags = OpenFlag.RDWR | OpenFlag.NOFOLLOW | OpenFlag.NONBLOCK;
    const fd = this.#inside(false, -Errno.ENOENT, (base) => openBeneath(base, pin, flags));
    if (fd === -Errno.ENOENT) return undefined;
    check(fd, "open pin");
    const stat = statOpen(fd);
    if (typeof stat === "number" || stat.type !== FileType.REGULAR) {
      close(fd);
      return undefined;
    }
    return {
      stream: keptStream(fd, this.#context.storage),
      expires: millisecondsOf(stat),
      prolong: (expires) => {
        const now = statOpen(fd);
        if (typeof now !== "number" && millisecondsOf(now) < expires) setTimes(fd, undefined, timespec(expires));
      },
    };
  }

  withdraw(name: string, expires: number): void {
    const pin = pinName(name);
    this.#inside(false, undefined, (base) => this.#removeExpired(base, pin, expires));
  }

  sweep(before: number): number {
    if (this.#context.readOnly) return 0;
    return this.#inside(false, 0, (base) => {
      let removed = 0;
      for (const entry of entriesOf(base, ".")) {
        if (PIN_NAME.test(entry) && this.#removeExpired(base, entry, before)) removed++;
      }
      return removed;
    });
  }

  #removeExpired(base: number, entry: string, expires: number): boolean {
    const stat = statName(base, entry);
    if (typeof stat === "number" || stat.type !== FileType.REGULAR || millisecondsOf(stat) > expires) return false;
    return removeName(base, entry, false) >= 0;
  }

  async locate(stream: VolumeStream, room: number): Promise<Buffer | undefined> {
    // The default stream of a file. Named ones are small, or in files that have other names each time.
    if (!(stream instanceof DataStream)) return undefined;
    const { handle } = stream.owner.descriptor;
    const stamp = await stream.settledStamp();
    const path = this.#closed ? undefined : pathBeneath(this.#context.root, handle);
    const stat = statOpen(handle);
    if (stamp === undefined || path === undefined || path === "" || typeof stat === "number") return undefined;
    const name = encodeStored(path);
    // A file that has lost its name goes by one that ends so: nobody would find it.
    if (stat.links === 0 || LOCATOR_HEAD + name.length > room) return undefined;
    return Buffer.concat([headOf(stat, stamp), name]);
  }

  revisit(locator: Buffer): FoundData | undefined {
    if (locator.length <= LOCATOR_HEAD || this.#closed) return undefined;
    const head = locator.subarray(0, LOCATOR_HEAD);
    const fd = openBeneath(this.#context.root, decodeStored(locator, LOCATOR_HEAD), OpenFlag.PATH | OpenFlag.NOFOLLOW);
    if (fd < 0) return undefined;
    const isUnchanged = () => {
      const stat = statOpen(fd);
      return typeof stat !== "number" && headOf(stat, stampOf(stat)).equals(head);
    };
    const stat = statOpen(fd);
    if (typeof stat === "number" || stat.type !== FileType.REGULAR || !isUnchanged()) {
      close(fd);
      return undefined;
    }
    const descriptor = new Descriptor(fd);
    const stream = new DataStream({
      descriptor,
      storage: this.#context.storage,
      isSparse: () => false,
      setSparse: () => {},
      modified: () => {},
    });
    descriptor.release();
    return {
      stream,
      fileId: fileIdOf(this.#context.ids.keyOf(stat)),
      get isUnchanged() {
        return isUnchanged();
      },
    };
  }

  #inside<T>(create: boolean, absent: T, call: (base: number) => T): T {
    return this.#closed ? absent : insidePrivateFolder(this.#context.root, PIN_FOLDER, create, absent, call);
  }
}

function headOf(stat: Statx, stamp: string): Buffer {
  const head = Buffer.alloc(LOCATOR_HEAD);
  head.writeBigUInt64BE(BigInt.asUintN(64, BigInt(stat.inode)), 0);
  if (stat.hasBirth) {
    head.writeBigInt64BE(BigInt(stat.birthSeconds), 8);
    head.writeUInt32BE(stat.birthNanoseconds, 16);
  }
  createHash("sha256").update(stamp).digest().copy(head, 20, 0, STAMP_LENGTH);
  return head;
}

/** @throws RangeError a name that could lead elsewhere */
function pinName(name: string): string {
  if (!PIN_NAME.test(name)) throw new RangeError("not the name of a pin");
  return name;
}

function timespec(milliseconds: number): { seconds: bigint; nanoseconds: bigint } {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanoseconds: BigInt(Math.floor(milliseconds - seconds * 1000)) * 1_000_000n };
}

function millisecondsOf(stat: Statx): number {
  return stat.writeSeconds * 1000 + Math.floor(stat.writeNanoseconds / 1e6);
}
