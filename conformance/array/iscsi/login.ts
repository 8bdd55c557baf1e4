// SPDX-License-Identifier: Apache-2.0
/** The login phase of one connection, the target's side (RFC 7143 6.3 and 11.12, 11.13). */
import { ChapExchange, type ChapOptions } from "./chap.ts";
import { type IscsiOptions, Negotiation, type Parameters } from "./parameters.ts";
import {
  ConnectionError,
  cmdSN,
  continueBit,
  finalBit,
  initiatorTaskTag,
  isContinued,
  newHeader,
  Opcode,
  type Pdu,
} from "./pdu.ts";
import { decodeText, encodeText, maxTextBytes } from "./text.ts";

/** RFC 7143 11.13.5: class in the high byte, detail in the low one. */
export const LoginStatus = {
  SUCCESS: 0x0000,
  INITIATOR_ERROR: 0x0200,
  AUTHENTICATION_FAILURE: 0x0201,
  TARGET_NOT_FOUND: 0x0203,
  TARGET_REMOVED: 0x0204,
  UNSUPPORTED_VERSION: 0x0205,
  TOO_MANY_CONNECTIONS: 0x0206,
  MISSING_PARAMETER: 0x0207,
  SESSION_TYPE_NOT_SUPPORTED: 0x0209,
  SESSION_DOES_NOT_EXIST: 0x020a,
  INVALID_DURING_LOGIN: 0x020b,
  OUT_OF_RESOURCES: 0x0302,
} as const;

const Stage = { SECURITY: 0, OPERATIONAL: 1, FULL_FEATURE: 3 } as const;

/** Who logs in, and where to: known after the first request. */
export interface LoginIdentity {
  readonly discovery: boolean;
  readonly initiatorName: string;
  readonly initiatorAlias: string;
  /** Undefined in a discovery session. */
  readonly targetName: string | undefined;
  /** Six bytes. */
  readonly isid: Buffer;
  /** 0 for a new session. */
  readonly tsih: number;
  readonly connectionId: number;
  /** The first command of the full feature phase carries it. */
  readonly cmdSN: number;
  readonly parameters: Parameters;
}

/** What the login needs of the array. */
export interface LoginHost {
  readonly options: IscsiOptions;
  /** The portal group that the connection came in through. */
  readonly portalGroup: number;
  /** Whether the target exists and may be reached here, and who may log in; a status refuses. */
  admit(targetName: string | undefined): { chap: ChapOptions | undefined; alias: string | undefined } | number;
  /** Enters the session; gives its TSIH, or a status that refuses. */
  establish(identity: LoginIdentity): { tsih: number } | { refused: number };
}

export interface LoginAnswer {
  readonly header: Buffer;
  readonly data: Buffer;
  /** Set with the answer that ends the login well. */
  readonly established?: LoginIdentity;
  /** True with an answer that refuses: the connection ends after it. */
  readonly refused: boolean;
}

export class LoginPhase {
  readonly #host: LoginHost;
  #stage: number = Stage.SECURITY;
  #text: Buffer[] = [];
  #textBytes = 0;
  #statSN = 1;
  #identity: LoginIdentity | undefined;
  #negotiation: Negotiation | undefined;
  #chap: ChapExchange | undefined;
  #authenticated = false;
  #chapChosen = false;
  #portalGroupSent = false;
  #limitsSent = false;

  constructor(host: LoginHost) {
    this.#host = host;
  }

  /** The StatSN of the first response after the login. */
  get statSN(): number {
    return this.#statSN;
  }

