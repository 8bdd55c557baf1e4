// SPDX-License-Identifier: Apache-2.0

import { Access } from "../nt/access-mask.ts";
import { AceFlag, AceType } from "../nt/acl.ts";
import { SecurityControl, serialiseSecurityDescriptor } from "../nt/security-descriptor.ts";
import { WellKnownSid } from "../nt/sid.ts";

/** Self-relative descriptor for files that have none stored, where the administrator has set no other. */
export function fullAccessForEverybody(): Buffer {
  const flags = AceFlag.OBJECT_INHERIT | AceFlag.CONTAINER_INHERIT;
  return serialiseSecurityDescriptor({
    // What is made below inherits as under Windows, with the entries marked as inherited.
    control: SecurityControl.DACL_PRESENT | SecurityControl.DACL_AUTO_INHERITED,
    resourceManagerControl: 0,
    owner: WellKnownSid.BUILTIN_ADMINISTRATORS,
    group: WellKnownSid.BUILTIN_ADMINISTRATORS,
    dacl: {
      revision: 2,
      aces: [{ type: AceType.ACCESS_ALLOWED, flags, mask: Access.FILE_ALL, sid: WellKnownSid.EVERYONE }],
    },
  });
}
