// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TOKEN_LIMIT } from "../../src/auth/authenticator.ts";
import { NtlmFlag } from "../../src/auth/ntlm/flags.ts";
import { decodeSpnego, encodeInit } from "../../src/auth/spnego/tokens.ts";
import { NtStatus, SmbError } from "../../src/nt/status.ts";
import { logOn, MACHINE_SID, testAuthenticator } from "../support/auth-fixtures.ts";
import { DEFAULT_FLAGS, NtlmClient, type NtlmClientOptions, oid } from "../support/ntlm-client.ts";

const alice: NtlmClientOptions = { userName: "alice", password: "secret1", domainName: "WORKGROUP" };

async function statusOf(attempt: Promise<unknown>): Promise<number | undefined> {
  try {
    await attempt;
    return undefined;
  } catch (error) {
    if (error instanceof SmbError) return error.status;
    throw error;
  }
}

describe("createAuthenticator", () => {
  it("offers NTLMSSP with the usual hint", async () => {
    const { authenticator } = await testAuthenticator();
    // GSS header, SPNEGO, NegTokenInit2 { mechTypes { NTLMSSP }, negHints { hintName } }.
    expect(authenticator.initialToken.toString("hex")).toBe(
      `604806062b0601050502a03e303ca00e300c060a2b06010401823702020aa32a3028a0261b24${Buffer.from(
        "not_defined_in_RFC4178@please_ignore",
      ).toString("hex")}`,
    );
  });

  it("lets a user in, and both sides have the same key", async () => {
    const { authenticator, log } = await testAuthenticator();
    const client = new NtlmClient({ ...alice, workstation: "LAPTOP" });
    const done = await logOn(authenticator, client);
    expect(done.sessionKey.equals(client.sessionKey)).toBe(true);
    expect(done.fullSessionKey.equals(client.sessionKey)).toBe(true);
    expect(client.serverMicVerified).toBe(true);
    expect(done.identity).toEqual({
      kind: "user",
      userName: "Alice",
      domainName: "TESSERA",
      sid: `${MACHINE_SID}-1000`,
      groups: [`${MACHINE_SID}-513`, "S-1-1-0", "S-1-5-2", "S-1-5-11", "S-1-5-32-545"],
      privileges: ["SeChangeNotifyPrivilege"],
      workstation: "LAPTOP",
    });
    expect(log.map(({ message }) => message)).toEqual(["logon"]);
  });

  it("makes administrators of accounts flagged so", async () => {
    const { authenticator } = await testAuthenticator();
    const { identity } = await logOn(authenticator, new NtlmClient({ userName: "BOB", password: "Пароль-2" }));
    expect(identity.sid).toBe(`${MACHINE_SID}-1001`);
    expect(identity.groups).toContain("S-1-5-32-544");
    expect(identity.privileges).toEqual([
      "SeChangeNotifyPrivilege",
      "SeBackupPrivilege",
      "SeRestorePrivilege",
      "SeSecurityPrivilege",
      "SeTakeOwnershipPrivilege",
    ]);
  });

  it.each<[string, NtlmClientOptions]>([
    ["the server's own name as domain", { ...alice, domainName: "TESSERA" }],
    ["no domain", { ...alice, domainName: "" }],
    ["a domain that is hashed in upper case", { ...alice, domainName: "Workgroup", hashedDomain: "WORKGROUP" }],
    ["a domain that is sent but not hashed", { ...alice, hashedDomain: "" }],
    ["user@domain", { ...alice, userName: "aLiCe@example.org", domainName: "" }],
    ["no MIC in the AUTHENTICATE_MESSAGE", { ...alice, mic: false }],
    ["no mechListMIC", { ...alice, mechListMic: false }],
    ["NTLMSSP without SPNEGO", { ...alice, spnego: false }],
    ["names in OEM characters", { ...alice, flags: ((DEFAULT_FLAGS & ~NtlmFlag.UNICODE) | NtlmFlag.OEM) >>> 0 }],
    ["56-bit keys", { ...alice, flags: (DEFAULT_FLAGS & ~NtlmFlag.KEY_128) >>> 0 }],
    ["no key exchange", { ...alice, flags: (DEFAULT_FLAGS & ~NtlmFlag.KEY_EXCH) >>> 0 }],
    ["NTLMSSP first, others behind it", { ...alice, mechTypes: [oid.ntlmssp, oid.kerberos] }],
    [
      "Kerberos and NEGOEX before NTLMSSP",
      { ...alice, mechTypes: [oid.msKerberos, oid.kerberos, oid.negoex, oid.ntlmssp] },
    ],
  ])("accepts %s", async (_, options) => {
    const { authenticator } = await testAuthenticator();
    const client = new NtlmClient(options);
    const { sessionKey } = await logOn(authenticator, client);
    expect(sessionKey.equals(client.sessionKey)).toBe(true);
  });

  it("asks for the MIC where the client prefers another mechanism", async () => {
    const { authenticator } = await testAuthenticator();
    const exchange = authenticator.begin({ remoteAddress: "192.0.2.7" });
    const step = await exchange.step(encodeInit([oid.kerberos, oid.ntlmssp], Buffer.from("AP-REQ")));
    // negState request-mic, supportedMech NTLMSSP.
    expect(step).toEqual({
      kind: "continue",
      token: Buffer.from("a1153013a0030a0103a10c060a2b06010401823702020a", "hex"),
    });
    const options = { ...alice, mechTypes: [oid.kerberos, oid.ntlmssp] };
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...options, mechListMic: false })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
    const client = new NtlmClient(options);
    await logOn(authenticator, client);
    expect(client.serverMicVerified).toBe(true);
  });

  it("refuses a mechanism list that was tampered with", async () => {
    const { authenticator } = await testAuthenticator();
    const exchange = authenticator.begin({ remoteAddress: "192.0.2.7" });
    const client = new NtlmClient({ ...alice, mechTypes: [oid.kerberos, oid.ntlmssp] });
    client.first();
    // What the client preferred is taken off its list on the way.
    const named = await exchange.step(encodeInit([oid.ntlmssp]));
    if (named.kind !== "continue") throw new Error("done too early");
    const negotiate = await client.next(named.token);
    const challenge = await exchange.step(negotiate ?? Buffer.alloc(0));
    if (challenge.kind !== "continue") throw new Error("done too early");
    const authenticate = await client.next(challenge.token);
    expect(await statusOf((async () => exchange.step(authenticate ?? Buffer.alloc(0)))())).toBe(NtStatus.LOGON_FAILURE);
  });

  it("knows no mechanism but NTLMSSP", async () => {
    const { authenticator } = await testAuthenticator();
    const exchange = authenticator.begin({ remoteAddress: "192.0.2.7" });
    expect(await statusOf((async () => exchange.step(encodeInit([oid.kerberos], Buffer.from("AP-REQ"))))())).toBe(
      NtStatus.NOT_SUPPORTED,
    );
  });

  it("answers an unknown user as a wrong password, and logs which it was", async () => {
    const { authenticator, log } = await testAuthenticator();
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...alice, password: "guess" })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
    expect(await statusOf(logOn(authenticator, new NtlmClient({ userName: "mallory", password: "guess" })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
    expect(log).toEqual([
      {
        level: "warn",
        message: "logon refused",
        fields: {
          address: "192.0.2.7",
          user: "alice",
          domain: "WORKGROUP",
          workstation: "CLIENT",
          reason: "wrong password",
        },
      },
      {
        level: "warn",
        message: "logon refused",
        fields: { address: "192.0.2.7", user: "mallory", domain: "", workstation: "CLIENT", reason: "unknown user" },
      },
    ]);
  });

  it("tells of a disabled account only to its owner", async () => {
    const { authenticator } = await testAuthenticator();
    const carol = { userName: "Carol", password: "secret3" };
    expect(await statusOf(logOn(authenticator, new NtlmClient(carol)))).toBe(NtStatus.ACCOUNT_DISABLED);
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...carol, password: "guess" })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
  });

  it("refuses NTLMv1, whatever its response says", async () => {
    const { authenticator, log } = await testAuthenticator();
    for (const size of [0, 24]) {
      const client = new NtlmClient({ ...alice, ntResponse: Buffer.alloc(size, 1) });
      expect(await statusOf(logOn(authenticator, client))).toBe(NtStatus.LOGON_FAILURE);
    }
    expect(log.map(({ fields }) => fields)).toEqual([
      expect.objectContaining({ reason: "NTLMv1 or LM response" }),
      expect.objectContaining({ reason: "NTLMv1 or LM response" }),
    ]);
  });

  it("notices a change to any message that the MIC covers", async () => {
    const { authenticator, log } = await testAuthenticator();
    // Flags and version of the AUTHENTICATE_MESSAGE are in nobody's proof but the MIC's.
    const tamper = (message: Buffer): void => {
      message[64] = 99;
    };
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...alice, tamper })))).toBe(NtStatus.LOGON_FAILURE);
    expect(log.at(-1)?.fields).toMatchObject({ reason: "wrong MIC" });
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...alice, tamper, mic: false })))).toBe(undefined);
  });

  it("refuses KEY_EXCH without a key", async () => {
    const { authenticator } = await testAuthenticator();
    const tamper = (message: Buffer): void => {
      message.writeUInt16LE(0, 52);
    };
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...alice, tamper })))).toBe(NtStatus.INVALID_PARAMETER);
  });

  it("lets anonymous in only where that is configured", async () => {
    const anonymous: NtlmClientOptions = { userName: "", password: "" };
    const strict = await testAuthenticator();
    expect(await statusOf(logOn(strict.authenticator, new NtlmClient(anonymous)))).toBe(NtStatus.LOGON_FAILURE);
    const open = await testAuthenticator({ allowAnonymous: true });
    const client = new NtlmClient(anonymous);
    const { identity, sessionKey } = await logOn(open.authenticator, client);
    expect(identity).toMatchObject({ kind: "anonymous", sid: "S-1-5-7", groups: ["S-1-1-0", "S-1-5-2"] });
    expect(sessionKey.equals(client.sessionKey)).toBe(true);
    // An empty name with a response is somebody, and nobody that exists.
    expect(await statusOf(logOn(open.authenticator, new NtlmClient({ userName: "", password: "x" })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
  });

  it("makes a guest of unknown users only where that is configured, never of known ones", async () => {
    const { authenticator } = await testAuthenticator({ guest: "visitor" });
    const client = new NtlmClient({ userName: "mallory", password: "guess", mechListMic: false });
    const { identity, sessionKey } = await logOn(authenticator, client);
    expect(identity).toMatchObject({ kind: "guest", userName: "visitor", sid: `${MACHINE_SID}-501` });
    expect(identity.groups).not.toContain("S-1-5-11");
    expect(sessionKey).toEqual(Buffer.alloc(16));
    expect(await statusOf(logOn(authenticator, new NtlmClient({ ...alice, password: "guess" })))).toBe(
      NtStatus.LOGON_FAILURE,
    );
  });

  it("slows a guesser down without holding others up", async () => {
    const { authenticator, clock } = await testAuthenticator({
      rateLimit: { freeFailures: 1, firstDelay: 1000, longestDelay: 4000 },
    });
    const guess = (): NtlmClient => new NtlmClient({ ...alice, password: "guess" });
    for (let i = 0; i < 2; i++) await statusOf(logOn(authenticator, guess()));
    let slow: number | undefined;
    const attempt = statusOf(logOn(authenticator, guess())).then((status) => {
      slow = status;
    });
    await logOn(authenticator, new NtlmClient({ userName: "bob", password: "Пароль-2" }), "192.0.2.8");
    expect(slow).toBeUndefined();
    expect(clock.pending).toBe(1);
    clock.advance(1000);
    await attempt;
    expect(slow).toBe(NtStatus.LOGON_FAILURE);
  });

  it("ends an exchange with its failure, and takes one token at a time", async () => {
    const { authenticator, clock } = await testAuthenticator({ rateLimit: { freeFailures: 0, firstDelay: 1000 } });
    const exchange = authenticator.begin({ remoteAddress: "192.0.2.7" });
    expect(() => exchange.step(Buffer.from("nonsense"))).toThrow(SmbError);
    expect(() => exchange.step(new NtlmClient(alice).first())).toThrow(SmbError);

    await statusOf(logOn(authenticator, new NtlmClient({ ...alice, password: "guess" })));
    const busy = authenticator.begin({ remoteAddress: "192.0.2.7" });
    const client = new NtlmClient(alice);
    const step = await busy.step(client.first());
    const answer = (await client.next(step.token)) ?? Buffer.alloc(0);
    const waiting = statusOf((async () => busy.step(answer))());
    expect(() => busy.step(answer)).toThrow(SmbError);
    clock.advance(1000);
    expect(await waiting).toBe(NtStatus.INVALID_PARAMETER);
  });

  it("refuses a token over the limit and one after the end", async () => {
    const { authenticator } = await testAuthenticator();
    const begin = () => authenticator.begin({ remoteAddress: "192.0.2.7" });
    expect(() => begin().step(Buffer.alloc(TOKEN_LIMIT + 1, 0x60))).toThrow("too long");
    const client = new NtlmClient(alice);
    const exchange = begin();
    const step = await exchange.step(client.first());
    const answer = (await client.next(step.token)) ?? Buffer.alloc(0);
    expect((await exchange.step(answer)).kind).toBe("done");
    expect(() => exchange.step(answer)).toThrow(SmbError);
  });

  it("answers any broken token with an SmbError", async () => {
    const { authenticator } = await testAuthenticator({ rateLimit: { freeFailures: 1e9 } });
    const mutated = fc.record({
      stage: fc.constantFrom(0, 1),
      at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 4 }),
      cut: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      raw: fc.boolean(),
    });
    const mutate = (token: Buffer, change: { at: number; bytes: Uint8Array; cut: number | null }): Buffer => {
      const copy = Buffer.from(token);
      Buffer.from(change.bytes).copy(copy, Math.floor(change.at * copy.length));
      return change.cut === null ? copy : copy.subarray(0, Math.floor(change.cut * copy.length));
    };
    await fc.assert(
      fc.asyncProperty(mutated, async (change) => {
        const exchange = authenticator.begin({ remoteAddress: "192.0.2.7" });
        const client = new NtlmClient({ ...alice, spnego: !change.raw });
        try {
          const first = client.first();
          const step = await exchange.step(change.stage === 0 ? mutate(first, change) : first);
          if (change.stage === 0) return;
          const answer = (await client.next(step.token)) ?? Buffer.alloc(0);
          const done = await exchange.step(mutate(answer, change));
          // A change that does not matter, to a name for instance, still leaves the same user.
          if (done.kind === "done") expect(done.identity.userName).toBe("Alice");
        } catch (error) {
          if (!(error instanceof SmbError)) throw error;
        }
      }),
      { numRuns: 400 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const token = Buffer.from(bytes);
        expect(() => authenticator.begin({ remoteAddress: "192.0.2.7" }).step(token)).toThrow(SmbError);
        try {
          decodeSpnego(Buffer.concat([Buffer.from([0xa1]), token]));
        } catch (error) {
          if (!(error instanceof SmbError)) throw error;
        }
      }),
    );
  });
});
