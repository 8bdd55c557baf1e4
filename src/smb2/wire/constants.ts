// SPDX-License-Identifier: Apache-2.0

/** Command codes of the SMB2 header (MS-SMB2 2.2.1.2). */
export const Command = {
  NEGOTIATE: 0x0000,
  SESSION_SETUP: 0x0001,
  LOGOFF: 0x0002,
  TREE_CONNECT: 0x0003,
  TREE_DISCONNECT: 0x0004,
  CREATE: 0x0005,
  CLOSE: 0x0006,
  FLUSH: 0x0007,
  READ: 0x0008,
  WRITE: 0x0009,
  LOCK: 0x000a,
  IOCTL: 0x000b,
  CANCEL: 0x000c,
  ECHO: 0x000d,
  QUERY_DIRECTORY: 0x000e,
  CHANGE_NOTIFY: 0x000f,
  QUERY_INFO: 0x0010,
  SET_INFO: 0x0011,
  OPLOCK_BREAK: 0x0012,
  SERVER_TO_CLIENT_NOTIFICATION: 0x0013,
} as const;

/** Flags of the SMB2 header (MS-SMB2 2.2.1.2). */
export const HeaderFlag = {
  SERVER_TO_REDIR: 0x00000001,
  ASYNC_COMMAND: 0x00000002,
  RELATED_OPERATIONS: 0x00000004,
  SIGNED: 0x00000008,
  PRIORITY_MASK: 0x00000070,
  DFS_OPERATIONS: 0x10000000,
  REPLAY_OPERATION: 0x20000000,
} as const;

/** Dialect revision numbers (MS-SMB2 2.2.3, 2.2.4). */
export const Dialect = {
  SMB_2_0_2: 0x0202,
  SMB_2_1: 0x0210,
  SMB_3_0: 0x0300,
  SMB_3_0_2: 0x0302,
  SMB_3_1_1: 0x0311,
  /** Answer to the dialect string "SMB 2.???" of a multi-protocol NEGOTIATE. */
  WILDCARD: 0x02ff,
} as const;

/** Security modes of NEGOTIATE and SESSION_SETUP (MS-SMB2 2.2.3, 2.2.4, 2.2.5). */
export const SecurityMode = {
  SIGNING_ENABLED: 0x0001,
  SIGNING_REQUIRED: 0x0002,
} as const;

/** SMB2_GLOBAL_CAP_*, capabilities of a client or server (MS-SMB2 2.2.3, 2.2.4). */
export const GlobalCapability = {
  DFS: 0x00000001,
  LEASING: 0x00000002,
  LARGE_MTU: 0x00000004,
  MULTI_CHANNEL: 0x00000008,
  PERSISTENT_HANDLES: 0x00000010,
  DIRECTORY_LEASING: 0x00000020,
  ENCRYPTION: 0x00000040,
  NOTIFICATIONS: 0x00000080,
} as const;

/** Flags of a SESSION_SETUP request (MS-SMB2 2.2.5). */
export const SessionSetupFlag = {
  BINDING: 0x01,
} as const;

/** SessionFlags of a SESSION_SETUP response (MS-SMB2 2.2.6). */
export const SessionFlag = {
  IS_GUEST: 0x0001,
  IS_NULL: 0x0002,
  ENCRYPT_DATA: 0x0004,
} as const;

/** Flags of a TREE_CONNECT request, SMB 3.1.1 only (MS-SMB2 2.2.9). */
export const TreeConnectFlag = {
  CLUSTER_RECONNECT: 0x0001,
  REDIRECT_TO_OWNER: 0x0002,
  EXTENSION_PRESENT: 0x0004,
} as const;

/** Types of tree connect contexts (MS-SMB2 2.2.9.2). */
export const TreeConnectContextType = {
  REMOTED_IDENTITY: 0x0001,
} as const;

/** ShareType of a TREE_CONNECT response (MS-SMB2 2.2.10). */
export const ShareType = {
  DISK: 0x01,
  PIPE: 0x02,
  PRINT: 0x03,
} as const;

