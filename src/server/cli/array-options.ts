// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Clock } from "../../scsi/clock.ts";
import { type ChapOptions, chapAlgorithms } from "../../scsi/iscsi/chap.ts";
import { isIscsiName } from "../../scsi/iscsi/url.ts";
import { defaultInitiatorName, type IscsiSurroundings } from "../../scsi/open.ts";
import type { ProbeOptions } from "../../scsi/probe.ts";
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

/** A clock whose timers keep the process alive: a command has nothing else to wait for. */
const commandClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, action) {
    const timer = setTimeout(action, milliseconds);
    return { cancel: () => clearTimeout(timer) };
  },
};

export const commandSurroundings: IscsiSurroundings = { clock: commandClock, randomBytes };

/** A secret is the first line of its file. */
function readSecret(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`The CHAP secret cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const secret = text.split(/\r?\n/, 1)[0] ?? "";
  if (secret === "") throw new UsageError(`${file} holds no CHAP secret in its first line.`);
  return Buffer.from(secret, "utf8");
}

function credentials(user: string | undefined, file: string | undefined, which: string) {
  if (user === undefined && file === undefined) return undefined;
  if (user === undefined || file === undefined) {
    throw new UsageError(`CHAP of the ${which} needs a user name and a file with the secret.`);
  }
  return { name: user, secret: readSecret(file) };
}

function chapOf(options: ArrayOptions): ChapOptions | undefined {
  const own = credentials(options.chapUser, options.chapSecretFile, "initiator");
  const target = credentials(options.targetChapUser, options.targetChapSecretFile, "target");
  if (own === undefined) {
    if (target === undefined) return undefined;
    throw new UsageError("A target proves itself only to an initiator that does: --chap-user is missing.");
  }
  const wanted = options.chapAlgorithm;
  const algorithm = chapAlgorithms.find((name) => name === wanted);
  if (wanted !== undefined && algorithm === undefined) {
    throw new UsageError(`${wanted} is no CHAP algorithm. There are: ${chapAlgorithms.join(", ")}.`);
  }
  return { ...own, target, algorithms: algorithm === undefined ? undefined : [algorithm] };
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
