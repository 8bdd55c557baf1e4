// SPDX-License-Identifier: Apache-2.0

import { MemoryAccountStore, machineSidFromSeed } from "../../src/auth/accounts.ts";
import type { Authenticator, AuthStep } from "../../src/auth/auth.ts";
import { type AuthenticatorOptions, createAuthenticator } from "../../src/auth/authenticator.ts";
import { ntHashOfPassword } from "../../src/auth/nt-hash.ts";
import type { NtlmClient } from "./ntlm-client.ts";

/** A clock that stands still until it is told to go on. */
export class ManualClock {
  #now = Date.UTC(2026, 0, 1);
  #timers: { at: number; action: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(milliseconds: number, action: () => void): { cancel(): void } {
    const timer = { at: this.#now + milliseconds, action };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  get pending(): number {
    return this.#timers.length;
  }

  advance(milliseconds: number): void {
    this.#now += milliseconds;
    const due = this.#timers.filter((timer) => timer.at <= this.#now);
    this.#timers = this.#timers.filter((timer) => timer.at > this.#now);
    for (const timer of due) timer.action();
  }
}

export interface LogLine {
  readonly level: "debug" | "info" | "warn";
  readonly fields: object;
  readonly message: string;
}

export function recordingLogger(lines: LogLine[]): AuthenticatorOptions["logger"] {
  const at =
    (level: LogLine["level"]) =>
    (fields: object, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { debug: at("debug"), info: at("info"), warn: at("warn") };
}

export const MACHINE_SID: string = machineSidFromSeed("test");

/** Accounts: Alice with "secret1", Bob, an administrator, with "Пароль-2", Carol, disabled, with "secret3". */
export async function testAccounts(): Promise<MemoryAccountStore> {
  return new MemoryAccountStore(MACHINE_SID, [
    { name: "Alice", ntHash: await ntHashOfPassword("secret1") },
    { name: "Bob", ntHash: await ntHashOfPassword("Пароль-2"), admin: true },
    { name: "Carol", ntHash: await ntHashOfPassword("secret3"), disabled: true },
  ]);
}

export interface TestAuthenticator {
  readonly authenticator: Authenticator;
  readonly clock: ManualClock;
  readonly log: LogLine[];
}

export async function testAuthenticator(options: Partial<AuthenticatorOptions> = {}): Promise<TestAuthenticator> {
  const clock = new ManualClock();
  const log: LogLine[] = [];
  let counter = 0;
  const authenticator = createAuthenticator({
    accounts: await testAccounts(),
    serverName: "TESSERA",
    dnsName: "tessera.example.org",
    domainName: "TESSERA",
    allowAnonymous: false,
    clock,
    random: (size) => Buffer.alloc(size, ++counter),
    logger: recordingLogger(log),
    ...options,
  });
  return { authenticator, clock, log };
}

type Done = Extract<AuthStep, { kind: "done" }>;

/** Runs a whole exchange; throws what the server throws. */
export async function logOn(authenticator: Authenticator, client: NtlmClient, address = "192.0.2.7"): Promise<Done> {
  const exchange = authenticator.begin({ remoteAddress: address });
  let token: Buffer | undefined = client.first();
  for (;;) {
    if (token === undefined) throw new Error("the client was done before the server");
    const step: AuthStep = await exchange.step(token);
    if (step.kind === "done") {
      if (step.token.length > 0 && (await client.next(step.token)) !== undefined) throw new Error("client goes on");
      return step;
    }
    token = await client.next(step.token);
  }
}