/** SMB2_SHAREFLAG_*, properties of a share (MS-SMB2 2.2.10). */
export const ShareFlag = {
  MANUAL_CACHING: 0x00000000,
  DFS: 0x00000001,
  DFS_ROOT: 0x00000002,
  AUTO_CACHING: 0x00000010,
  VDO_CACHING: 0x00000020,
  NO_CACHING: 0x00000030,
  RESTRICT_EXCLUSIVE_OPENS: 0x00000100,
  FORCE_SHARED_DELETE: 0x00000200,
  ALLOW_NAMESPACE_CACHING: 0x00000400,
  ACCESS_BASED_DIRECTORY_ENUM: 0x00000800,
  FORCE_LEVELII_OPLOCK: 0x00001000,
  ENABLE_HASH_V1: 0x00002000,
  ENABLE_HASH_V2: 0x00004000,
  ENCRYPT_DATA: 0x00008000,
  IDENTITY_REMOTING: 0x00040000,
  COMPRESS_DATA: 0x00100000,
  ISOLATED_TRANSPORT: 0x00200000,
} as const;

/** SMB2_SHARE_CAP_*, capabilities of a share (MS-SMB2 2.2.10). */
export const ShareCapability = {
  DFS: 0x00000008,
  CONTINUOUS_AVAILABILITY: 0x00000010,
  SCALEOUT: 0x00000020,
  CLUSTER: 0x00000040,
  ASYMMETRIC: 0x00000080,
  REDIRECT_TO_OWNER: 0x00000100,
} as const;

/** Oplock levels (MS-SMB2 2.2.13, 2.2.14, 2.2.23.1). */
export const OplockLevel = {
  NONE: 0x00,
  II: 0x01,
  EXCLUSIVE: 0x08,
  BATCH: 0x09,
  /** Only in CREATE: the level is in the lease create context. */
  LEASE: 0xff,
} as const;

/** Impersonation levels of a CREATE request (MS-SMB2 2.2.13). */
export const ImpersonationLevel = {
  ANONYMOUS: 0,
  IDENTIFICATION: 1,
  IMPERSONATION: 2,
  DELEGATE: 3,
} as const;

/** ShareAccess bits of a CREATE request (MS-SMB2 2.2.13). */
export const ShareAccess = {
  READ: 0x00000001,
  WRITE: 0x00000002,
  DELETE: 0x00000004,
} as const;

/** CreateDisposition of a CREATE request (MS-SMB2 2.2.13). */
export const CreateDisposition = {
  SUPERSEDE: 0,
  OPEN: 1,
  CREATE: 2,
  OPEN_IF: 3,
  OVERWRITE: 4,
  OVERWRITE_IF: 5,
} as const;

/** CreateOptions bits of a CREATE request (MS-SMB2 2.2.13). */
export const CreateOption = {
  DIRECTORY_FILE: 0x00000001,
  WRITE_THROUGH: 0x00000002,
  SEQUENTIAL_ONLY: 0x00000004,
  NO_INTERMEDIATE_BUFFERING: 0x00000008,
  SYNCHRONOUS_IO_ALERT: 0x00000010,
  SYNCHRONOUS_IO_NONALERT: 0x00000020,
  NON_DIRECTORY_FILE: 0x00000040,
  COMPLETE_IF_OPLOCKED: 0x00000100,
  NO_EA_KNOWLEDGE: 0x00000200,
  OPEN_REMOTE_INSTANCE: 0x00000400,
  RANDOM_ACCESS: 0x00000800,
  DELETE_ON_CLOSE: 0x00001000,
  OPEN_BY_FILE_ID: 0x00002000,
  OPEN_FOR_BACKUP_INTENT: 0x00004000,
  NO_COMPRESSION: 0x00008000,
  OPEN_REQUIRING_OPLOCK: 0x00010000,
  DISALLOW_EXCLUSIVE: 0x00020000,
  RESERVE_OPFILTER: 0x00100000,
  OPEN_REPARSE_POINT: 0x00200000,
  OPEN_NO_RECALL: 0x00400000,
  OPEN_FOR_FREE_SPACE_QUERY: 0x00800000,
} as const;

/** Flags of a CREATE response (MS-SMB2 2.2.14). */
export const CreateResponseFlag = {
  REPARSE_POINT: 0x01,
} as const;

/** CreateAction of a CREATE response (MS-SMB2 2.2.14). */
export const CreateAction = {
  SUPERSEDED: 0,
  OPENED: 1,
  CREATED: 2,
  OVERWRITTEN: 3,
} as const;

/** Lease state bits (MS-SMB2 2.2.13.2.8). */
export const LeaseState = {
  NONE: 0x00,
  READ_CACHING: 0x01,
  HANDLE_CACHING: 0x02,
  WRITE_CACHING: 0x04,
} as const;

/** Flags of a lease create context (MS-SMB2 2.2.13.2.10, 2.2.14.2.10, 2.2.14.2.11). */
export const LeaseFlag = {
  BREAK_IN_PROGRESS: 0x00000002,
  PARENT_LEASE_KEY_SET: 0x00000004,
} as const;

