// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";
import { Access } from "../nt/access-mask.ts";
import { foldName } from "../nt/names.ts";
import { compilePattern, type NameMatcher } from "../nt/wildcard.ts";
import { allOperations, type OffloadSwitches } from "../offload/operations.ts";
import type { EncryptionPolicy, Share } from "../smb2/server-context.ts";
import type { Volume } from "../vfs/volume.ts";
import { shareNameProblem } from "./share-name.ts";
import { StartupError } from "./startup-error.ts";

/**
 * Who may use a share, as user names without regard to case; `*` is every user who logged on with a password. A guest or
 * an anonymous caller counts under the names `guest` and `anonymous` only, never under `*`.
 */
export interface ShareUsers {
  readonly readWrite?: readonly string[];
  readonly readOnly?: readonly string[];
  /** Wins over the other two. */
  readonly deny?: readonly string[];
}

export interface ShareOptions {
  /** MS-FSCC 2.1.6: at most 80 characters, compared without regard to case. */
  readonly name: string;
  readonly volume: Volume;
  /** Shown beside the name by clients. */
  readonly comment?: string;
  /** Default false. */
  readonly readOnly?: boolean;
  /** Default `off`: what the server's policy says. */
  readonly encrypt?: EncryptionPolicy;
  /** Shown when clients list the shares. Default true. */
  readonly browseable?: boolean;
  /** Leaves what a caller cannot read out of directory listings. Default false. */
  readonly hideUnreadable?: boolean;
  /**
   * Files and directories that show with the attribute HIDDEN, as patterns with `*` and `?`, without regard to case: `.*` for
   * what Unix hides. They can be opened and overwritten as if they were not. Default none.
   */
  readonly hiddenNames?: readonly string[];
  /** Which copies on the server clients may ask for. Default: all, where the volume can. */
  readonly offload?: Partial<OffloadSwitches>;
  /**
   * Clients that ask for it get handles that outlive a restart of the server, and every change is stable before it is
   * answered. The server needs a place to keep the handles (`ServerOptions.persistentHandles`). Default false.
   */
  readonly continuousAvailability?: boolean;
  /** Default: every user may read and write, guests and anonymous callers nothing. */
  readonly users?: ShareUsers;
}

const EVERY_USER: ShareUsers = { readWrite: ["*"] };

const READ_ACCESS = (Access.FILE_GENERIC_READ | Access.FILE_GENERIC_EXECUTE) >>> 0;

type Matcher = (caller: Identity) => boolean;

function matcher(names: readonly string[] = []): Matcher {
  const wanted = new Set(names.map(foldName));
  const everyUser = wanted.has("*");
  return (caller) =>
    caller.kind === "user"
      ? everyUser || wanted.has(foldName(caller.userName))
      : wanted.has(caller.kind === "guest" ? "GUEST" : "ANONYMOUS");
}

/** Whether a name fits one of the patterns; `undefined` where there are none. */
function nameMatcher(patterns: readonly string[] = []): NameMatcher | undefined {
  if (patterns.length === 0) return undefined;
  const matchers = patterns.map(compilePattern);
  return (name) => matchers.some((matches) => matches(name));
}

/** @throws StartupError when the name cannot be one */
export function createShare(options: ShareOptions): Share {
  const problem = shareNameProblem(options.name);
  if (problem !== undefined) {
    throw new StartupError(`The share name "${options.name}" ${problem}.`);
  }
  const users = options.users ?? EVERY_USER;
  const denied = matcher(users.deny);
  const mayWrite = matcher(users.readWrite);
  const mayRead = matcher(users.readOnly);
  const readOnly = (options.readOnly ?? false) || options.volume.info.readOnly;
  return {
    name: options.name,
    comment: options.comment ?? "",
    volume: options.volume,
    readOnly,
    encryption: options.encrypt ?? "off",
    browseable: options.browseable ?? true,
    accessBasedEnumeration: options.hideUnreadable ?? false,
    hidesName: nameMatcher(options.hiddenNames),
    continuousAvailability: options.continuousAvailability ?? false,
    offload: { ...allOperations, ...options.offload },
    maximalAccess(caller) {
      if (denied(caller)) {
        return 0;
      }
      if (mayWrite(caller)) {
        return readOnly ? READ_ACCESS : Access.FILE_ALL;
      }
      return mayRead(caller) ? READ_ACCESS : 0;
    },
  };
}
