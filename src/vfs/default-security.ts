// SPDX-License-Identifier: Apache-2.0

import { Access } from "../nt/access-mask.ts";
import { AceFlag, AceType } from "../nt/acl.ts";
import { SecurityControl, serialiseSecurityDescriptor } from "../nt/security-descriptor.ts";
import { WellKnownSid } from "../nt/sid.ts";

/** Owner and group are the administrators; `trustees` (SIDs) have full access, and so in whatever is made below. */
export function fullAccessFor(...trustees: readonly string[]): Buffer {
  const flags = AceFlag.OBJECT_INHERIT | AceFlag.CONTAINER_INHERIT;
  return serialiseSecurityDescriptor({
    // What is made below inherits as under Windows, with the entries marked as inherited.
    control: SecurityControl.DACL_PRESENT | SecurityControl.DACL_AUTO_INHERITED,
    resourceManagerControl: 0,
    owner: WellKnownSid.BUILTIN_ADMINISTRATORS,
    group: WellKnownSid.BUILTIN_ADMINISTRATORS,
    dacl: {
      revision: 2,
      aces: trustees.map((sid) => ({ type: AceType.ACCESS_ALLOWED, flags, mask: Access.FILE_ALL, sid })),
    },
  });
}

/** What the root of a share has when nothing is stored: full control for everybody who could log on. */
export function fullAccessForUsers(): Buffer {
  return fullAccessFor(
    WellKnownSid.LOCAL_SYSTEM,
    WellKnownSid.BUILTIN_ADMINISTRATORS,
    WellKnownSid.AUTHENTICATED_USERS,
  );
}