  handle(pdu: Pdu): LoginAnswer {
    const { header } = pdu;
    this.#textBytes += pdu.data.length;
    if (this.#textBytes > maxTextBytes) throw new ConnectionError("login text too long");
    this.#text.push(Buffer.from(pdu.data));
    // The rest of the keys is asked for with an empty response.
    if (isContinued(header)) return this.#answer(header, [], false, this.#identity?.tsih ?? header.readUInt16BE(14));
    const keys = decodeText(Buffer.concat(this.#text));
    this.#text = [];
    this.#textBytes = 0;
    const flags = header.readUInt8(1);
    const current = (flags >> 2) & 3;
    if (this.#identity === undefined) {
      const refused = this.#begin(header, keys, current);
      if (refused !== LoginStatus.SUCCESS) return this.#refuse(header, refused);
    } else if (current !== this.#stage) return this.#refuse(header, LoginStatus.INITIATOR_ERROR);
    const wantsTransit = (flags & finalBit) !== 0;
    const next = flags & 3;
    if (wantsTransit && (next <= current || next === 2)) return this.#refuse(header, LoginStatus.INITIATOR_ERROR);
    return this.#stage === Stage.SECURITY
      ? this.#security(header, keys, wantsTransit, next)
      : this.#operational(header, keys, wantsTransit);
  }

  /** The leading request: versions, names, whether the target lets this initiator try. */
  #begin(header: Buffer, keys: ReadonlyMap<string, string>, stage: number): number {
    if (header.readUInt8(3) > 0) return LoginStatus.UNSUPPORTED_VERSION;
    const initiatorName = keys.get("InitiatorName") ?? "";
    if (initiatorName === "" || initiatorName.length > 223) return LoginStatus.MISSING_PARAMETER;
    const type = keys.get("SessionType") ?? "Normal";
    if (type !== "Normal" && type !== "Discovery") return LoginStatus.SESSION_TYPE_NOT_SUPPORTED;
    const discovery = type === "Discovery";
    const targetName = keys.get("TargetName");
    if (!discovery && targetName === undefined) return LoginStatus.MISSING_PARAMETER;
    const admission = this.#host.admit(discovery ? undefined : targetName);
    if (typeof admission === "number") return admission;
    this.#negotiation = new Negotiation(this.#host.options, discovery);
    this.#identity = {
      discovery,
      initiatorName,
      initiatorAlias: keys.get("InitiatorAlias") ?? "",
      targetName: discovery ? undefined : targetName,
      isid: Buffer.from(header.subarray(8, 14)),
      tsih: header.readUInt16BE(14),
      connectionId: header.readUInt16BE(20),
      cmdSN: cmdSN(header),
      parameters: this.#negotiation.parameters,
    };
    if (admission.chap !== undefined) this.#chap = new ChapExchange(admission.chap);
    this.#stage = stage;
    if (stage !== Stage.SECURITY && stage !== Stage.OPERATIONAL) return LoginStatus.INITIATOR_ERROR;
    // Who leaves out the security stage has not proved anything.
    if (stage === Stage.OPERATIONAL && this.#chap !== undefined) return LoginStatus.AUTHENTICATION_FAILURE;
    return LoginStatus.SUCCESS;
  }

  #security(header: Buffer, keys: ReadonlyMap<string, string>, wantsTransit: boolean, next: number): LoginAnswer {
    const replies: [string, string][] = [];
    const chapKeys = new Map<string, string>();
    for (const [key, value] of keys) {
      if (key === "AuthMethod") {
        const wanted = this.#chap === undefined ? "None" : "CHAP";
        if (!value.split(",").includes(wanted)) return this.#refuse(header, LoginStatus.AUTHENTICATION_FAILURE);
        this.#chapChosen = wanted === "CHAP";
        replies.push([key, wanted]);
      } else if (key.startsWith("CHAP_")) chapKeys.set(key, value);
      else this.#negotiate(key, value, replies);
    }
    if (this.#chap === undefined) this.#authenticated = chapKeys.size === 0;
    else if (!this.#authenticated && (this.#chapChosen || chapKeys.size > 0)) {
      const step = this.#chapChosen ? this.#chap.step(chapKeys) : "refused";
      if (step === "refused") return this.#refuse(header, LoginStatus.AUTHENTICATION_FAILURE);
      replies.push(...step.keys);
      this.#authenticated = step.done;
    }
    if (!wantsTransit || !this.#authenticated) {
      // Asked to go on without having proved anything: the initiator does not know CHAP, or does not want to.
      if (wantsTransit && !this.#chapChosen) return this.#refuse(header, LoginStatus.AUTHENTICATION_FAILURE);
      return this.#answer(header, replies, false, this.#tsih());
    }
    if (next === Stage.FULL_FEATURE) return this.#finish(header, replies);
    this.#stage = next;
    return this.#answer(header, replies, true, this.#tsih());
  }

  #operational(header: Buffer, keys: ReadonlyMap<string, string>, wantsTransit: boolean): LoginAnswer {
    const replies: [string, string][] = [];
    for (const [key, value] of keys) this.#negotiate(key, value, replies);
    if (!this.#limitsSent) {
      this.#limitsSent = true;
      replies.push(["MaxRecvDataSegmentLength", String(this.#host.options.maxRecvDataSegmentLength)]);
    }
    replies.push(...(this.#negotiation?.offers() ?? []));
    if (!wantsTransit || this.#negotiation?.pending === true) {
      return this.#answer(header, replies, false, this.#tsih());
    }
    return this.#finish(header, replies);
  }

  #negotiate(key: string, value: string, replies: [string, string][]): void {
    const reply = this.#negotiation?.answer(key, value);
    if (reply !== undefined) replies.push([key, reply]);
  }

  #finish(header: Buffer, replies: [string, string][]): LoginAnswer {
    const identity = this.#identity;
    if (identity === undefined) throw new Error("a login ends before it began");
    const session = this.#host.establish(identity);
    if ("refused" in session) return this.#refuse(header, session.refused);
    this.#stage = Stage.FULL_FEATURE;
    return { ...this.#answer(header, replies, true, session.tsih), established: identity };
  }

  #tsih(): number {
    return this.#identity?.tsih ?? 0;
  }

  #answer(header: Buffer, replies: [string, string][], transit: boolean, tsih: number): LoginAnswer {
    if (!this.#portalGroupSent && this.#identity !== undefined && !this.#identity.discovery) {
      this.#portalGroupSent = true;
      replies.unshift(["TargetPortalGroupTag", String(this.#host.portalGroup)]);
    }
    const stages = header.readUInt8(1) & (transit ? 0x0f : 0x0c);
    const response = this.#response(header, stages | (transit ? finalBit : 0), tsih);
    response.writeUInt32BE(this.#statSN, 24);
    this.#statSN += 1;
    return { header: response, data: encodeText(replies), refused: false };
  }

  #refuse(header: Buffer, status: number): LoginAnswer {
    const response = this.#response(header, header.readUInt8(1) & 0x0c & ~continueBit, header.readUInt16BE(14));
    response.writeUInt16BE(status, 36);
    return { header: response, data: Buffer.alloc(0), refused: true };
  }

  #response(header: Buffer, flags: number, tsih: number): Buffer {
    const response = newHeader(Opcode.LOGIN_RESPONSE, flags, initiatorTaskTag(header));
    header.copy(response, 8, 8, 14);
    response.writeUInt16BE(tsih, 14);
    const expected = cmdSN(header);
    response.writeUInt32BE(expected, 28);
    response.writeUInt32BE(expected, 32);
    return response;
  }
}
