// SPDX-License-Identifier: Apache-2.0

import { FileSystemAttribute } from "../nt/attributes.ts";

/** What a volume of our own making can do, that need not fit on a file system of others. */
export const NTFS_LIKE_ATTRIBUTES =
  FileSystemAttribute.CASE_PRESERVED_NAMES |
  FileSystemAttribute.SUPPORTS_POSIX_UNLINK_RENAME |
  FileSystemAttribute.UNICODE_ON_DISK |
  FileSystemAttribute.PERSISTENT_ACLS |
  FileSystemAttribute.SUPPORTS_SPARSE_FILES |
  FileSystemAttribute.NAMED_STREAMS |
  FileSystemAttribute.SUPPORTS_HARD_LINKS |
  FileSystemAttribute.SUPPORTS_EXTENDED_ATTRIBUTES |
  FileSystemAttribute.SUPPORTS_OPEN_BY_FILE_ID;

/** Names of one file, as on NTFS. */
export const MAXIMUM_LINKS = 1024;

/** Components of a path: MS-FSCC 2.1.5 leaves room for no more. */
export const MAXIMUM_DEPTH = 16_384;