/** Flags of a lease break notification (MS-SMB2 2.2.23.2). */
export const LeaseBreakFlag = {
  ACK_REQUIRED: 0x00000001,
} as const;

/** Flags of the durable handle version 2 create contexts (MS-SMB2 2.2.13.2.11). */
export const DurableHandleFlag = {
  PERSISTENT: 0x00000002,
} as const;

/** Flags of CLOSE (MS-SMB2 2.2.15). */
export const CloseFlag = {
  POSTQUERY_ATTRIB: 0x0001,
} as const;

/** Flags of a READ request (MS-SMB2 2.2.19). */
export const ReadFlag = {
  READ_UNBUFFERED: 0x01,
  REQUEST_COMPRESSED: 0x02,
} as const;

/** Flags of a READ response, SMB 3.1.1 only (MS-SMB2 2.2.20). */
export const ReadResponseFlag = {
  NONE: 0x00000000,
  RDMA_TRANSFORM: 0x00000001,
} as const;

/** Flags of a WRITE request (MS-SMB2 2.2.21). */
export const WriteFlag = {
  WRITE_THROUGH: 0x00000001,
  WRITE_UNBUFFERED: 0x00000002,
} as const;

/** Channel of READ and WRITE (MS-SMB2 2.2.19, 2.2.21). */
export const Channel = {
  NONE: 0,
  RDMA_V1: 1,
  RDMA_V1_INVALIDATE: 2,
  RDMA_TRANSFORM: 3,
} as const;

/** Flags of a lock element (MS-SMB2 2.2.26.1). */
export const LockFlag = {
  SHARED_LOCK: 0x00000001,
  EXCLUSIVE_LOCK: 0x00000002,
  UNLOCK: 0x00000004,
  FAIL_IMMEDIATELY: 0x00000010,
} as const;

/** Flags of an IOCTL request (MS-SMB2 2.2.31). */
export const IoctlFlag = {
  IS_FSCTL: 0x00000001,
} as const;

/** Flags of a QUERY_DIRECTORY request (MS-SMB2 2.2.33). */
export const QueryDirectoryFlag = {
  RESTART_SCANS: 0x01,
  RETURN_SINGLE_ENTRY: 0x02,
  INDEX_SPECIFIED: 0x04,
  REOPEN: 0x10,
} as const;

/** Flags of a CHANGE_NOTIFY request (MS-SMB2 2.2.35). */
export const ChangeNotifyFlag = {
  WATCH_TREE: 0x0001,
} as const;

/** CompletionFilter bits of a CHANGE_NOTIFY request (MS-SMB2 2.2.35). */
export const CompletionFilter = {
  FILE_NAME: 0x00000001,
  DIR_NAME: 0x00000002,
  ATTRIBUTES: 0x00000004,
  SIZE: 0x00000008,
  LAST_WRITE: 0x00000010,
  LAST_ACCESS: 0x00000020,
  CREATION: 0x00000040,
  EA: 0x00000080,
  SECURITY: 0x00000100,
  STREAM_NAME: 0x00000200,
  STREAM_SIZE: 0x00000400,
  STREAM_WRITE: 0x00000800,
} as const;

/** InfoType of QUERY_INFO and SET_INFO (MS-SMB2 2.2.37, 2.2.39). */
export const InfoType = {
  FILE: 0x01,
  FILESYSTEM: 0x02,
  SECURITY: 0x03,
  QUOTA: 0x04,
} as const;

/** AdditionalInformation bits of security queries and changes (MS-SMB2 2.2.37, 2.2.39). */
export const SecurityInformation = {
  OWNER: 0x00000001,
  GROUP: 0x00000002,
  DACL: 0x00000004,
  SACL: 0x00000008,
  LABEL: 0x00000010,
  ATTRIBUTE: 0x00000020,
  SCOPE: 0x00000040,
  BACKUP: 0x00010000,
} as const;

/** Flags of a QUERY_INFO request for FileFullEaInformation (MS-SMB2 2.2.37). */
export const EaQueryFlag = {
  RESTART_SCAN: 0x00000001,
  RETURN_SINGLE_ENTRY: 0x00000002,
  INDEX_SPECIFIED: 0x00000004,
} as const;

/** Flags of a TRANSFORM_HEADER; SMB 3.0 and 3.0.2 read the same value as AES-128-CCM (MS-SMB2 2.2.41). */
export const TransformFlag = {
  ENCRYPTED: 0x0001,
} as const;
