// SPDX-License-Identifier: Apache-2.0

import { Access } from "../../nt/access-mask.ts";
import { type Ace, AceType } from "../../nt/acl.ts";
import { createSecurityDescriptor } from "../../nt/inheritance.ts";
import { parseSecurityDescriptor, SecurityControl, serialiseSecurityDescriptor } from "../../nt/security-descriptor.ts";
import { WellKnownSid } from "../../nt/sid.ts";
import { fullAccessForUsers } from "../default-security.ts";
import { BoundedMap } from "./bounded-map.ts";
import { check, Errno } from "./errno.ts";
import type { FileIds, FileKey } from "./file-id.ts";
import type { MetadataStore } from "./metadata.ts";
import { close, OpenFlag, openBeneath } from "./native/files.ts";
import { FileType, type Statx, statOpen } from "./native/stat.ts";
import { readXattr, removeXattr, setXattr } from "./native/xattr.ts";
import { NTACL_NAME, NTACL_USER_NAME, parseNtAcl, serialiseNtAcl } from "./samba-ntacl.ts";

/** How a descriptor is made up for a file that has none stored. */
export type DefaultSecurity = "inherit" | "posix";

/** Milliseconds for which a made-up descriptor is believed: changes from outside further up show after this time. */
const MADE_UP_TRUST = 2000;
const MAXIMUM_DISTINCT = 4096;
const MAXIMUM_FOLDERS = 4096;

interface MadeUp {
  readonly descriptor: Buffer;
  readonly until: number;
}

export interface SecurityStoreOptions {
  readonly root: number;
  readonly ids: FileIds;
  readonly metadata: MetadataStore;
  readonly rule: DefaultSecurity;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Tells of a stored value that cannot be understood. */
  readonly onMalformed: (fileKey: FileKey) => void;
  /** The path of an open file beneath the root. */
  readonly pathOf: (fd: number) => string | undefined;
}

/** Security descriptors of files: stored ones, and ones made up by a rule. Equal bytes are always the same buffer. */
export class SecurityStore {
  readonly #options: SecurityStoreOptions;
  readonly #distinct = new BoundedMap<string, Buffer>(MAXIMUM_DISTINCT);
  /** By path of a folder beneath the root: what the folder itself has. */
  readonly #folders = new BoundedMap<string, MadeUp>(MAXIMUM_FOLDERS);
  /** By a folder's descriptor: what a file and what a folder in it inherit. */
  readonly #inherited = new WeakMap<Buffer, { file?: Buffer; folder?: Buffer }>();
  readonly #rootDefault: Buffer;
  #mayWriteSecurity = true;

  constructor(options: SecurityStoreOptions) {
    this.#options = options;
    this.#rootDefault = this.intern(fullAccessForUsers());
  }

  /** @param location path of the file beneath the root; looked up when `undefined` */
  get(fd: number, key: FileKey, stat: Statx, location?: string): Buffer {
    return this.#readStored(fd, key, stat) ?? this.#makeUp(fd, stat, location);
  }

  /**
   * Stores a descriptor as `security.NTACL`, or as `user.NTACL` where that is refused for lack of privilege.
   * @param folder others may inherit from it
   * @param isNew the file has just been made, and has none yet
   * @returns the attribute that it is in
   */
  set(fd: number, key: FileKey, descriptor: Buffer, folder: boolean, isNew: boolean): string {
    const blob = serialiseNtAcl(descriptor);
    this.#options.metadata.forget(key);
    if (folder) this.inheritanceChanged();
    if (this.#mayWriteSecurity) {
      const result = setXattr(fd, NTACL_NAME, blob);
      if (result >= 0) {
        if (!isNew) removeXattr(fd, NTACL_USER_NAME);
        return NTACL_NAME;
      }
      if (result !== -Errno.EPERM && result !== -Errno.EACCES) check(result, "setxattr security.NTACL");
      this.#mayWriteSecurity = false;
    }
    check(setXattr(fd, NTACL_USER_NAME, blob), "setxattr user.NTACL");
    return NTACL_USER_NAME;
  }

  /** A folder was moved or got another descriptor: whatever was made up from it is void. */
  inheritanceChanged(): void {
    this.#folders.clear();
  }

