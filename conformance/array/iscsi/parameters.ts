// SPDX-License-Identifier: Apache-2.0
/** Operational text keys and their negotiation (RFC 7143 6.2 and 13). */
import { decodeNumber } from "./text.ts";

/** What an array is configured to agree to. */
export interface IscsiOptions {
  /** What is agreed to; the initiator says what it prefers. */
  readonly headerDigest: readonly ("CRC32C" | "None")[];
  readonly dataDigest: readonly ("CRC32C" | "None")[];
  readonly initialR2T: boolean;
  readonly immediateData: boolean;
  /** What we declare: the most bytes that one PDU from the initiator may carry; 512 to 2^24 - 1. */
  readonly maxRecvDataSegmentLength: number;
  /** Bytes of one solicited sequence; 512 to 2^24 - 1. */
  readonly maxBurstLength: number;
  /** Bytes of unsolicited data for one command; 512 to 2^24 - 1. */
  readonly firstBurstLength: number;
  readonly maxOutstandingR2T: number;
  /** Commands of one session that may be outstanding. */
  readonly queueDepth: number;
  /** Seconds between NOP-In pings; 0 sends none. */
  readonly nopInterval: number;
}

export const defaultIscsiOptions: IscsiOptions = {
  headerDigest: ["None", "CRC32C"],
  dataDigest: ["None", "CRC32C"],
  initialR2T: false,
  immediateData: true,
  maxRecvDataSegmentLength: 262_144,
  maxBurstLength: 1_048_576,
  firstBurstLength: 262_144,
  maxOutstandingR2T: 4,
  queueDepth: 64,
  nopInterval: 0,
};

/** What both sides agreed to; begins with the defaults of RFC 7143 13. */
export interface Parameters {
  headerDigest: boolean;
  dataDigest: boolean;
  initialR2T: boolean;
  immediateData: boolean;
  /** The initiator's: the most bytes that one PDU from us may carry. */
  sendDataSegmentLength: number;
  maxBurstLength: number;
  firstBurstLength: number;
  maxOutstandingR2T: number;
  time2Wait: number;
  time2Retain: number;
}

export function defaultParameters(): Parameters {
  return {
    headerDigest: false,
    dataDigest: false,
    initialR2T: true,
    immediateData: true,
    sendDataSegmentLength: 8192,
    maxBurstLength: 262_144,
    firstBurstLength: 65_536,
    maxOutstandingR2T: 1,
    time2Wait: 2,
    time2Retain: 20,
  };
}

const maxSegment = 0xffffff;
const reject = "Reject";
const yesNo = (value: boolean) => (value ? "Yes" : "No");

type Key = (value: string) => string | undefined;

/**
 * One side's view of the negotiation. `answer` takes the keys of the initiator in turn; `offers` gives keys that the
 * initiator did not mention although our configuration is stricter than the default.
 */
export class Negotiation {
  readonly parameters: Parameters = defaultParameters();
  readonly #options: IscsiOptions;
  readonly #discovery: boolean;
  readonly #seen = new Set<string>();
  readonly #offered = new Map<string, string>();
  readonly #keys: ReadonlyMap<string, Key>;

  constructor(options: IscsiOptions, discovery: boolean) {
    this.#options = options;
    this.#discovery = discovery;
    this.#keys = this.#makeKeys();
  }

  /** True while the initiator owes an answer to one of `offers`. */
  get pending(): boolean {
    return this.#offered.size > 0;
  }

