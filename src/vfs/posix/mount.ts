// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { FileSystemAttribute } from "../../nt/attributes.ts";
import { fileTimeFromMilliseconds } from "../../nt/filetime.ts";
import type { VolumeInfo } from "../volume.ts";
import { canClone } from "./clone.ts";
import { canCompress } from "./compression.ts";
import { type PosixContext, type PosixLogger, pathBeneath } from "./context.ts";
import { DirectoryNames } from "./directory-names.ts";
import { dirtyPages } from "./dirty-pages.ts";
import { Errno } from "./errno.ts";
import { PosixFile } from "./file.ts";
import { FileIds, fileIdOf } from "./file-id.ts";
import { hasFineTimes } from "./fine-times.ts";
import { defaultCreationTime, MetadataStore } from "./metadata.ts";
import { AT_FDCWD, close, OpenFlag, openOwn, removeName } from "./native/files.ts";
import { FileType, type Statx, statFileSystem, statOpen } from "./native/stat.ts";
import { getXattr, setXattr } from "./native/xattr.ts";
import { type Later, later, OutsideWatch } from "./outside-watch.ts";
import { OwnChanges } from "./own-changes.ts";
import { Resolver } from "./resolve.ts";
import { type DefaultSecurity, SecurityStore } from "./security-store.ts";
import { SpillFolder } from "./spill.ts";
import { Storage } from "./storage.ts";
import { OpenStreams } from "./stream-store.ts";

export interface PosixVolumeOptions {
  /** Path of the directory. */
  readonly root: string;
  /** Label of the volume; the name of the directory when left out. */
  readonly label?: string | undefined;
  readonly readOnly?: boolean | undefined;
  /**
   * `"xattr"` (default): attributes, streams, descriptors and EAs live in extended attributes, which the file system must
   * have. `"none"`: they are not kept.
   */
  readonly metadata?: "xattr" | "none" | undefined;
  /** How the descriptor of a file without one is made up: `"inherit"` (default) from its folder, `"posix"` from its mode. */
  readonly defaultSecurity?: DefaultSecurity | undefined;
  /** Permission bits of new files and folders, before the umask. Default 0o664 and 0o775. */
  readonly fileMode?: number | undefined;
  readonly directoryMode?: number | undefined;
  /** Names of directories kept in memory for matching without regard to case. Default 500,000. */
  readonly nameCacheSize?: number | undefined;
  /** Files whose metadata are kept in memory. Default 65,536. */
  readonly metadataCacheSize?: number | undefined;
  readonly logger?: PosixLogger | undefined;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
  /** Runs an action once, so many milliseconds later. */
  readonly after?: Later | undefined;
}

export interface MountedVolume {
  readonly info: VolumeInfo;
  readonly context: PosixContext;
  /** Its files can share blocks. */
  readonly clones: boolean;
  readonly fileMode: number;
  readonly directoryMode: number;
}

const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
/** Also ext2 and ext3, which refuse to reserve. */
const EXT4_MAGIC = 0xef53;
const SECTOR = 512;

const silent: PosixLogger = { debug: () => {}, warn: () => {} };

/** Opens the root, finds out what its file system can do, and puts the parts of a volume together. */
export async function mount(options: PosixVolumeOptions): Promise<MountedVolume> {
  const root = openRoot(options.root);
  try {
    return await assemble(root, options);
  } catch (error) {
    close(root);
    throw error;
  }
}

function openRoot(path: string): number {
  const fd = openOwn(AT_FDCWD, path, OpenFlag.PATH | OpenFlag.DIRECTORY);
  if (fd >= 0) return fd;
  switch (-fd) {
    case Errno.ENOENT:
      throw new Error(`the folder ${path} does not exist`);
    case Errno.ENOTDIR:
      throw new Error(`${path} is not a folder`);
    case Errno.EACCES:
      throw new Error(`the folder ${path} cannot be opened: permission denied`);
    default:
      throw new Error(`the folder ${path} cannot be opened (errno ${-fd})`);
  }
}