  #readStored(fd: number, key: FileKey, stat: Statx): Buffer | undefined {
    const metadata = this.#options.metadata.get(fd, key, stat);
    if (metadata.security.length === 0) return undefined;
    if (metadata.descriptor !== undefined) return metadata.descriptor;
    for (const name of metadata.security) {
      const blob = readXattr(fd, name);
      if (blob === undefined) continue;
      if (typeof blob === "number") {
        check(blob, `getxattr ${name}`);
        continue;
      }
      const parsed = parseNtAcl(blob);
      if (parsed === undefined) {
        this.#options.onMalformed(key);
        continue;
      }
      metadata.descriptor = this.intern(parsed);
      return metadata.descriptor;
    }
    return undefined;
  }

  #makeUp(fd: number, stat: Statx, location: string | undefined): Buffer {
    if (this.#options.rule === "posix") return this.intern(posixDescriptor(stat));
    const path = location ?? this.#options.pathOf(fd);
    if (path === undefined || path === "") return this.#rootDefault;
    const parent = this.#ofFolder(parentPath(path));
    return this.#inherit(parent, stat.type === FileType.DIRECTORY);
  }

  #ofFolder(path: string): Buffer {
    const { now, root, ids } = this.#options;
    const known = this.#folders.get(path);
    if (known !== undefined && known.until > now()) return known.descriptor;
    const fd = openBeneath(root, path === "" ? "." : path, OpenFlag.PATH | OpenFlag.DIRECTORY);
    // The folder was just moved or removed: the next question will find the new state.
    if (fd < 0) return this.#rootDefault;
    try {
      const stat = statOpen(fd);
      if (typeof stat === "number") return this.#rootDefault;
      const descriptor =
        this.#readStored(fd, ids.keyOf(stat), stat) ??
        (path === "" ? this.#rootDefault : this.#inherit(this.#ofFolder(parentPath(path)), true));
      this.#folders.set(path, { descriptor, until: now() + MADE_UP_TRUST });
      return descriptor;
    } finally {
      close(fd);
    }
  }

  #inherit(parent: Buffer, container: boolean): Buffer {
    let both = this.#inherited.get(parent);
    if (both === undefined) {
      both = {};
      this.#inherited.set(parent, both);
    }
    const known = container ? both.folder : both.file;
    if (known !== undefined) return known;
    const { owner, group } = parseSecurityDescriptor(parent);
    const descriptor = this.intern(
      createSecurityDescriptor({
        parent,
        container,
        owner: owner ?? WellKnownSid.BUILTIN_ADMINISTRATORS,
        group: group ?? WellKnownSid.BUILTIN_ADMINISTRATORS,
      }),
    );
    if (container) both.folder = descriptor;
    else both.file = descriptor;
    return descriptor;
  }

  /** The buffer by which a descriptor is known. */
  intern(descriptor: Buffer): Buffer {
    const bytes = descriptor.toString("latin1");
    const known = this.#distinct.get(bytes);
    if (known !== undefined) return known;
    // A copy, since callers may go on to use what they gave.
    const own = Buffer.from(descriptor);
    this.#distinct.set(bytes, own);
    return own;
  }
}

function parentPath(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}

function allow(sid: string, mask: number, flags = 0): Ace {
  return { type: AceType.ACCESS_ALLOWED, flags, mask, sid };
}

/** Rights for three permission bits. Whoever may write may also delete, as the folder's bits say anyway. */
function rightsOf(bits: number): number {
  let rights = Access.READ_CONTROL | Access.SYNCHRONIZE | Access.READ_ATTRIBUTES;
  if (bits & 4) rights |= Access.FILE_GENERIC_READ;
  if (bits & 2) rights |= Access.FILE_GENERIC_WRITE | Access.DELETE | Access.DELETE_CHILD;
  if (bits & 1) rights |= Access.FILE_GENERIC_EXECUTE;
  return rights;
}

/** Owner, group and mode of the inode in NT terms, with the SIDs that stand for Unix ids (S-1-22). */
function posixDescriptor(stat: Statx): Buffer {
  const owner = `S-1-22-1-${stat.uid}`;
  const group = `S-1-22-2-${stat.gid}`;
  const ownerRights = rightsOf(stat.mode >> 6) | Access.WRITE_DAC | Access.WRITE_OWNER | Access.WRITE_ATTRIBUTES;
  return serialiseSecurityDescriptor({
    control: SecurityControl.DACL_PRESENT,
    resourceManagerControl: 0,
    owner,
    group,
    dacl: {
      revision: 2,
      aces: [
        allow(owner, ownerRights >>> 0),
        allow(group, rightsOf(stat.mode >> 3) >>> 0),
        allow(WellKnownSid.EVERYONE, rightsOf(stat.mode) >>> 0),
      ],
    },
  });
}
