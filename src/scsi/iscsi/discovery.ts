// SPDX-License-Identifier: Apache-2.0

import type { Timer } from "../clock.ts";
import { ProtocolError, TransportError } from "../errors.ts";
import { FINAL, flagsOf, initiatorTaskTagOf, NO_TAG, Opcode, opcodeOf, targetTransferTagOf } from "./bhs.ts";
import type { ConnectionEvents, IscsiConnection } from "./connection.ts";
import type { LoginResult } from "./login.ts";
import { connect, type InitiatorParts, type OpenOptions } from "./open-session.ts";
import type { DataPlacement } from "./pdu-reader.ts";
import { encodeLogoutRequest, encodeTextRequest, isContinued } from "./session-pdus.ts";
import { decodeText, encodeText, type TextPairs } from "./text.ts";
import type { Portal } from "./transport.ts";
import { parsePortal } from "./url.ts";

export interface DiscoveredTarget {
  readonly name: string;
  /** Where it can be reached; empty where the target said so of no address: then where it was asked. */
  readonly portals: readonly Portal[];
}

/** Bytes of an answer to SendTargets. */
const MAXIMUM_TEXT = 4 * 1024 * 1024;
const TEXT_TAG = 1;
const LOGOUT_TAG = 2;

/** The full feature phase of a discovery session: one question, its answer, logout. */
class SendTargets implements ConnectionEvents {
  readonly text: Promise<TextPairs>;
  readonly #connection: IscsiConnection;
  readonly #cmdSn: number;
  #chunks: Buffer[] = [];
  #length = 0;
  #resolve: (pairs: TextPairs) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  /** Ends the connection with a target that does not say farewell. */
  farewell: Timer | undefined;

  constructor(connection: IscsiConnection, login: LoginResult, question: string) {
    this.#connection = connection;
    this.#cmdSn = login.cmdSn;
    this.text = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.text.catch(() => undefined);
    this.#ask(NO_TAG, encodeText([["SendTargets", question]]));
  }

  header(): DataPlacement | undefined {
    return undefined;
  }

  pdu(bhs: Buffer, data: Buffer): void {
    const opcode = opcodeOf(bhs);
    if (opcode === Opcode.LOGOUT_RESPONSE) {
      this.#connection.fail(new TransportError("logged out"));
    } else if (opcode === Opcode.TEXT_RESPONSE && initiatorTaskTagOf(bhs) === TEXT_TAG) {
      this.#answer(bhs, data);
    } else if (opcode !== Opcode.NOP_IN && opcode !== Opcode.ASYNC_MESSAGE) {
      throw new ProtocolError("the target does not answer SendTargets");
    }
  }

  closed(error: Error): void {
    this.farewell?.cancel();
    this.#reject(error);
  }

  #answer(bhs: Buffer, data: Buffer): void {
    this.#length += data.length;
    if (this.#length > MAXIMUM_TEXT) throw new ProtocolError("the target names too many targets");
    this.#chunks.push(Buffer.from(data));
    const final = (flagsOf(bhs) & FINAL) !== 0 && !isContinued(bhs);
    if (!final) {
      const tag = targetTransferTagOf(bhs);
      // A target that has more to say, but says nothing, would never come to an end.
      if (tag === NO_TAG || data.length === 0) throw new ProtocolError("the answer to SendTargets breaks off");
      this.#ask(tag, Buffer.alloc(0));
      return;
    }
    this.#resolve(decodeText(Buffer.concat(this.#chunks)));
    this.#chunks = [];
    const sequence = { cmdSn: this.#cmdSn, expStatSn: this.#connection.expStatSn };
    this.#connection.send(encodeLogoutRequest(LOGOUT_TAG, sequence));
  }

  #ask(targetTransferTag: number, data: Buffer): void {
    const bhs = encodeTextRequest({
      initiatorTaskTag: TEXT_TAG,
      targetTransferTag,
      final: true,
      dataSegmentLength: data.length,
      cmdSn: this.#cmdSn,
      expStatSn: this.#connection.expStatSn,
    });
    this.#connection.send(bhs, [data], data.length);
  }
}

/** Puts the answer to SendTargets together (RFC 7143 appendix C): each TargetName, followed by its addresses. */
export function readTargets(pairs: TextPairs, asked: Portal): DiscoveredTarget[] {
  const targets = new Map<string, Portal[]>();
  let portals: Portal[] | undefined;
  for (const [key, value] of pairs) {
    if (key === "TargetName") {
      portals = targets.get(value) ?? [];
      targets.set(value, portals);
    } else if (key === "TargetAddress") {
      const portal = parsePortal(value);
      if (portal === undefined || portals === undefined) throw new ProtocolError("a TargetAddress that is none");
      portals.push(portal);
    }
  }
  return [...targets].map(([name, found]) => ({ name, portals: found.length > 0 ? found : [asked] }));
}

/**
 * Asks a portal for targets and where they are to be found (SendTargets).
 * @param targetName one target; all that this initiator may see where it is left out
 * @throws LoginError, TransportError
 */
export async function discoverTargets(
  parts: InitiatorParts,
  portal: Portal,
  options: Omit<OpenOptions, "targetName">,
  targetName?: string,
): Promise<DiscoveredTarget[]> {
  let question: SendTargets | undefined;
  let opened: IscsiConnection | undefined;
  await connect(parts, portal, { ...options, targetName: undefined }, (connection, login) => {
    opened = connection;
    question = new SendTargets(connection, login, targetName ?? "All");
    return question;
  });
  const timer = parts.clock.after(parts.loginTimeout, () => {
    opened?.fail(new TransportError("the target does not answer SendTargets"));
  });
  try {
    return readTargets((await question?.text) ?? [], portal);
  } finally {
    timer.cancel();
    // The target has been told; whether it says farewell does not matter.
    if (question !== undefined && opened?.open === true) {
      const end = () => opened?.fail(new TransportError("logged out"));
      question.farewell = parts.clock.after(parts.times.answerTimeout, end);
    }
  }
}
