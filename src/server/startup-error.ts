// SPDX-License-Identifier: Apache-2.0

/** A start that failed for a reason that the operator can mend: shown as one plain message, never with a stack trace. */
export class StartupError extends Error {
  /** Further lines: what to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.name = "StartupError";
    this.hint = hint;
  }
}

/** The command line makes no sense: exit code 2 instead of 1. */
export class UsageError extends StartupError {
  constructor(message: string, hint?: string) {
    super(message, hint);
    this.name = "UsageError";
  }
}

/** The `code` of a system error such as `EADDRINUSE`, `undefined` for anything else. */
export function systemErrorCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}
