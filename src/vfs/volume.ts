// SPDX-License-Identifier: Apache-2.0

/**
 * The contract between protocol and storage, in NT terms (MS-FSA 2.1.1). A volume stores files, names, streams,
 * attributes and security descriptors. It decides nothing about access rights, share modes, byte-range locks or
 * delete-pending: the protocol layer does, once, for every kind of volume.
 *
 * Errors: every method throws (or rejects with) `SmbError`. Paths are arrays of NT name components from the share's root;
 * `[]` is the root itself. The protocol layer has checked that components are neither empty, "." nor "..", and hold no
 * `\`, `/`, `:`, NUL or wildcard; a volume checks again whatever could hurt it.
 */

import type { Awaitable } from "../nt/awaitable.ts";
import type { FileTime } from "../nt/filetime.ts";
import type { BlockClone, DataPins, SharedData, StorageOffload } from "./offload.ts";
import type { ChangeWatch, OutsideChanges } from "./outside-changes.ts";

export type NtPath = readonly string[];

/** What a volume is and can do; constant while it is mounted (MS-FSA 2.1.1.1). */
export interface VolumeInfo {
  /** Label shown by clients. */
  readonly label: string;
  readonly serialNumber: number;
  readonly creationTime: FileTime;
  /** FileSystemName of FileFsAttributeInformation: "NTFS" for the widest client support. */
  readonly fileSystemName: string;
  /** `FileSystemAttribute` bits: exactly what works on this volume. */
  readonly attributes: number;
  /** Bytes. 512 or 4096. */
  readonly logicalSectorSize: number;
  readonly physicalSectorSize: number;
  /** Bytes; the block size of the storage, on which block clone works. A multiple of the logical sector size. */
  readonly allocationUnit: number;
  /** UTF-16 code units in one name component. */
  readonly maximumComponentLength: number;
  /** Bytes; the largest end of file. */
  readonly maximumFileSize: number;
  readonly readOnly: boolean;
}

/** Bytes. `available` is what the serving process may still use. */
export interface VolumeSpace {
  readonly total: number;
  readonly free: number;
  readonly available: number;
}

/** Attributes and sizes of a file (MS-FSA 2.1.1.3) and of its default data stream. */
export interface FileStat {
  /** Stable over restarts, unique in the volume. */
  readonly fileId: bigint;
  readonly directory: boolean;
  /** `FileAttribute` bits, DIRECTORY, SPARSE_FILE and REPARSE_POINT included; 0 where Windows would say NORMAL. */
  readonly attributes: number;
  readonly creationTime: FileTime;
  readonly lastAccessTime: FileTime;
  readonly lastWriteTime: FileTime;
  readonly changeTime: FileTime;
  /** Bytes; 0 for a directory. */
  readonly endOfFile: number;
  readonly allocationSize: number;
  readonly links: number;
  /** Size of all extended attributes as a FILE_FULL_EA_INFORMATION list, 0 for none. */
  readonly eaSize: number;
  /** Reparse tag, 0 where there is none. */
  readonly reparseTag: number;
}

/** Members left out stay as they are. Times of `undefined` are not touched. */
export interface BasicChange {
  creationTime?: FileTime | undefined;
  lastAccessTime?: FileTime | undefined;
  lastWriteTime?: FileTime | undefined;
  changeTime?: FileTime | undefined;
  /** Replaces the settable `FileAttribute` bits; DIRECTORY, SPARSE_FILE and REPARSE_POINT are ignored. */
  attributes?: number | undefined;
}

export interface ExtendedAttribute {
  /** ASCII, as the client gave it; compared without regard to case. */
  readonly name: string;
  /** FILE_NEED_EA (0x80) or 0. */
  readonly flags: number;
  /** An empty value removes the attribute when set. */
  readonly value: Buffer;
}

export interface StreamInfo {
  /** Without colons and type: `""` is the default data stream of a file (directories have none). */
  readonly name: string;
  readonly size: number;
  readonly allocationSize: number;
}

export interface DirectoryEntry {
  readonly name: string;
  /** An 8.3 name, `""` where there is none. */
  readonly shortName: string;
  readonly stat: FileStat;
}

/** A position in a directory. Entries "." and ".." are not returned: the protocol layer adds them. */
export interface DirectoryCursor {
  /**
   * Up to `maximum` further entries whose name passes `wanted`; fewer, or none, only at the end. Names are filtered before
   * anything else about them is looked up.
   */
  next(maximum: number, wanted: (name: string) => boolean): Awaitable<DirectoryEntry[]>;
  close(): void;
}

