// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { type ChapOptions, chapAlgorithms } from "../../scsi/iscsi/chap.ts";
import { isIscsiName } from "../../scsi/iscsi/url.ts";
import { defaultInitiatorName, type IscsiSurroundings } from "../../scsi/open.ts";
import type { ProbeOptions } from "../../scsi/probe.ts";
import { initiatorClock } from "../array-units.ts";
import { chapOptions } from "../chap-secrets.ts";
import { UsageError } from "../startup-error.ts";

/** What the commands about arrays have in common. */
export interface ArrayOptions {
  readonly initiatorName?: string;
  readonly chapUser?: string;
  readonly chapSecretFile?: string;
  readonly targetChapUser?: string;
  readonly targetChapSecretFile?: string;
  readonly chapAlgorithm?: string;
  readonly digests?: string;
}

export const commandSurroundings: IscsiSurroundings = { clock: initiatorClock(true), randomBytes };

function chapOf(options: ArrayOptions): ChapOptions | undefined {
  const { chapUser: user, chapSecretFile: secretFile, chapAlgorithm: wanted } = options;
  const { targetChapUser: targetUser, targetChapSecretFile: targetSecretFile } = options;
  if ((targetUser === undefined) !== (targetSecretFile === undefined)) {
    throw new UsageError("CHAP of the target needs a user name and a file with the secret.");
  }
  if (user === undefined || secretFile === undefined) {
    if (user === undefined && secretFile === undefined && targetUser === undefined) return undefined;
    throw new UsageError(
      "CHAP of the initiator needs a user name and a file with the secret.",
      "A target proves itself only to an initiator that does.",
    );
  }
  const algorithm = chapAlgorithms.find((name) => name === wanted);
  if (wanted !== undefined && algorithm === undefined) {
    throw new UsageError(`${wanted} is no CHAP algorithm. There are: ${chapAlgorithms.join(", ")}.`);
  }
  return chapOptions({ user, secretFile, targetUser, targetSecretFile, algorithm });
}

function digestPolicy(value: string | undefined): "none" | "prefer" | "require" {
  if (value === undefined) return "none";
  if (value === "none" || value === "prefer" || value === "require") return value;
  throw new UsageError(`--digests is none, prefer or require, and not ${value}.`);
}

/** @throws UsageError */
export function probeOptions(options: ArrayOptions, targetName: string): ProbeOptions {
  const initiatorName = options.initiatorName ?? defaultInitiatorName(hostname());
  if (!isIscsiName(initiatorName)) throw new UsageError(`${initiatorName} is no iSCSI name (iqn.…, eui.… or naa.…).`);
  const digest = digestPolicy(options.digests);
  return {
    initiatorName,
    targetName,
    chap: chapOf(options),
    session: { headerDigest: digest, dataDigest: digest },
  };
}
