// SPDX-License-Identifier: Apache-2.0

import { LoginError, ProtocolError } from "../errors.ts";
import { parseTextNumber, type TextPairs } from "./text.ts";

export type DigestPolicy = "none" | "prefer" | "require";

/** What we would like of a session; sizes are bytes. */
export interface SessionWishes {
  readonly headerDigest: DigestPolicy;
  readonly dataDigest: DigestPolicy;
  readonly initialR2t: boolean;
  readonly immediateData: boolean;
  /** What we can take in one PDU: 512 to 2^24 - 1. */
  readonly maxRecvDataSegmentLength: number;
  readonly maxBurstLength: number;
  readonly firstBurstLength: number;
  readonly maxOutstandingR2t: number;
}

export const defaultSessionWishes: SessionWishes = {
  headerDigest: "none",
  dataDigest: "none",
  initialR2t: false,
  immediateData: true,
  maxRecvDataSegmentLength: 256 * 1024,
  maxBurstLength: 1024 * 1024,
  firstBurstLength: 256 * 1024,
  maxOutstandingR2t: 8,
};

/** What holds for a session, or, for digests and lengths of segments, for its connection (RFC 7143 13). */
export interface SessionParameters {
  headerDigest: boolean;
  dataDigest: boolean;
  initialR2t: boolean;
  immediateData: boolean;
  /** What the target takes in one PDU. */
  targetMaxRecvDataSegmentLength: number;
  maxBurstLength: number;
  firstBurstLength: number;
  maxOutstandingR2t: number;
  /** Seconds. */
  defaultTime2Wait: number;
  defaultTime2Retain: number;
  targetPortalGroupTag: number | undefined;
  targetAlias: string | undefined;
}

/** The values before anything is negotiated (RFC 7143 13). */
export function initialParameters(): SessionParameters {
  return {
    headerDigest: false,
    dataDigest: false,
    initialR2t: true,
    immediateData: true,
    targetMaxRecvDataSegmentLength: 8192,
    maxBurstLength: 262144,
    firstBurstLength: 65536,
    maxOutstandingR2t: 1,
    defaultTime2Wait: 2,
    defaultTime2Retain: 20,
    targetPortalGroupTag: undefined,
    targetAlias: undefined,
  };
}

const MAXIMUM_LENGTH = 0xffffff;
const digestOffer: Readonly<Record<DigestPolicy, string>> = { none: "None", prefer: "CRC32C,None", require: "CRC32C" };
const yesNo = (value: boolean) => (value ? "Yes" : "No");

/** The keys of the operational stage that a discovery session has, too. */
function commonOffer(wishes: SessionWishes): TextPairs {
  return [
    ["HeaderDigest", digestOffer[wishes.headerDigest]],
    ["DataDigest", digestOffer[wishes.dataDigest]],
    ["MaxRecvDataSegmentLength", String(wishes.maxRecvDataSegmentLength)],
    ["DefaultTime2Wait", "2"],
    // Nothing is recovered: at error recovery level 0 a session that is lost is made anew.
    ["DefaultTime2Retain", "0"],
    ["ErrorRecoveryLevel", "0"],
  ];
}

/** What we offer in the operational stage. */
export function offerParameters(wishes: SessionWishes, discovery: boolean): TextPairs {
  if (discovery) return commonOffer(wishes);
  return [
    ...commonOffer(wishes),
    ["MaxConnections", "1"],
    ["InitialR2T", yesNo(wishes.initialR2t)],
    ["ImmediateData", yesNo(wishes.immediateData)],
    ["MaxBurstLength", String(wishes.maxBurstLength)],
    ["FirstBurstLength", String(Math.min(wishes.firstBurstLength, wishes.maxBurstLength))],
    ["MaxOutstandingR2T", String(wishes.maxOutstandingR2t)],
    ["DataPDUInOrder", "Yes"],
    ["DataSequenceInOrder", "Yes"],
  ];
}

type Rule = (parameters: SessionParameters, wishes: SessionWishes, value: string) => void;

function parseBoolean(key: string, value: string): boolean {
  if (value !== "Yes" && value !== "No") throw new ProtocolError(`${key}=${value.slice(0, 40)} is not valid`);
  return value === "Yes";
}

function digestRule(key: "HeaderDigest" | "DataDigest", wish: "headerDigest" | "dataDigest"): Rule {
  return (parameters, wishes, value) => {
    if (!digestOffer[wishes[wish]].split(",").includes(value)) {
      throw new LoginError(`the target answers ${key}=${value.slice(0, 40)} where the settings say "${wishes[wish]}"`);
    }
    parameters[wish] = value === "CRC32C";
  };
}

/** The target's answer is the result, and not more than we asked for. */
function atMost(
  key: string,
  minimum: number,
  field: "maxBurstLength" | "firstBurstLength" | "maxOutstandingR2t",
): Rule {
  return (parameters, wishes, value) => {
    parameters[field] = Math.min(parseTextNumber(key, value, minimum, MAXIMUM_LENGTH), wishes[field]);
  };
}

/** A key that can have one value only between us and any target. */
function fixed(key: string, expected: string): Rule {
  return (_parameters, _wishes, value) => {
    if (value !== expected) throw new LoginError(`the target asks for ${key}=${value.slice(0, 40)}`);
  };
}