  /** The reply to one key; undefined where it asks for none. */
  answer(key: string, value: string): string | undefined {
    this.#seen.add(key);
    const known = this.#keys.get(key);
    if (known === undefined) return "NotUnderstood";
    const reply = known(value);
    if (this.#offered.delete(key)) return undefined;
    return reply;
  }

  /** Keys that we bring up ourselves, each once. */
  offers(): [string, string][] {
    const found: [string, string][] = [];
    const { maxBurstLength, firstBurstLength, immediateData } = this.#options;
    const offer = (key: string, value: string, needed: boolean) => {
      if (!needed || this.#discovery || this.#seen.has(key)) return;
      this.#seen.add(key);
      this.#offered.set(key, value);
      found.push([key, value]);
    };
    const now = this.parameters;
    offer("ImmediateData", "No", !immediateData && now.immediateData);
    offer("MaxBurstLength", String(maxBurstLength), maxBurstLength < now.maxBurstLength);
    offer("FirstBurstLength", String(firstBurstLength), firstBurstLength < now.firstBurstLength);
    return found;
  }

  #makeKeys(): ReadonlyMap<string, Key> {
    const options = this.#options;
    const set = this.parameters;
    const digest = (ours: readonly string[], apply: (on: boolean) => void): Key => {
      return (value) => {
        const chosen = value.split(",").find((one) => ours.includes(one));
        if (chosen === undefined) return reject;
        apply(chosen === "CRC32C");
        return chosen;
      };
    };
    const flag = (combine: (theirs: boolean) => boolean, apply: (agreed: boolean) => void): Key => {
      return (value) => {
        if (value !== "Yes" && value !== "No") return reject;
        const agreed = combine(value === "Yes");
        apply(agreed);
        return yesNo(agreed);
      };
    };
    const number = (low: number, high: number, combine: (n: number) => number, apply: (n: number) => void): Key => {
      return (value) => {
        const theirs = decodeNumber(value);
        if (theirs === undefined || theirs < low || theirs > high) return reject;
        const agreed = combine(theirs);
        apply(agreed);
        return String(agreed);
      };
    };
    /** Keys that a discovery session has no use for (RFC 7143 13). */
    const normal = (key: Key): Key => (this.#discovery ? () => "Irrelevant" : key);
    const ignore = () => {};
    const silent: Key = () => undefined;
    return new Map<string, Key>([
      ["HeaderDigest", digest(options.headerDigest, (on) => (set.headerDigest = on))],
      ["DataDigest", digest(options.dataDigest, (on) => (set.dataDigest = on))],
      ["MaxConnections", normal(number(1, 65_535, () => 1, ignore))],
      [
        "InitialR2T",
        normal(
          flag(
            (theirs) => theirs || options.initialR2T,
            (agreed) => (set.initialR2T = agreed),
          ),
        ),
      ],
      [
        "ImmediateData",
        normal(
          flag(
            (theirs) => theirs && options.immediateData,
            (agreed) => (set.immediateData = agreed),
          ),
        ),
      ],
      [
        "MaxRecvDataSegmentLength",
        (value) => {
          const theirs = decodeNumber(value);
          if (theirs === undefined || theirs < 512 || theirs > maxSegment) return reject;
          set.sendDataSegmentLength = theirs;
          return undefined;
        },
      ],
      [
        "MaxBurstLength",
        normal(
          number(
            512,
            maxSegment,
            (n) => Math.min(n, options.maxBurstLength),
            (n) => (set.maxBurstLength = n),
          ),
        ),
      ],
      [
        "FirstBurstLength",
        normal(
          number(
            512,
            maxSegment,
            (n) => Math.min(n, options.firstBurstLength),
            (n) => (set.firstBurstLength = n),
          ),
        ),
      ],
      [
        "DefaultTime2Wait",
        number(
          0,
          3600,
          (n) => Math.max(n, 2),
          (n) => (set.time2Wait = n),
        ),
      ],
      [
        "DefaultTime2Retain",
        number(
          0,
          3600,
          () => 0,
          (n) => (set.time2Retain = n),
        ),
      ],
      [
        "MaxOutstandingR2T",
        normal(
          number(
            1,
            65_535,
            (n) => Math.min(n, options.maxOutstandingR2T),
            (n) => (set.maxOutstandingR2T = n),
          ),
        ),
      ],
      ["DataPDUInOrder", normal(flag(() => true, ignore))],
      ["DataSequenceInOrder", normal(flag(() => true, ignore))],
      ["ErrorRecoveryLevel", number(0, 2, () => 0, ignore)],
      ["iSCSIProtocolLevel", number(0, 31, (n) => Math.min(n, 1), ignore)],
      ["TaskReporting", (value) => (value.split(",").includes("RFC3720") ? "RFC3720" : reject)],
      // Markers of RFC 3720, which RFC 7143 13.25 obsoletes.
      ["IFMarker", flag(() => false, ignore)],
      ["OFMarker", flag(() => false, ignore)],
      ["IFMarkInt", () => "Irrelevant"],
      ["OFMarkInt", () => "Irrelevant"],
      ["InitiatorAlias", silent],
      ["InitiatorName", silent],
      ["TargetName", silent],
      ["SessionType", silent],
    ]);
  }
}
