// SPDX-License-Identifier: Apache-2.0

/** The account part of a user principal name, `user@domain`; other names come back as they are. */
export function accountPart(userName: string): string {
  const at = userName.lastIndexOf("@");
  return at > 0 ? userName.slice(0, at) : userName;
}