export interface OpenedFile {
  readonly file: VolumeFile;
  /** The path with the names as they are stored: same length as asked for, upper and lower case corrected. */
  readonly path: NtPath;
}

export interface CreateOptions {
  readonly directory: boolean;
  /** Settable `FileAttribute` bits. */
  readonly attributes: number;
  /** Self-relative security descriptor, already inherited; `undefined` stores none. */
  readonly security?: Buffer | undefined;
  readonly extendedAttributes?: readonly ExtendedAttribute[] | undefined;
}

/** What has a name, or the open directory where nothing has it. */
export type Located =
  | { readonly opened: OpenedFile; readonly directory?: undefined }
  | { readonly opened?: undefined; readonly directory: VolumeFile };

export interface Volume {
  readonly info: VolumeInfo;

  readonly offload?: StorageOffload | undefined;

  /** Only where the storage has been seen to share blocks; `info.attributes` says so too. */
  readonly clone?: BlockClone | undefined;

  readonly pins?: DataPins | undefined;

  readonly shared?: SharedData | undefined;

  /** Only where others can change what is stored, and the storage tells. */
  readonly outside?: OutsideChanges | undefined;

  /**
   * An empty sparse stream of no file, gone when it is closed or the process ends: room for data for a while.
   * `undefined`: the storage has none
   * @throws DISK_FULL
   */
  scratch?(): Awaitable<VolumeStream | undefined>;

  space(): Awaitable<VolumeSpace>;

  /**
   * Opens an existing file or directory, without regard to the case of names.
   * `undefined`: the last component does not exist, its parent does.
   * @throws OBJECT_PATH_NOT_FOUND an earlier component is missing or no directory
   * @throws ACCESS_DENIED a symbolic link leads out of the share, or the target is neither file nor directory
   */
  open(path: NtPath): Awaitable<OpenedFile | undefined>;

  /**
   * Like {@link open}, but where the last component does not exist, its directory is what is opened: for a look at its descriptor,
   * and for {@link create}. A volume without this has it looked for again each time.
   * @param isNew the caller expects that nothing has this name
   */
  locate?(path: NtPath, isNew: boolean): Awaitable<Located>;

  /**
   * Creates a file or directory; the parent exists. Either everything asked for is stored, or nothing remains.
   * @param directory the parent as {@link locate} has opened it, which is then not looked for again; stays open
   * @throws OBJECT_NAME_COLLISION the name is taken, in whatever case
   * @throws OBJECT_PATH_NOT_FOUND, OBJECT_NAME_INVALID, DISK_FULL, MEDIA_WRITE_PROTECTED
   */
  create(path: NtPath, options: CreateOptions, directory?: VolumeFile): Awaitable<OpenedFile>;

  /**
   * Moves the name `from` of an open file to `to`, atomically. A change of case only is a rename.
   * @throws OBJECT_NAME_COLLISION `to` exists and `replace` is false
   */
  rename(file: VolumeFile, from: NtPath, to: NtPath, replace: boolean): Awaitable<void>;

  /** Adds a name to an open file. @throws OBJECT_NAME_COLLISION, TOO_MANY_LINKS, FILE_IS_A_DIRECTORY */
  link(file: VolumeFile, to: NtPath, replace: boolean): Awaitable<void>;

  /**
   * Removes one name of an open file; the file's data stay until it is closed. Does nothing but throw
   * OBJECT_NAME_NOT_FOUND when the name meanwhile belongs to another file.
   * @throws DIRECTORY_NOT_EMPTY
   */
  unlink(file: VolumeFile, path: NtPath): Awaitable<void>;

  /**
   * Opens by file id (FILE_OPEN_BY_FILE_ID), under a name that the file has now, where the volume can.
   * @param reference what {@link VolumeFile.reference} gave for the file, where it gave anything: the id may be another file's by now
   */
  openById?(fileId: bigint, reference?: Buffer): Awaitable<OpenedFile | undefined>;

  /** Flushes everything and gives up all resources. */
  close(): Awaitable<void>;
}

/** An open file or directory: stays valid when its names change or vanish. */
export interface VolumeFile {
  readonly fileId: bigint;
  readonly directory: boolean;

  /**
   * What {@link Volume.openById} needs besides the id to find this file and no other, after a restart too; opaque. `undefined`: nothing,
   * or the file cannot be found in that way.
   */
  reference?(): Buffer | undefined;

