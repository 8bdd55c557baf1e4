// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import type { AccountStore } from "../../src/auth/accounts.ts";
import { Command, Dialect, SecurityMode } from "../../src/smb2/wire/constants.ts";
import { HeaderOffset } from "../../src/smb2/wire/header.ts";
import { decodeSessionSetupResponse, encodeSessionSetupRequest } from "../../src/smb2/wire/session-setup.ts";
import { testAccounts } from "../support/auth-fixtures.ts";
import { NtlmClient } from "../support/ntlm-client.ts";
import { alice, ServerHarness, settle } from "../support/server-harness.ts";
import { type RequestBody, requests } from "../support/smb-requests.ts";

function sessionSetup(securityBuffer: Buffer): RequestBody {
  return {
    command: Command.SESSION_SETUP,
    payload: 0,
    encode: (writer) =>
      encodeSessionSetupRequest(writer, {
        flags: 0,
        securityMode: SecurityMode.SIGNING_ENABLED,
        capabilities: 0,
        previousSessionId: 0n,
        securityBuffer,
      }),
  };
}

describe("a compound whose later header is broken", () => {
  it("ends its connection and nothing else, also when an earlier request answers later", async () => {
    const known = await testAccounts();
    const accounts: AccountStore = {
      machineSid: known.machineSid,
      lookup: async (name) => known.lookup(name),
      lookupRid: async (rid) => known.lookupRid(rid),
      list: async () => known.list(),
    };
    const harness = await ServerHarness.start({ authenticator: { accounts } });
    const connection = await harness.connect({ dialects: [Dialect.SMB_2_1] });
    const ntlm = new NtlmClient(alice);
    const challenge = await connection.exchange(sessionSetup(ntlm.first()));
    const token = await ntlm.next(decodeSessionSetupResponse(challenge.reader).securityBuffer);
    if (token === undefined) throw new Error("no AUTHENTICATE_MESSAGE");

    // The broken header is met before its message id is: a client needs no credit for it.
    connection.credits = 2;
    const calls = connection.submitCompound([
      { body: sessionSetup(token), options: { header: { sessionId: challenge.header.sessionId } } },
      {
        body: requests.echo(),
        options: { tamper: (message) => message.writeUInt16LE(63, HeaderOffset.STRUCTURE_SIZE) },
      },
    ]);
    const outcomes = await Promise.allSettled(calls.map((call) => call.reply));
    await settle();

    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(harness.log.filter(({ message }) => message.includes("malformed packet"))).toHaveLength(1);
    expect(harness.errors).toEqual([]);
    const other = await harness.logOn(alice);
    expect(other.sessionId).not.toBe(0n);
  });
});