const rules = new Map<string, Rule>([
  ["HeaderDigest", digestRule("HeaderDigest", "headerDigest")],
  ["DataDigest", digestRule("DataDigest", "dataDigest")],
  [
    "InitialR2T",
    (parameters, wishes, value) => {
      parameters.initialR2t = wishes.initialR2t || parseBoolean("InitialR2T", value);
    },
  ],
  [
    "ImmediateData",
    (parameters, wishes, value) => {
      parameters.immediateData = wishes.immediateData && parseBoolean("ImmediateData", value);
    },
  ],
  [
    "MaxRecvDataSegmentLength",
    (parameters, _wishes, value) => {
      parameters.targetMaxRecvDataSegmentLength = parseTextNumber(
        "MaxRecvDataSegmentLength",
        value,
        512,
        MAXIMUM_LENGTH,
      );
    },
  ],
  ["MaxBurstLength", atMost("MaxBurstLength", 512, "maxBurstLength")],
  ["FirstBurstLength", atMost("FirstBurstLength", 512, "firstBurstLength")],
  ["MaxOutstandingR2T", atMost("MaxOutstandingR2T", 1, "maxOutstandingR2t")],
  [
    "DefaultTime2Wait",
    (parameters, _wishes, value) => {
      parameters.defaultTime2Wait = parseTextNumber("DefaultTime2Wait", value, 0, 3600);
    },
  ],
  [
    "DefaultTime2Retain",
    (parameters, _wishes, value) => {
      parameters.defaultTime2Retain = parseTextNumber("DefaultTime2Retain", value, 0, 3600);
    },
  ],
  ["ErrorRecoveryLevel", fixed("ErrorRecoveryLevel", "0")],
  ["MaxConnections", fixed("MaxConnections", "1")],
  ["DataPDUInOrder", fixed("DataPDUInOrder", "Yes")],
  ["DataSequenceInOrder", fixed("DataSequenceInOrder", "Yes")],
  [
    "TargetPortalGroupTag",
    (parameters, _wishes, value) => {
      parameters.targetPortalGroupTag = parseTextNumber("TargetPortalGroupTag", value, 0, 65535);
    },
  ],
  [
    "TargetAlias",
    (parameters, _wishes, value) => {
      parameters.targetAlias = value.slice(0, 255);
    },
  ],
  // Where the login goes on is decided by the status of the response.
  ["TargetAddress", () => undefined],
]);

/** Keys that the target states, to which no answer is given. */
const declarative = new Set(["MaxRecvDataSegmentLength", "TargetPortalGroupTag", "TargetAlias", "TargetAddress"]);
/** Answers that leave a key at its default. */
const refusals = new Set(["Irrelevant", "NotUnderstood", "Reject"]);

/** Applies what a target says in login, pair by pair. */
export class Negotiation {
  readonly parameters = initialParameters();
  readonly #wishes: SessionWishes;
  readonly #offered = new Set<string>();
  readonly #seen = new Set<string>();

  constructor(wishes: SessionWishes) {
    this.#wishes = wishes;
  }

  /** Notes what was offered, so that answers are told from offers. */
  offer(pairs: TextPairs): void {
    for (const [key] of pairs) this.#offered.add(key);
  }

  /**
   * @returns our answers to what the target offered by itself
   * @throws ProtocolError, LoginError
   */
  receive(pairs: TextPairs): TextPairs {
    const answers: [string, string][] = [];
    for (const [key, value] of pairs) {
      const rule = rules.get(key);
      if (rule === undefined) {
        // What a target did not understand needs no word from us, and what we do not understand gets one.
        if (!this.#offered.has(key) && !refusals.has(value)) answers.push([key, "NotUnderstood"]);
        continue;
      }
      if (this.#seen.has(key)) throw new ProtocolError(`the target sent ${key} more than once`);
      this.#seen.add(key);
      if (refusals.has(value)) {
        this.#refused(key);
        continue;
      }
      rule(this.parameters, this.#wishes, value);
      if (!this.#offered.has(key) && !declarative.has(key)) answers.push([key, this.#answer(key, value)]);
    }
    return answers;
  }

  /** Our answer to a key that the target offered first. */
  #answer(key: string, value: string): string {
    const { parameters } = this;
    if (key === "InitialR2T") return yesNo(parameters.initialR2t);
    if (key === "ImmediateData") return yesNo(parameters.immediateData);
    if (key === "MaxBurstLength") return String(parameters.maxBurstLength);
    if (key === "FirstBurstLength") return String(parameters.firstBurstLength);
    if (key === "MaxOutstandingR2T") return String(parameters.maxOutstandingR2t);
    return value;
  }

  #refused(key: string): void {
    const { headerDigest, dataDigest } = this.#wishes;
    if ((key === "HeaderDigest" && headerDigest === "require") || (key === "DataDigest" && dataDigest === "require")) {
      throw new LoginError(`the target refuses ${key}, which the settings require`);
    }
  }

  /** The result: what was refused, or never spoken of, stays at its default. */
  finish(): SessionParameters {
    const { parameters } = this;
    parameters.firstBurstLength = Math.min(parameters.firstBurstLength, parameters.maxBurstLength);
    return parameters;
  }
}
