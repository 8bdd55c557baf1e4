// SPDX-License-Identifier: Apache-2.0

import { LoginError, ProtocolError, TransportError } from "../errors.ts";
import { ChapExchange, type ChapOptions } from "./chap.ts";
import {
  decodeLoginResponse,
  describeLoginStatus,
  encodeLoginRequest,
  type LoginResponse,
  LoginStage,
  LoginStatusClass,
} from "./login-pdus.ts";
import { Negotiation, offerParameters, type SessionParameters, type SessionWishes } from "./negotiation.ts";
import { nextSerial } from "./serial.ts";
import { decodeText, encodeText, type TextPairs, textValue } from "./text.ts";
import type { Portal } from "./transport.ts";
import { parsePortal } from "./url.ts";

export interface LoginOptions {
  readonly initiatorName: string;
  /** `undefined` for a discovery session. */
  readonly targetName: string | undefined;
  /** 6 bytes: with names and portal group, the identity of the I_T nexus. */
  readonly isid: Buffer;
  readonly chap?: ChapOptions | undefined;
  readonly wishes: SessionWishes;
  readonly randomBytes: (size: number) => Buffer;
}

/** A PDU to send. */
export interface OutgoingLogin {
  readonly bhs: Buffer;
  readonly data: Buffer;
}

/** What a login came to. */
export interface LoginResult {
  readonly parameters: SessionParameters;
  readonly tsih: number;
  /** Of the next command. */
  readonly cmdSn: number;
  /** Of the last command that the target takes at present. */
  readonly maxCmdSn: number;
  readonly expStatSn: number;
}

/** The target sends us to another portal (RFC 7143 11.13.5, status class 1). */
export class LoginRedirect extends TransportError {
  readonly portal: Portal;
  readonly permanent: boolean;

  constructor(portal: Portal, permanent: boolean) {
    super(`the target moved to ${portal.host}:${portal.port}`);
    this.name = "LoginRedirect";
    this.portal = portal;
    this.permanent = permanent;
  }
}

/** Requests in a login: far more than any negotiation of ours takes. */
const MAXIMUM_EXCHANGES = 32;
/** Bytes of text that a target may spread over several responses. */
const MAXIMUM_TEXT = 64 * 1024;
const EMPTY = Buffer.alloc(0);

type Step = "method" | "challenge" | "proof" | "operational" | "done";

/** The login phase of one connection (RFC 7143 6.3): a state machine without I/O. */
export class Login {
  readonly #options: LoginOptions;
  readonly #negotiation: Negotiation;
  readonly #chap: ChapExchange | undefined;
  #step: Step = "method";
  #stage: number = LoginStage.SECURITY_NEGOTIATION;
  #cmdSn: number;
  #expStatSn = 0;
  #exchanges = 0;
  #text: Buffer = EMPTY;
  #operationalOffered = false;

  /** @throws LoginError the settings for CHAP contradict each other */
  constructor(options: LoginOptions) {
    this.#options = options;
    this.#negotiation = new Negotiation(options.wishes);
    this.#chap = options.chap === undefined ? undefined : new ChapExchange(options.chap, options.randomBytes);
    this.#cmdSn = options.randomBytes(4).readUInt32BE(0);
  }

  /** The first request. */
  start(): OutgoingLogin {
    const { initiatorName, targetName, chap } = this.#options;
    const pairs: [string, string][] = [["InitiatorName", initiatorName]];
    if (targetName === undefined) pairs.push(["SessionType", "Discovery"]);
    else pairs.push(["SessionType", "Normal"], ["TargetName", targetName]);
    // A target that has to prove itself gets no chance to do without.
    pairs.push(["AuthMethod", chap === undefined ? "None" : chap.target === undefined ? "CHAP,None" : "CHAP"]);
    return this.#request(pairs, this.#chap === undefined);
  }