  stat(): Awaitable<FileStat>;
  setBasic(change: BasicChange): Awaitable<void>;

  /**
   * The self-relative security descriptor with owner, group, DACL and SACL. A file that has none stored answers with
   * one made up by the volume's rule. The buffer must not be modified.
   */
  security(): Awaitable<Buffer>;
  setSecurity(descriptor: Buffer): Awaitable<void>;

  /**
   * Has the storage compress what is written from now on; files and directories made in a directory take it over. FileStat shows
   * it as the COMPRESSED attribute. Only where `VolumeInfo.attributes` holds FILE_COMPRESSION.
   */
  setCompressed?(compressed: boolean): Awaitable<void>;

  extendedAttributes(): Awaitable<readonly ExtendedAttribute[]>;
  /** Sets, replaces (empty value: removes) the attributes named, all or none. */
  setExtendedAttributes(attributes: readonly ExtendedAttribute[]): Awaitable<void>;

  streams(): Awaitable<readonly StreamInfo[]>;
  /** `""` is the default data stream. Names are matched without regard to case. `undefined`: no such stream. */
  openStream(name: string): Awaitable<VolumeStream | undefined>;
  /** @throws OBJECT_NAME_COLLISION, OBJECT_NAME_INVALID */
  createStream(name: string): Awaitable<VolumeStream>;
  removeStream(name: string): Awaitable<void>;
  renameStream(from: string, to: string, replace: boolean): Awaitable<void>;

  /** @throws NOT_A_DIRECTORY */
  readDirectory(): Awaitable<DirectoryCursor>;

  /** Directory only: true when it holds no entry. */
  isEmpty(): Awaitable<boolean>;

  /** Makes metadata stable (of a directory: its entries). */
  flush(): Awaitable<void>;
  close(): Awaitable<void>;
}

export interface StreamSize {
  readonly endOfFile: number;
  readonly allocationSize: number;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Hears that bytes were copied: by the storage array, by the kernel, by this process through its memory, or by nobody because they
 * are zeros.
 */
export type TellCopied = (by: "array" | "kernel" | "process" | "zero", bytes: number) => void;

/** The data of one stream. Offsets and lengths are bytes, safe integers, checked by the caller against `maximumFileSize`. */
export interface VolumeStream {
  /** As stored. */
  readonly name: string;

  size(): Awaitable<StreamSize>;
  /** Fills `target` from `offset`; returns the bytes read, fewer than asked only at the end of file. */
  read(offset: number, target: Buffer): Awaitable<number>;
  /** Writes all of `data`, extending the stream as needed, or throws. */
  write(offset: number, data: Buffer): Awaitable<void>;
  setEndOfFile(size: number): Awaitable<void>;
  /** Reserves space (at least `size` bytes), or gives back what lies beyond; never changes the end of file upwards. */
  setAllocation(size: number): Awaitable<void>;
  /** FSCTL_SET_SPARSE. */
  setSparse(sparse: boolean): Awaitable<void>;
  /** Zeros a range: a hole where the stream is sparse, else zeros that keep their room where the storage can. Never extends the stream. */
  zero(range: ByteRange): Awaitable<void>;
  /** Allocated ranges that touch `range`, clipped to it, in order, at most `maximum`. */
  allocatedRanges(range: ByteRange, maximum: number): Awaitable<readonly ByteRange[]>;
  /**
   * Copies inside the storage, never through a client. Both streams may be the same one; overlapping ranges give the
   * source as it was before. Returns the bytes copied; short only at the source's end of file.
   * `undefined`: this volume cannot copy between these two streams by itself.
   * @param tell hears of all bytes that were copied, and by whom
   */
  copyFrom(
    source: VolumeStream,
    sourceOffset: number,
    offset: number,
    length: number,
    tell?: TellCopied,
  ): Awaitable<number> | undefined;
  /** True where it is known, without reading, that a range holds nothing but zeros. */
  isKnownZero?(range: ByteRange): Awaitable<boolean>;
  /**
   * Begins to watch the data for changes that others make. May wait some milliseconds, until no later change can go unseen.
   * `undefined`: the stream cannot tell, or does not come to rest
   */
  watch?(): Awaitable<ChangeWatch | undefined>;
  /** Returns when data and size are stable. */
  flush(): Awaitable<void>;
  close(): Awaitable<void>;
}
