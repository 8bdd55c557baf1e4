// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { CipherId } from "../../../src/smb2/crypto/encryption.ts";
import { SigningAlgorithm } from "../../../src/smb2/crypto/signing.ts";
import type { ProtocolOptions } from "../../../src/smb2/server-context.ts";
import { Command, Dialect, GlobalCapability, HeaderFlag, SecurityMode } from "../../../src/smb2/wire/constants.ts";
import { Reader, Writer } from "../../../src/smb2/wire/cursor.ts";
import { NO_FILE_ID } from "../../../src/smb2/wire/file-id.ts";
import {
  encodeValidateNegotiateInfoRequest,
  type ValidateNegotiateInfoRequest,
} from "../../../src/smb2/wire/fscc/validate-negotiate.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import { decodeNegotiateResponse, encodeNegotiateRequest } from "../../../src/smb2/wire/negotiate.ts";
import {
  compressionContext,
  encryptionContext,
  type NegotiateContext,
  NegotiateContextType,
  preauthIntegrityContext,
  signingContext,
} from "../../../src/smb2/wire/negotiate-contexts.ts";
import { encodeSmb1NegotiateRequest } from "../../../src/smb2/wire/smb1-negotiate.ts";
import { alice, ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import { LogOn, logOn } from "../../support/smb-client.ts";
import { ALL_DIALECTS, type NegotiateOptions, type SmbConnection } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const preauth = preauthIntegrityContext({ hashAlgorithms: [1], salt: Buffer.alloc(32, 1) });

async function negotiate(options: NegotiateOptions, protocol: Partial<ProtocolOptions> = {}): Promise<SmbConnection> {
  const harness = await ServerHarness.start({ protocol });
  return harness.connect(options);
}

/** The status of a NEGOTIATE. */
async function outcome(options: NegotiateOptions, protocol: Partial<ProtocolOptions> = {}): Promise<string> {
  return statusOf(negotiate(options, protocol));
}

const with311 = (contexts: readonly NegotiateContext[]) => outcome({ dialects: [Dialect.SMB_3_1_1], contexts });

describe("NEGOTIATE", () => {
  it.each(ALL_DIALECTS.map((dialect, index) => [dialect, ALL_DIALECTS.slice(0, index + 1)]))(
    "chooses the greatest common dialect, %i",
    async (dialect, dialects) => {
      expect((await negotiate({ dialects: [...dialects].reverse() })).dialect).toBe(dialect);
      expect((await negotiate({}, { maxDialect: dialect as ProtocolOptions["maxDialect"] })).dialect).toBe(dialect);
    },
  );

  it("refuses what is below the least dialect", async () => {
    const dialects = [Dialect.SMB_2_0_2, Dialect.SMB_2_1];
    expect(await outcome({ dialects }, { minDialect: 0x0300 })).toBe("STATUS_NOT_SUPPORTED");
    expect(await outcome({ dialects: [0x0222, 0x0400] })).toBe("STATUS_NOT_SUPPORTED");
  });

  it("refuses an empty list of dialects", async () => {
    expect(await outcome({ dialects: [] })).toBe("STATUS_INVALID_PARAMETER");
  });

  it("can be tried again after a failure, with the credit that the failure gave", async () => {
    const connection = (await ServerHarness.start()).open();
    expect(await statusOf(connection.negotiate({ dialects: [0x0222] }))).toBe("STATUS_NOT_SUPPORTED");
    expect((await connection.negotiate()).dialect).toBe(Dialect.SMB_3_1_1);
  });

  it("settles nothing where it fails", async () => {
    const harness = await ServerHarness.start();
    const connection = harness.open();
    const broken = { type: NegotiateContextType.SIGNING_CAPABILITIES, data: Buffer.from([9, 0, 1]) };
    const contexts = [preauth, encryptionContext([CipherId.AES_256_GCM]), broken];
    const failure = connection.negotiate({ dialects: [Dialect.SMB_3_1_1], contexts });
    expect(await statusOf(failure)).toBe("STATUS_INVALID_PARAMETER");
    await connection.negotiate({ dialects: [Dialect.SMB_3_0], capabilities: 0 });
    expect(Array.from(harness.server.connections, ({ cipher }) => cipher)).toEqual([undefined]);
    expect((connection.negotiated?.response.capabilities ?? 0) & GlobalCapability.ENCRYPTION).toBe(0);
  });

  it("ends the connection where it comes twice", async () => {
    const connection = await negotiate({});
    await expect(connection.negotiate()).rejects.toThrow("closed");
  });

  it("is refused with a signature", async () => {
    const connection = (await ServerHarness.start()).open();
    const reply = await connection.exchange(
      {
        command: Command.NEGOTIATE,
        payload: 0,
        encode: (writer) =>
          encodeNegotiateRequest(writer, {
            securityMode: 1,
            capabilities: 0,
            clientGuid: Buffer.alloc(16),
            dialects: [Dialect.SMB_2_1],
            contexts: [],
          }),
      },
      { header: { flags: HeaderFlag.SIGNED } },
    );
    expect(statusName(reply.status)).toBe("STATUS_INVALID_PARAMETER");
  });

  it.each([Command.SESSION_SETUP, Command.ECHO, Command.TREE_CONNECT, Command.CREATE, Command.LOGOFF])(
    "comes before command %i",
    async (command) => {
      const connection = (await ServerHarness.start()).open();
      await expect(connection.exchange({ ...requests.echo(), command })).rejects.toThrow("closed");
    },
  );

  it("says who the server is", async () => {
    const harness = await ServerHarness.start({ protocol: { signingRequired: true, maxReadSize: 1 << 20 } });
    const { negotiated } = await harness.connect();
    expect(negotiated?.response).toMatchObject({
      securityMode: SecurityMode.SIGNING_ENABLED | SecurityMode.SIGNING_REQUIRED,
      serverGuid: harness.server.context.serverGuid,
      maxReadSize: 1 << 20,
      serverStartTime: 0n,
    });
    expect(negotiated?.response.securityBuffer).toEqual(harness.server.context.authenticator.initialToken);
  });

  it.each([
    [Dialect.SMB_2_0_2, 0, 65_536],
    [Dialect.SMB_2_1, GlobalCapability.LARGE_MTU, 8 << 20],
    [
      Dialect.SMB_3_0,
      GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL | GlobalCapability.ENCRYPTION,
      8 << 20,
    ],
    [
      Dialect.SMB_3_0_2,
      GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL | GlobalCapability.ENCRYPTION,
      8 << 20,
    ],
    [Dialect.SMB_3_1_1, GlobalCapability.LARGE_MTU | GlobalCapability.MULTI_CHANNEL, 8 << 20],
  ])("announces what dialect %i can do", async (dialect, capabilities, maxTransactSize) => {
    const { negotiated } = await negotiate({ dialects: [dialect] });
    // Leases are announced from 2.1 on where the server grants them.
    const leasing = GlobalCapability.LEASING | GlobalCapability.DIRECTORY_LEASING;
    expect((negotiated?.response.capabilities ?? 0) & ~leasing).toBe(capabilities);
    expect(negotiated?.response).toMatchObject({ maxTransactSize, maxWriteSize: maxTransactSize });
  });

  it.each([
    [Dialect.SMB_2_1, GlobalCapability.DIRECTORY_LEASING, 0],
    [Dialect.SMB_3_0, GlobalCapability.DIRECTORY_LEASING, GlobalCapability.DIRECTORY_LEASING],
    [Dialect.SMB_3_1_1, GlobalCapability.DIRECTORY_LEASING, GlobalCapability.DIRECTORY_LEASING],
    [Dialect.SMB_3_1_1, 0, 0],
  ])("announces leases of directories in dialect %i to who has %i: %i", async (dialect, capabilities, expected) => {
    const { negotiated } = await negotiate({ dialects: [dialect], capabilities });
    expect((negotiated?.response.capabilities ?? 0) & GlobalCapability.DIRECTORY_LEASING).toBe(expected);
  });

  it("announces no encryption to who has none", async () => {
    const { negotiated, cipher } = await negotiate({ dialects: [Dialect.SMB_3_0_2], capabilities: 0 });
    expect(negotiated?.response.capabilities).toBe((negotiated?.response.capabilities ?? 0) & ~0x48);
    expect(cipher).toBeUndefined();
  });

  describe("contexts of 3.1.1", () => {
    it("needs exactly one of preauthentication integrity", async () => {
      expect(await with311([])).toBe("STATUS_INVALID_PARAMETER");
      expect(await with311([preauth])).toBe("STATUS_SUCCESS");
      expect(await with311([preauth, preauth])).toBe("STATUS_INVALID_PARAMETER");
    });

    it.each([
      ["encryption", encryptionContext([2])],
      ["signing", signingContext([1])],
      ["compression", compressionContext({ flags: 0, algorithms: [1] })],
    ])("refuses two of %s", async (_, context) => {
      expect(await with311([preauth, context])).toBe("STATUS_SUCCESS");
      expect(await with311([preauth, context, context])).toBe("STATUS_INVALID_PARAMETER");
    });

    it("needs SHA-512", async () => {
      const other = preauthIntegrityContext({ hashAlgorithms: [2, 3], salt: Buffer.alloc(1) });
      expect(await with311([other])).toBe("STATUS_SMB_NO_PREAUTH_INTEGRITY_HASH_OVERLAP");
    });

    it.each([
      ["hash algorithms", [preauthIntegrityContext({ hashAlgorithms: [], salt: Buffer.alloc(1) })]],
      ["ciphers", [preauth, encryptionContext([])]],
      ["signing algorithms", [preauth, signingContext([])]],
    ])("refuses an empty list of %s", async (_, contexts) => {
      expect(await with311(contexts)).toBe("STATUS_INVALID_PARAMETER");
    });

    it("refuses contexts whose data are cut short", async () => {
      const cut = { type: NegotiateContextType.PREAUTH_INTEGRITY_CAPABILITIES, data: preauth.data.subarray(0, 5) };
      expect(await with311([cut])).toBe("STATUS_INVALID_PARAMETER");
      const ciphers = { type: NegotiateContextType.ENCRYPTION_CAPABILITIES, data: Buffer.from([9, 0, 1, 0]) };
      expect(await with311([preauth, ciphers])).toBe("STATUS_INVALID_PARAMETER");
    });

    it("ignores contexts that it does not know", async () => {
      const unknown = { type: 0x4242, data: Buffer.from("?") };
      expect(await with311([unknown, preauth, unknown])).toBe("STATUS_SUCCESS");
    });

    it("ignores contexts where 3.1.1 is not chosen", async () => {
      const options: NegotiateOptions = { dialects: ALL_DIALECTS, contexts: [] };
      expect((await negotiate(options, { maxDialect: 0x0302 })).dialect).toBe(Dialect.SMB_3_0_2);
    });

    it("chooses cipher and signing algorithm by the server's preference", async () => {
      const both: NegotiateOptions = {
        ciphers: [CipherId.AES_256_CCM, CipherId.AES_128_GCM],
        signingAlgorithms: [1, 2],
      };
      const first = await negotiate(both, {
        ciphers: ["aes-128-gcm", "aes-256-ccm"],
        signingAlgorithms: ["aes-gmac", "aes-cmac"],
      });
      expect([first.cipher, first.signingAlgorithm]).toEqual([CipherId.AES_128_GCM, SigningAlgorithm.AES_GMAC]);
      const second = await negotiate(both, {
        ciphers: ["aes-256-ccm", "aes-128-gcm"],
        signingAlgorithms: ["aes-cmac", "aes-gmac"],
      });
      expect([second.cipher, second.signingAlgorithm]).toEqual([CipherId.AES_256_CCM, SigningAlgorithm.AES_CMAC]);
    });

    it("answers with cipher 0 where there is none in common", async () => {
      const connection = await negotiate({ ciphers: [CipherId.AES_256_CCM] }, { ciphers: ["aes-128-gcm"] });
      const answer = connection.negotiated?.response.contexts.find(
        ({ type }) => type === NegotiateContextType.ENCRYPTION_CAPABILITIES,
      );
      expect(answer?.data).toEqual(Buffer.from([1, 0, 0, 0]));
      expect(connection.cipher).toBeUndefined();
    });

    it("signs with AES-CMAC where nothing was negotiated", async () => {
      const connection = await negotiate({ signingAlgorithms: [] });
      expect(connection.signingAlgorithm).toBe(SigningAlgorithm.AES_CMAC);
      const types = connection.negotiated?.response.contexts.map(({ type }) => type);
      expect(types).toEqual([
        NegotiateContextType.PREAUTH_INTEGRITY_CAPABILITIES,
        NegotiateContextType.ENCRYPTION_CAPABILITIES,
      ]);
    });
  });

  describe("by SMB1", () => {
    function smb1(...dialects: string[]): Buffer {
      const writer = new Writer();
      encodeSmb1NegotiateRequest(writer, { dialects });
      return writer.view();
    }

    async function answerTo(message: Buffer, protocol: Partial<ProtocolOptions> = {}) {
      const harness = await ServerHarness.start({ protocol });
      const connection = harness.open();
      const frames: Buffer[] = [];
      connection.onFrame = (frame) => {
        frames.push(frame);
      };
      // The answer has message id 0, which the client has not used in SMB2 terms.
      connection.nextMessageId = 1n;
      connection.toleratesUnknown = true;
      connection.sendFrame(message);
      await settle();
      const response = frames[0] === undefined ? undefined : decodeNegotiateResponse(new Reader(frames[0], 64));
      return { connection, response, dialect: response?.dialect };
    }

    it.each([
      ["the wildcard of 2.1 and later", ["NT LM 0.12", "SMB 2.002", "SMB 2.???"], {}, Dialect.WILDCARD],
      ["2.0.2", ["NT LM 0.12", "SMB 2.002"], {}, Dialect.SMB_2_0_2],
      [
        "2.0.2 where it is the greatest",
        ["SMB 2.???", "SMB 2.002"],
        { maxDialect: 0x0202 as const },
        Dialect.SMB_2_0_2,
      ],
      ["nothing to clients of SMB1 alone", ["NT LM 0.12"], {}, undefined],
      ["nothing where 2.0.2 is not allowed", ["SMB 2.002"], { minDialect: 0x0210 as const }, undefined],
    ])("answers %s", async (_, dialects, protocol, expected) => {
      const { connection, dialect } = await answerTo(smb1(...dialects), protocol);
      expect(dialect).toBe(expected);
      if (expected === undefined) expect(connection.isClosed).toBe(true);
    });

    it("announces large requests and leases with the wildcard, and nothing with 2.0.2", async () => {
      const wildcard = (await answerTo(smb1("SMB 2.???"))).response;
      expect(wildcard?.capabilities).toBe(GlobalCapability.LARGE_MTU | GlobalCapability.LEASING);
      expect(wildcard?.maxReadSize).toBe(8 << 20);
      const old = (await answerTo(smb1("SMB 2.002"))).response;
      expect(old).toMatchObject({ capabilities: 0, maxReadSize: 65_536 });
    });

    it("is followed by nothing but a NEGOTIATE where it ended with the wildcard", async () => {
      const { connection } = await answerTo(smb1("SMB 2.???"));
      await expect(new LogOn(connection, alice).step()).rejects.toThrow("closed");
      const { connection: second } = await answerTo(smb1("SMB 2.???"));
      expect((await second.negotiate()).dialect).toBe(Dialect.SMB_3_1_1);
    });

    it("ends the connection where it comes a second time or is cut short", async () => {
      const { connection } = await answerTo(smb1("SMB 2.???"));
      connection.sendFrame(smb1("SMB 2.???"));
      await connection.closed;
      for (let length = 4; length < 40; length += 7) {
        expect((await answerTo(smb1("SMB 2.???").subarray(0, length))).connection.isClosed).toBe(true);
      }
    });

    it("ends the connection for another SMB1 command", async () => {
      const message = smb1("SMB 2.???");
      message[4] = 0x73;
      expect((await answerTo(message)).connection.isClosed).toBe(true);
    });
  });
});

describe("FSCTL_VALIDATE_NEGOTIATE_INFO", () => {
  const dialects = [Dialect.SMB_2_1, Dialect.SMB_3_0, Dialect.SMB_3_0_2];

  async function validate(
    change: Partial<ValidateNegotiateInfoRequest>,
    { offered = dialects as readonly number[], maxOutputResponse = 24 } = {},
  ) {
    const harness = await ServerHarness.start();
    const connection = await harness.connect({ dialects: offered });
    const session = await logOn(connection, alice, { sign: true });
    const tree = await session.treeConnect("data");
    const sent = connection.negotiated?.request;
    if (sent === undefined) throw new Error("nothing was negotiated");
    const writer = new Writer();
    encodeValidateNegotiateInfoRequest(writer, {
      capabilities: sent.capabilities,
      guid: sent.clientGuid,
      securityMode: sent.securityMode,
      dialects: sent.dialects,
      ...change,
    });
    const ioctl = { input: writer.view(), maxOutputResponse };
    return { connection, answer: tree.exchange(requests.ioctl(Fsctl.VALIDATE_NEGOTIATE_INFO, NO_FILE_ID, ioctl)) };
  }

  it("confirms what was negotiated", async () => {
    const { answer, connection } = await validate({});
    const { reader, status } = await answer;
    expect(statusName(status)).toBe("STATUS_SUCCESS");
    const output = reader.at(64 + 48, 24);
    expect(output.readUInt32LE(0)).toBe(connection.negotiated?.response.capabilities);
    expect(output.readUInt16LE(22)).toBe(Dialect.SMB_3_0_2);
  });

  it.each<[string, Partial<ValidateNegotiateInfoRequest>]>([
    ["other capabilities", { capabilities: 0 }],
    ["another client", { guid: Buffer.alloc(16, 9) }],
    ["another security mode", { securityMode: 3 }],
    ["a greater dialect that the server would have chosen", { dialects: [...dialects, Dialect.SMB_3_1_1] }],
    ["a smaller dialect", { dialects: [Dialect.SMB_2_1] }],
    ["a list that differs, with the same greatest dialect", { dialects: [Dialect.SMB_3_0_2] }],
    ["no dialect", { dialects: [] }],
  ])("ends the connection for %s", async (_, change) => {
    const { answer } = await validate(change);
    await expect(answer).rejects.toThrow("closed");
  });

  it("ends the connection where the answer has no room", async () => {
    const { answer } = await validate({}, { maxOutputResponse: 23 });
    await expect(answer).rejects.toThrow("closed");
  });

  it("ends the connection in 3.1.1, which has no use for it, whatever it says", async () => {
    const { answer } = await validate({}, { offered: [Dialect.SMB_3_1_1] });
    await expect(answer).rejects.toThrow("closed");
    const tree = await (await ServerHarness.start()).mount();
    await expect(tree.ioctl(Fsctl.VALIDATE_NEGOTIATE_INFO, { maxOutputResponse: 24 })).rejects.toThrow("closed");
  });

  it("is refused where it is cut short", async () => {
    const tree = await (await ServerHarness.start()).mount("data", { negotiate: { dialects } });
    const cut = tree.ioctl(Fsctl.VALIDATE_NEGOTIATE_INFO, { input: Buffer.alloc(23), maxOutputResponse: 24 });
    expect(await statusOf(cut)).toBe("STATUS_INVALID_PARAMETER");
  });
});
