// SPDX-License-Identifier: Apache-2.0

/**
 * Upper case as Windows does it for account names: each UTF-16 code unit by itself, so that the length never changes
 * (`ß` stays `ß`).
 */
export function upcase(name: string): string {
  const upper = name.toUpperCase();
  if (upper.length === name.length) return upper;
  let result = "";
  for (let i = 0; i < name.length; i++) {
    const unit = name.charAt(i);
    const mapped = unit.toUpperCase();
    result += mapped.length === 1 ? mapped : unit;
  }
  return result;
}

/** The account part of a user principal name; other names come back as they are. */
export function accountPart(userName: string): string {
  const at = userName.lastIndexOf("@");
  return at > 0 ? userName.slice(0, at) : userName;
}
