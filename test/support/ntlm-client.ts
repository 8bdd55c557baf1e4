// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from "node:crypto";
import { ntHashOfPassword } from "../../src/auth/nt-hash.ts";
import { AvId, type AvPair, decodeAvPairs, encodeAvPairs } from "../../src/auth/ntlm/av-pairs.ts";
import { NtlmFlag } from "../../src/auth/ntlm/flags.ts";
import { hmacMd5, ntowfV2, ntProof, rc4k, sessionBaseKey } from "../../src/auth/ntlm/ntlmv2.ts";
import { firstSignature } from "../../src/auth/ntlm/session-security.ts";
import { decodeSpnego, encodeInit, encodeMechTypeList, encodeResponse } from "../../src/auth/spnego/tokens.ts";
import { foldName } from "../../src/nt/names.ts";

export const oid = {
  msKerberos: "1.2.840.48018.1.2.2",
  kerberos: "1.2.840.113554.1.2.2",
  negoex: "1.3.6.1.4.1.311.2.2.30",
  ntlmssp: "1.3.6.1.4.1.311.2.2.10",
} as const;

/** What Windows asks for. */
export const DEFAULT_FLAGS: number =
  (NtlmFlag.UNICODE |
    NtlmFlag.REQUEST_TARGET |
    NtlmFlag.SIGN |
    NtlmFlag.NTLM |
    NtlmFlag.ALWAYS_SIGN |
    NtlmFlag.EXTENDED_SESSIONSECURITY |
    NtlmFlag.VERSION |
    NtlmFlag.KEY_128 |
    NtlmFlag.KEY_EXCH |
    NtlmFlag.KEY_56) >>>
  0;

export interface NtlmClientOptions {
  /** Empty, with an empty password: anonymous. */
  readonly userName: string;
  readonly password: string;
  /** Sent in the AUTHENTICATE_MESSAGE. */
  readonly domainName?: string;
  /** Goes into the response key instead of `domainName`: some clients hash another form than they send. */
  readonly hashedDomain?: string;
  readonly workstation?: string;
  /** `false`: NTLMSSP without SPNEGO. */
  readonly spnego?: boolean;
  /** In order of preference; NTLMSSP alone if left out. */
  readonly mechTypes?: readonly string[];
  readonly flags?: number;
  /** `false`: no MIC in the AUTHENTICATE_MESSAGE. */
  readonly mic?: boolean;
  /** `false`: no mechListMIC. */
  readonly mechListMic?: boolean;
  /** A change to the AUTHENTICATE_MESSAGE after it was built. */
  readonly tamper?: (message: Buffer) => void;
  /** Another NtChallengeResponse in place of the right one. */
  readonly ntResponse?: Buffer;
}

const AUTHENTICATE_HEADER = 88;
const MIC_OFFSET = 72;

/** The client's side of NTLMv2 in SPNEGO, for tests of servers. */
export class NtlmClient {
  readonly #options: NtlmClientOptions;
  readonly #mechTypes: readonly string[];
  #negotiate: Buffer = Buffer.alloc(0);
  #flags = 0;
  #stage: "negotiate" | "challenge" | "finish" | "done" = "negotiate";
  /** ExportedSessionKey, once the AUTHENTICATE_MESSAGE is built. */
  sessionKey: Buffer = Buffer.alloc(16);
  /** Whether the server proved its knowledge of the key. */
  serverMicVerified = false;

  constructor(options: NtlmClientOptions) {
    this.#options = options;
    this.#mechTypes = options.mechTypes ?? [oid.ntlmssp];
  }

