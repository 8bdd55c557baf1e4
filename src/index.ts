// SPDX-License-Identifier: Apache-2.0

/** The library: an SMB server for Node programs, the volumes that come with it, and the contract for one's own. */

export { type Account, type AccountInput, type AccountStore, MemoryAccountStore } from "./auth/accounts.ts";
export type { Identity } from "./auth/auth.ts";
export { ntHashOfPassword } from "./auth/nt-hash.ts";
export { FileAccountStore, UserFileError } from "./auth/user-file.ts";
export { Access } from "./nt/access-mask.ts";
export { FileAttribute, FileSystemAttribute } from "./nt/attributes.ts";
export type { Awaitable } from "./nt/awaitable.ts";
export { type FileTime, fileTimeFromMilliseconds, fileTimeFromUnix, fileTimeToUnix } from "./nt/filetime.ts";
export { NtStatus, SmbError, statusName } from "./nt/status.ts";
export type { OffloadOptions, OffloadUsage } from "./offload/engine.ts";
export type { CopyOperation, CopyWay, OffloadSwitches } from "./offload/operations.ts";
export type { TokenScope } from "./offload/token-body.ts";
export type { HeldToken, TokenOrigin, TokenUsage } from "./offload/token-registry.ts";
export type { HostPort } from "./server/config/units.ts";
export { ServerMetrics } from "./server/metrics.ts";
export { Server, type ServerOptions, type User } from "./server/server.ts";
export type { ShareOptions, ShareUsers } from "./server/share.ts";
export { StartupError } from "./server/startup-error.ts";
export type {
  CipherName,
  Clock,
  Dialect,
  EncryptionPolicy,
  Logger,
  Metrics,
  ProtocolOptions,
  SigningAlgorithmName,
  Timer,
} from "./smb2/server-context.ts";
export { MemoryVolume, type MemoryVolumeOptions } from "./vfs/memory/memory-volume.ts";
export type * from "./vfs/offload.ts";
export type * from "./vfs/outside-changes.ts";
export type { PosixVolumeOptions } from "./vfs/posix/mount.ts";
export { PosixVolume } from "./vfs/posix/volume.ts";
export type * from "./vfs/volume.ts";