async function assemble(root: number, options: PosixVolumeOptions): Promise<MountedVolume> {
  const now = options.now ?? Date.now;
  const logger = options.logger ?? silent;
  const stat = statOpen(root);
  const fileSystem = statFileSystem(root);
  if (typeof stat === "number") throw new Error(`the folder ${options.root} cannot be examined (errno ${-stat})`);
  if (typeof fileSystem === "number") {
    throw new Error(`the file system of ${options.root} cannot be examined (errno ${-fileSystem})`);
  }
  mustBeUsable(root, options.root);
  const readOnly = options.readOnly === true || fileSystem.readOnly;
  const hasMetadata = options.metadata !== "none";
  if (hasMetadata) mustHaveXattrs(root, options.root, readOnly);

  const ids = new FileIds(stat);
  const fineTimes = !readOnly && hasFineTimes(root);
  const fine = (file: Statx) => fineTimes && ids.isRootDevice(file);
  const metadata = new MetadataStore(hasMetadata, options.metadataCacheSize ?? 65_536, now, fine);
  const names = new DirectoryNames(options.nameCacheSize ?? 500_000, now, fine);
  const ownChanges = new OwnChanges();
  const unit = allocationUnit(fileSystem.blockSize);
  const clones = !readOnly && (await canClone(root, unit));
  const compresses = !readOnly && canCompress(root, fileSystem.type);
  const inMemory = fileSystem.type === TMPFS_MAGIC || fileSystem.type === RAMFS_MAGIC;
  // ext4 looks for room page by page while it is written to, and that is a quarter of the time of a copy.
  const reserves = fileSystem.type === EXT4_MAGIC;
  const context: PosixContext = {
    root,
    rootKey: ids.keyOf(stat),
    readOnly,
    hasMetadata,
    compresses,
    ids,
    storage: new Storage(
      unit,
      { inMemory, clones, reserves },
      () => performance.now(),
      (bytes) => dirtyPages.take(bytes),
    ),
    resolver: new Resolver(root, ids, names),
    metadata,
    security: new SecurityStore({
      root,
      ids,
      metadata,
      rule: options.defaultSecurity ?? "inherit",
      now,
      pathOf: (fd) => pathBeneath(root, fd),
      onMalformed: (key) =>
        logger.warn(
          { root: options.root, fileId: fileIdOf(key).toString() },
          "a stored security descriptor is malformed",
        ),
    }),
    moves: { count: 0 },
    spill: new SpillFolder(root),
    openStreams: new OpenStreams(),
    ownChanges,
    outside: new OutsideWatch({
      ids,
      ownChanges,
      logger,
      after: options.after ?? later,
      isWatchable: (file) => file instanceof PosixFile,
    }),
    logger,
  };
  return {
    info: describe(options, stat, unit, readOnly, { hasMetadata, clones, compresses }),
    context,
    clones,
    fileMode: options.fileMode ?? 0o664,
    directoryMode: options.directoryMode ?? 0o775,
  };
}

function mustBeUsable(root: number, path: string): void {
  const fd = openOwn(root, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (fd < 0) throw new Error(`the folder ${path} cannot be read (errno ${-fd}): the server has no right to`);
  close(fd);
}

/** Tries on a file that never has a name, or reads where nothing can be written. */
function mustHaveXattrs(root: number, path: string, readOnly: boolean): void {
  const name = "user.tessera.probe";
  let result = getXattr(root, "", name);
  if (result === -Errno.ENODATA) result = 0;
  if (result >= 0 && !readOnly) {
    let fd = openOwn(root, ".", OpenFlag.TMPFILE | OpenFlag.RDWR, 0o600);
    let named = "";
    if (fd === -Errno.EOPNOTSUPP || fd === -Errno.EISDIR || fd === -Errno.EINVAL) {
      named = `.tessera-probe-${randomBytes(6).toString("hex")}`;
      fd = openOwn(root, named, OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.RDWR, 0o600);
    }
    if (fd < 0)
      throw new Error(`nothing can be written in ${path} (errno ${-fd}); serve it read-only or grant the right`);
    result = setXattr(fd, name, Buffer.of(1));
    close(fd);
    if (named !== "") removeName(root, named, false);
  }
  if (result >= 0) return;
  if (result === -Errno.EOPNOTSUPP) {
    throw new Error(
      `the file system of ${path} has no extended attributes, which hold attributes, streams and access control lists; ` +
        `use another one, or set "metadata: none" to serve it without them`,
    );
  }
  throw new Error(`extended attributes cannot be used in ${path} (errno ${-result})`);
}

/** Bytes: a power of two between a sector and 2 MiB, whatever the file system says. */
function allocationUnit(blockSize: number): number {
  const valid = blockSize >= SECTOR && blockSize <= 2 * 1024 * 1024 && (blockSize & (blockSize - 1)) === 0;
  return valid ? blockSize : 4096;
}

function describe(
  options: PosixVolumeOptions,
  stat: Statx,
  unit: number,
  readOnly: boolean,
  { hasMetadata, clones, compresses }: { hasMetadata: boolean; clones: boolean; compresses: boolean },
): VolumeInfo {
  if (stat.type !== FileType.DIRECTORY) throw new Error(`${options.root} is not a folder`);
  let attributes =
    FileSystemAttribute.CASE_PRESERVED_NAMES |
    FileSystemAttribute.SUPPORTS_POSIX_UNLINK_RENAME |
    FileSystemAttribute.UNICODE_ON_DISK |
    FileSystemAttribute.SUPPORTS_HARD_LINKS;
  if (hasMetadata) {
    attributes |=
      FileSystemAttribute.PERSISTENT_ACLS |
      FileSystemAttribute.NAMED_STREAMS |
      FileSystemAttribute.SUPPORTS_SPARSE_FILES |
      FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES;
  }
  if (clones) attributes |= FileSystemAttribute.SUPPORTS_BLOCK_REFCOUNTING;
  if (compresses) attributes |= FileSystemAttribute.FILE_COMPRESSION;
  if (readOnly) attributes |= FileSystemAttribute.READ_ONLY_VOLUME;
  return {
    label: options.label ?? options.root.split("/").filter(Boolean).at(-1) ?? "root",
    serialNumber: ((stat.deviceMajor << 20) ^ stat.deviceMinor ^ Number(BigInt(stat.inode) & 0xffffffffn)) >>> 0,
    creationTime: stat.hasBirth ? defaultCreationTime(stat) : fileTimeFromMilliseconds(stat.changeSeconds * 1000),
    fileSystemName: "NTFS",
    attributes,
    logicalSectorSize: SECTOR,
    physicalSectorSize: 4096,
    allocationUnit: unit,
    maximumComponentLength: 255,
    maximumFileSize: 2 ** 53 - 1,
    readOnly,
  };
}