  get #spnego(): boolean {
    return this.#options.spnego ?? true;
  }

  /** The token of the first SESSION_SETUP request. */
  first(): Buffer {
    if (!this.#spnego) return this.#buildNegotiate();
    if (this.#mechTypes[0] === oid.ntlmssp) return encodeInit(this.#mechTypes, this.#buildNegotiate());
    return encodeInit(this.#mechTypes, Buffer.from("a token of the preferred mechanism"));
  }

  /** The answer to a token of the server; `undefined` after its last one. @throws Error where the server is wrong */
  async next(token: Buffer): Promise<Buffer | undefined> {
    if (!this.#spnego) return this.#stage === "challenge" ? this.#buildAuthenticate(token) : this.#finish(undefined);
    const message = decodeSpnego(token);
    if (message.kind !== "response") throw new Error("the server sent a NegTokenInit");
    const { negState, supportedMech, responseToken, mechListMic } = message.response;
    if (supportedMech !== undefined && supportedMech !== oid.ntlmssp) throw new Error(`mechanism ${supportedMech}`);
    if (this.#stage === "negotiate") {
      if (negState !== 3 && negState !== 1) throw new Error(`negState ${negState} for another mechanism`);
      return encodeResponse({ negState: 1, responseToken: this.#buildNegotiate() });
    }
    if (this.#stage === "finish") {
      if (negState !== 0) throw new Error(`negState ${negState} at the end`);
      return this.#finish(mechListMic);
    }
    if (responseToken === undefined) throw new Error("no CHALLENGE_MESSAGE");
    const authenticate = await this.#buildAuthenticate(responseToken);
    const withMic = (this.#options.mechListMic ?? true) && this.#options.userName !== "";
    const list = encodeMechTypeList(this.#mechTypes);
    return encodeResponse({
      negState: 1,
      responseToken: authenticate,
      mechListMic: withMic ? firstSignature(this.#flags, this.sessionKey, "client", list) : undefined,
    });
  }

  #finish(mechListMic: Buffer | undefined): undefined {
    this.#stage = "done";
    if (mechListMic === undefined) return;
    const list = encodeMechTypeList(this.#mechTypes);
    const expected = firstSignature(this.#flags, this.sessionKey, "server", list);
    if (!expected.equals(mechListMic)) throw new Error("wrong mechListMIC of the server");
    this.serverMicVerified = true;
  }

  #buildNegotiate(): Buffer {
    this.#stage = "challenge";
    const message = Buffer.alloc(40);
    message.write("NTLMSSP\0", "latin1");
    message.writeUInt32LE(1, 8);
    message.writeUInt32LE(this.#options.flags ?? DEFAULT_FLAGS, 12);
    this.#negotiate = message;
    return message;
  }

  async #buildAuthenticate(challenge: Buffer): Promise<Buffer> {
    this.#stage = "finish";
    const { userName, password, domainName = "", hashedDomain = domainName, workstation = "CLIENT" } = this.#options;
    const { mic = true, ntResponse, tamper } = this.#options;
    const anonymous = userName === "" && password === "";
    this.#flags = (challenge.readUInt32LE(20) & (this.#options.flags ?? DEFAULT_FLAGS)) >>> 0;
    const serverChallenge = challenge.subarray(24, 32);
    const infoOffset = challenge.readUInt32LE(44);
    const info = decodeAvPairs(challenge.subarray(infoOffset, infoOffset + challenge.readUInt16LE(40)));

    let response: Buffer = Buffer.alloc(0);
    let baseKey: Buffer = Buffer.alloc(16);
    if (!anonymous) {
      const responseKey = ntowfV2(await ntHashOfPassword(password), userName, hashedDomain);
      const temp = clientChallenge(info, mic);
      const proof = ntProof(responseKey, serverChallenge, temp);
      response = ntResponse ?? Buffer.concat([proof, temp]);
      baseKey = sessionBaseKey(responseKey, proof);
    }
    let encryptedKey: Buffer = Buffer.alloc(0);
    this.sessionKey = baseKey;
    if (this.#flags & NtlmFlag.KEY_EXCH) {
      this.sessionKey = randomBytes(16);
      encryptedKey = rc4k(baseKey, this.sessionKey);
    }

    const text = (value: string): Buffer => Buffer.from(value, this.#flags & NtlmFlag.UNICODE ? "utf16le" : "latin1");
    const fields: readonly (readonly [number, Buffer])[] = [
      [12, anonymous ? Buffer.alloc(1) : Buffer.alloc(24)],
      [20, response],
      [28, text(domainName)],
      [36, text(userName)],
      [44, text(workstation)],
      [52, encryptedKey],
    ];
    const message = Buffer.alloc(AUTHENTICATE_HEADER);
    message.write("NTLMSSP\0", "latin1");
    message.writeUInt32LE(3, 8);
    message.writeUInt32LE(this.#flags, 60);
    const parts: Buffer[] = [message];
    let offset = AUTHENTICATE_HEADER;
    for (const [at, value] of fields) {
      message.writeUInt16LE(value.length, at);
      message.writeUInt16LE(value.length, at + 2);
      message.writeUInt32LE(offset, at + 4);
      parts.push(value);
      offset += value.length;
    }
    const whole = Buffer.concat(parts);
    if (mic && !anonymous) hmacMd5(this.sessionKey, this.#negotiate, challenge, whole).copy(whole, MIC_OFFSET);
    tamper?.(whole);
    return whole;
  }
}

/** NTLMv2_CLIENT_CHALLENGE (MS-NLMP 2.2.2.7). */
function clientChallenge(info: readonly AvPair[], mic: boolean): Buffer {
  const head = Buffer.alloc(28);
  head.writeUInt16LE(0x0101, 0);
  const time = info.find((pair) => pair.id === AvId.TIMESTAMP)?.value;
  time?.copy(head, 8);
  randomBytes(8).copy(head, 16);
  const flags = Buffer.from([2, 0, 0, 0]);
  const pairs = [
    ...info,
    ...(mic ? [{ id: AvId.FLAGS, value: flags }] : []),
    { id: AvId.TARGET_NAME, value: Buffer.from(foldName("cifs/server"), "utf16le") },
    { id: AvId.CHANNEL_BINDINGS, value: Buffer.alloc(16) },
  ];
  return Buffer.concat([head, encodeAvPairs(pairs), Buffer.alloc(4)]);
}
