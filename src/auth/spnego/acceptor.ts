// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../nt/status.ts";
import type { ExchangeOptions } from "../auth.ts";
import type { Mechanism, MechanismExchange, MechanismResult, MechanismStep } from "../mechanism.ts";
import { decodeSpnego, encodeResponse, type InitToken, NegState, type ResponseToken } from "./tokens.ts";

/** What the negotiation has come to. */
interface Chosen {
  readonly exchange: MechanismExchange;
  /** The identifier under which the client asked for the mechanism. */
  readonly oid: string;
  readonly mechTypeList: Buffer;
  /** The client preferred another mechanism, so only a MIC shows that its list was not tampered with. */
  readonly micRequired: boolean;
}

/** SPNEGO on the side of the server (RFC 4178, MS-SPNG 3.2): chooses a mechanism, then carries its tokens. */
export class SpnegoExchange implements MechanismExchange {
  readonly #mechanisms: readonly Mechanism[];
  readonly #options: ExchangeOptions;
  #chosen: Chosen | undefined;
  #named = false;

  constructor(mechanisms: readonly Mechanism[], options: ExchangeOptions) {
    this.#mechanisms = mechanisms;
    this.#options = options;
  }

  step(token: Buffer): Awaitable<MechanismStep> {
    const message = decodeSpnego(token);
    if (message.kind === "init") {
      if (this.#chosen !== undefined) throw new SmbError(NtStatus.INVALID_PARAMETER, "a second NegTokenInit");
      return this.#init(message.init);
    }
    if (this.#chosen === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER, "NegTokenResp comes first");
    return this.#response(this.#chosen, message.response);
  }

  #init({ mechTypes, mechTypeList, mechToken }: InitToken): Awaitable<MechanismStep> {
    for (const [index, oid] of mechTypes.entries()) {
      const mechanism = this.#mechanisms.find((candidate) => candidate.oids.includes(oid));
      if (mechanism === undefined) continue;
      const chosen: Chosen = {
        exchange: mechanism.begin(this.#options),
        oid,
        mechTypeList,
        micRequired: index > 0,
      };
      this.#chosen = chosen;
      // The optimistic token belongs to the first mechanism of the list (RFC 4178 4.2.1).
      if (index > 0 || mechToken === undefined) {
        return { kind: "continue", token: this.#reply(chosen, { negState: pendingState(chosen) }) };
      }
      return this.#feed(chosen, mechToken, undefined);
    }
    throw new SmbError(NtStatus.NOT_SUPPORTED, "no common mechanism");
  }

  #response(chosen: Chosen, { negState, responseToken, mechListMic }: ResponseToken): Awaitable<MechanismStep> {
    if (negState === NegState.REJECT) throw new SmbError(NtStatus.LOGON_FAILURE, "rejected by the client");
    if (responseToken === undefined) throw new SmbError(NtStatus.INVALID_PARAMETER, "NegTokenResp without a token");
    return this.#feed(chosen, responseToken, mechListMic);
  }

  #feed(chosen: Chosen, token: Buffer, clientMic: Buffer | undefined): Awaitable<MechanismStep> {
    return chain(chosen.exchange.step(token), (step) => {
      if (step.kind === "continue") {
        const reply = { negState: NegState.ACCEPT_INCOMPLETE, responseToken: step.token };
        return { kind: "continue", token: this.#reply(chosen, reply) };
      }
      const mechListMic = checkMic(chosen, step.result, clientMic);
      const reply = { negState: NegState.ACCEPT_COMPLETED, responseToken: step.token, mechListMic };
      return { kind: "done", token: this.#reply(chosen, reply), result: step.result };
    });
  }

  /** The first reply names the mechanism, and no other one does (RFC 4178 4.2.2). */
  #reply(chosen: Chosen, response: ResponseToken): Buffer {
    const supportedMech = this.#named ? undefined : chosen.oid;
    this.#named = true;
    return encodeResponse({ ...response, supportedMech });
  }
}

function pendingState({ micRequired }: Chosen): number {
  return micRequired ? NegState.REQUEST_MIC : NegState.ACCEPT_INCOMPLETE;
}

/**
 * Verifies the client's mechListMIC and returns ours: a MIC is answered with a MIC (RFC 4178 section 5). Contexts
 * without integrity, such as a guest's, have none.
 */
function checkMic(chosen: Chosen, { integrity }: MechanismResult, clientMic: Buffer | undefined): Buffer | undefined {
  if (integrity === undefined) return undefined;
  if (clientMic === undefined) {
    if (chosen.micRequired) throw new SmbError(NtStatus.LOGON_FAILURE, "mechListMIC missing");
    return undefined;
  }
  if (!integrity.verify(chosen.mechTypeList, clientMic)) {
    throw new SmbError(NtStatus.LOGON_FAILURE, "wrong mechListMIC");
  }
  return integrity.sign(chosen.mechTypeList);
}
