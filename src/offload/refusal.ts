// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../nt/status.ts";

/** Why a token was not honoured: for the log and the metrics. The client learns INVALID_TOKEN, whatever the reason. */
export const refusalReasons = [
  /** Not 512 bytes of the form that this server gives out. */
  "malformed",
  /** Sealed under a key that this server does not have, such as that of an earlier process. */
  "unknown key",
  /** The seal does not fit what it seals. */
  "altered",
  /** Good once, and given up since: used up and pushed out by newer ones, or its volume is no more. */
  "unknown",
  "expired",
  /** The scope is `user`, and this is another one. */
  "other user",
  /** The token is good on the server that issued it only. */
  "other server",
  /** No share of this server leads to the volume of the data. */
  "unknown volume",
  /** The data are no longer what they were, and were not kept. */
  "data changed",
  /** More old data would have had to be kept than the server may. */
  "preserve limit",
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** Why a copy was refused, where the status says less than an administrator wants to know. */
export type CopyRefusal = RefusalReason | "too many tokens" | "switched off";

export class CopyRefusedError extends SmbError {
  readonly reason: CopyRefusal;

  constructor(status: NtStatus, reason: CopyRefusal) {
    super(status, reason);
    this.reason = reason;
  }
}

export function invalidToken(reason: RefusalReason): CopyRefusedError {
  return new CopyRefusedError(NtStatus.INVALID_TOKEN, reason);
}