  /**
   * Takes a response.
   * @returns the next request, or the result
   * @throws LoginRedirect, LoginError, ProtocolError, TransportError
   */
  receive(bhs: Buffer, data: Buffer): OutgoingLogin | LoginResult {
    const response = decodeLoginResponse(bhs);
    this.#checkStatus(response, data);
    if (this.#exchanges > MAXIMUM_EXCHANGES) throw new ProtocolError("the login does not come to an end");
    if (response.currentStage !== this.#stage) throw new ProtocolError("the target is in another login stage");
    this.#expStatSn = nextSerial(response.statSn);
    this.#text = this.#text.length === 0 ? Buffer.from(data) : Buffer.concat([this.#text, data]);
    if (this.#text.length > MAXIMUM_TEXT) throw new ProtocolError("the target sends too much text in login");
    if (response.continued) {
      if (response.transit) throw new ProtocolError("the target leaves a login stage in the middle of its text");
      return this.#request([], false);
    }
    const pairs = decodeText(this.#text);
    this.#text = EMPTY;
    return this.#stage === LoginStage.SECURITY_NEGOTIATION
      ? this.#security(response, pairs)
      : this.#operational(response, pairs);
  }

  #checkStatus({ statusClass, statusDetail }: LoginResponse, data: Buffer): void {
    if (statusClass === LoginStatusClass.SUCCESS) return;
    if (statusClass === LoginStatusClass.REDIRECTION) {
      const address = textValue(decodeText(data), "TargetAddress");
      const portal = address === undefined ? undefined : parsePortal(address);
      if (portal === undefined) throw new ProtocolError("the target sends us away without an address");
      throw new LoginRedirect(portal, statusDetail === 2);
    }
    const text = describeLoginStatus(statusClass, statusDetail);
    throw statusClass === LoginStatusClass.INITIATOR_ERROR ? new LoginError(text) : new TransportError(text);
  }

  #security(response: LoginResponse, pairs: TextPairs): OutgoingLogin | LoginResult {
    // Names and addresses of the target may come with the security stage.
    const known = pairs.filter(([key]) => key !== "AuthMethod" && !key.startsWith("CHAP_"));
    const answers = this.#negotiation.receive(known);
    const chap = this.#chap;
    if (this.#step === "method") {
      const method = textValue(pairs, "AuthMethod") ?? "None";
      if (method === "CHAP" && chap !== undefined) {
        this.#step = "challenge";
        return this.#request([...answers, ...chap.start()], false);
      }
      if (method !== "None" || this.#options.chap?.target !== undefined) {
        throw new LoginError(
          chap === undefined ? "the target asks for CHAP" : `the target chose AuthMethod=${method.slice(0, 40)}`,
        );
      }
      return this.#leaveSecurity(response, answers);
    }
    if (this.#step === "challenge" && chap !== undefined) {
      this.#step = "proof";
      return this.#request([...answers, ...chap.respond(pairs)], true);
    }
    if (this.#step === "proof" && chap !== undefined) {
      chap.verify(pairs);
      // Proven once; a further response of this stage has nothing to prove.
      this.#step = "operational";
    }
    return this.#leaveSecurity(response, answers);
  }

  #leaveSecurity(response: LoginResponse, answers: TextPairs): OutgoingLogin | LoginResult {
    this.#step = "operational";
    if (!response.transit) return this.#request(answers, true);
    if (response.nextStage !== LoginStage.OPERATIONAL_NEGOTIATION) {
      throw new ProtocolError("the target skips a login stage that was asked for");
    }
    this.#stage = LoginStage.OPERATIONAL_NEGOTIATION;
    return this.#offer(answers);
  }

  #offer(answers: TextPairs): OutgoingLogin {
    this.#operationalOffered = true;
    const offer = offerParameters(this.#options.wishes, this.#options.targetName === undefined);
    this.#negotiation.offer(offer);
    return this.#request([...answers, ...offer], true);
  }

  #operational(response: LoginResponse, pairs: TextPairs): OutgoingLogin | LoginResult {
    const answers = this.#negotiation.receive(pairs);
    if (!this.#operationalOffered) return this.#offer(answers);
    if (!response.transit || answers.length > 0) {
      if (response.transit) throw new ProtocolError("the target ends the login with an offer of its own");
      return this.#request(answers, true);
    }
    if (response.nextStage !== LoginStage.FULL_FEATURE_PHASE) throw new ProtocolError("the target skips a login stage");
    if (response.versionActive !== 0) throw new LoginError("the target speaks another version of iSCSI");
    this.#step = "done";
    return {
      parameters: this.#negotiation.finish(),
      tsih: response.tsih,
      cmdSn: this.#cmdSn,
      maxCmdSn: response.maxCmdSn,
      expStatSn: this.#expStatSn,
    };
  }

  #request(pairs: TextPairs, transit: boolean): OutgoingLogin {
    this.#exchanges++;
    const data = encodeText(pairs);
    const bhs = encodeLoginRequest({
      transit,
      currentStage: this.#stage,
      nextStage:
        this.#stage === LoginStage.SECURITY_NEGOTIATION
          ? LoginStage.OPERATIONAL_NEGOTIATION
          : LoginStage.FULL_FEATURE_PHASE,
      isid: this.#options.isid,
      tsih: 0,
      initiatorTaskTag: 0,
      connectionId: 0,
      // Login requests are immediate: all of them carry the CmdSN of the first command to come.
      cmdSn: this.#cmdSn,
      expStatSn: this.#expStatSn,
      dataSegmentLength: data.length,
    });
    return { bhs, data };
  }
}

export const isLoginResult = (step: OutgoingLogin | LoginResult): step is LoginResult => "parameters" in step;
