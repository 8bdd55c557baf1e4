// SPDX-License-Identifier: Apache-2.0

/** Win32 error codes that RPC operations return (MS-ERREF 2.2, MS-SRVS 2.2.2.9 for the NERR ones). */
export const Win32Error = {
  SUCCESS: 0,
  ACCESS_DENIED: 5,
  INVALID_PARAMETER: 87,
  INVALID_NAME: 123,
  INVALID_LEVEL: 124,
  MORE_DATA: 234,
  NERR_USER_NOT_FOUND: 2221,
  NERR_NET_NAME_NOT_FOUND: 2310,
  NERR_CLIENT_NAME_NOT_FOUND: 2312,
  NERR_INVALID_COMPUTER: 2351,
} as const;

/** MAX_PREFERRED_LENGTH: all entries in one answer (MS-SRVS 2.2.2.2). */
export const MAX_PREFERRED_LENGTH = 0xffffffff;

/** What clients are told of the platform: PLATFORM_ID_NT (MS-SRVS 2.2.2.6) and a current version. */
export const PLATFORM_ID_NT = 500;
export const VERSION_MAJOR = 10;
export const VERSION_MINOR = 0;
