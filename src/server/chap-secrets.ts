// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from "node:fs";
import type { ChapOptions } from "../scsi/iscsi/chap.ts";
import { StartupError } from "./startup-error.ts";

/** Who proves who he is, and with what. */
export interface ChapSettings {
  readonly user: string;
  readonly secretFile: string;
  /** The target proves itself, too (mutual CHAP). */
  readonly targetUser?: string | undefined;
  readonly targetSecretFile?: string | undefined;
  readonly algorithm?: NonNullable<ChapOptions["algorithms"]>[number] | undefined;
}

/** @throws StartupError a secret cannot be read */
export function chapOptions({ user, secretFile, targetUser, targetSecretFile, algorithm }: ChapSettings): ChapOptions {
  const target =
    targetUser === undefined || targetSecretFile === undefined
      ? undefined
      : { name: targetUser, secret: readSecret(targetSecretFile) };
  return {
    name: user,
    secret: readSecret(secretFile),
    target,
    algorithms: algorithm === undefined ? undefined : [algorithm],
  };
}

/** A secret is the first line of its file. */
function readSecret(file: string): Buffer {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new StartupError(`The CHAP secret cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const secret = text.split(/\r?\n/, 1)[0] ?? "";
  if (secret === "") throw new StartupError(`${file} holds no CHAP secret in its first line.`);
  return Buffer.from(secret, "utf8");
}
