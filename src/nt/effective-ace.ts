// SPDX-License-Identifier: Apache-2.0

import { mapGenericRights } from "./access-mask.ts";
import { type Ace, AceFlag } from "./acl.ts";
import { WellKnownSid } from "./sid.ts";

/** Who stands in for the placeholders CREATOR OWNER and CREATOR GROUP. */
export interface Creator {
  readonly owner: string;
  readonly group: string;
}

/** CONTAINER_INHERIT or OBJECT_INHERIT. */
export const INHERITABLE = AceFlag.OBJECT_INHERIT | AceFlag.CONTAINER_INHERIT;
const INHERITANCE = INHERITABLE | AceFlag.NO_PROPAGATE_INHERIT | AceFlag.INHERIT_ONLY;

function substitute(sid: string, creator: Creator): string {
  switch (sid) {
    case WellKnownSid.CREATOR_OWNER:
      return creator.owner;
    case WellKnownSid.CREATOR_GROUP:
      return creator.group;
    default:
      return sid;
  }
}

/** The entry with generic rights mapped and, where a creator is given, placeholders replaced (MS-DTYP 2.5.3.4.7). */
function concrete(ace: Ace, creator: Creator | undefined, flags: number): Ace {
  const mask = mapGenericRights(ace.mask);
  const sid = creator === undefined ? ace.sid : substitute(ace.sid, creator);
  return mask === ace.mask && sid === ace.sid && flags === ace.flags ? ace : { ...ace, mask, sid, flags };
}

/**
 * Appends an entry to the list of an object as it takes effect there. An entry that is inheritable as well and would lose
 * its generic rights or placeholder becomes two: an effective one, and an inherit-only one with both kept for the
 * descendants (MS-DTYP 2.5.3.4.4, last paragraph).
 */
export function appendEffective(list: Ace[], ace: Ace, creator: Creator | undefined, container: boolean): void {
  if (ace.flags & AceFlag.INHERIT_ONLY) {
    list.push(ace);
    return;
  }
  const whole = concrete(ace, creator, ace.flags);
  if (whole === ace || !container || !(ace.flags & INHERITABLE)) {
    list.push(whole);
    return;
  }
  list.push({ ...whole, flags: ace.flags & ~INHERITANCE });
  list.push({ ...ace, flags: ace.flags | AceFlag.INHERIT_ONLY });
}
