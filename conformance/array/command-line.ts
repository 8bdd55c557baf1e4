// SPDX-License-Identifier: Apache-2.0
/** The command line of `npm run array`. */
import { parseArgs } from "node:util";
import type { ArrayConfig, PortalConfig, TargetConfig, UnitConfig } from "./config.ts";
import type { ChapAccount } from "./iscsi/chap.ts";
import type { IscsiOptions } from "./iscsi/parameters.ts";
import { type OdxOptions, RodType } from "./odx/options.ts";

export const usage = `usage: npm run array -- [--listen HOST:PORT[,GROUP]] ... [--target NAME] --lun FILE[:SIZE][,OPTION ...] ...

  --listen HOST:PORT[,GROUP]  a portal in a target portal group; 127.0.0.1:3260,1 by default
  --target NAME               the LUNs that follow belong to this target
  --lun-number N              the number of the next LUN; else it is the next one, from 0
  --lun FILE[:SIZE][,OPTION]  a LUN on a sparse file, made where it is missing. SIZE in bytes or with K, M, G, T.
                              Options: block=512|4096, physical=EXPONENT, transfer=BLOCKS (the most of one command),
                              id=NAME, ro, thick, rate=BYTES per second
  --chap USER:SECRET          who may log in to the last --target, or to all before the first one
  --mutual-chap USER:SECRET   what that target proves itself with
  --identity NAME             what LUNs and tokens are named by; keep it to keep the LUNs' serial numbers
  --control HOST:PORT         where the fault switches listen (README.md)

iSCSI: --header-digest, --data-digest None|CRC32C[,...]; --initial-r2t, --no-immediate-data;
  --max-recv-data-segment-length, --max-burst-length, --first-burst-length BYTES; --max-outstanding-r2t, --queue-depth N;
  --nop-interval SECONDS

Token commands: --no-odx; --rod-type ${"TYPE[,...]"}, the first is the default: pit, vulnerable, cow, aur;
  --max-ranges, --max-tokens N; --max-transfer, --optimal-transfer BLOCKS; --default-inactivity, --max-inactivity,
  --max-lifetime SECONDS; --copy-rate BYTES per second; --token-limits-last in VPD page 8Fh
`;

const defaultTarget = "iqn.2026-01.com.example:array";

export interface CommandLine {
  readonly array: ArrayConfig;
  readonly control: PortalConfig | undefined;
}

const text = { type: "string" } as const;
const many = { type: "string", multiple: true } as const;
const flag = { type: "boolean" } as const;

const optionTypes = {
  help: flag,
  listen: many,
  target: many,
  "lun-number": many,
  lun: many,
  chap: many,
  "mutual-chap": many,
  identity: text,
  control: text,
  "header-digest": text,
  "data-digest": text,
  "initial-r2t": flag,
  "no-immediate-data": flag,
  "max-recv-data-segment-length": text,
  "max-burst-length": text,
  "first-burst-length": text,
  "max-outstanding-r2t": text,
  "queue-depth": text,
  "nop-interval": text,
  "no-odx": flag,
  "rod-type": text,
  "max-ranges": text,
  "max-tokens": text,
  "max-transfer": text,
  "optimal-transfer": text,
  "default-inactivity": text,
  "max-inactivity": text,
  "max-lifetime": text,
  "copy-rate": text,
  "token-limits-last": flag,
} as const;

/** Reads HOST:PORT[,GROUP]. */
export function readPortal(value: string): PortalConfig {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)(?:,(\d+))?$/.exec(value);
  if (match === null) throw new Error(`${value}: HOST:PORT is meant`);
  const host = match[1] ?? match[2] ?? "";
  return {
    host: host === "" ? "127.0.0.1" : host,
    port: Number(match[3]),
    ...(match[4] === undefined ? {} : { portalGroup: Number(match[4]) }),
  };
}

const unitsOfSize: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

export function readSize(value: string): number {
  const match = /^(\d+)([KMGT]?)$/.exec(value);
  const size = Number(match?.[1]) * (unitsOfSize[match?.[2] ?? ""] ?? Number.NaN);
  if (!Number.isSafeInteger(size)) throw new Error(`${value} is not a size`);
  return size;
}

function readUnit(value: string): UnitConfig {
  const [place = "", ...options] = value.split(",");
  const match = /^(.+?)(?::(\d+[KMGT]?))?$/.exec(place);
  if (match === null) throw new Error(`--lun ${value}: FILE:SIZE is meant`);
  let unit: UnitConfig = { file: match[1] ?? "", ...(match[2] === undefined ? {} : { size: readSize(match[2]) }) };
  for (const option of options) {
    const [name = "", setting = ""] = option.split("=");
    if (name === "block") unit = { ...unit, blockBytes: Number(setting) };
    else if (name === "physical") unit = { ...unit, physicalBlockExponent: Number(setting) };
    else if (name === "transfer") unit = { ...unit, maxTransferBlocks: readSize(setting) };
    else if (name === "id") unit = { ...unit, id: setting };
    else if (name === "ro") unit = { ...unit, readOnly: true };
    else if (name === "thick") unit = { ...unit, thin: false };
    else if (name === "rate") unit = { ...unit, bytesPerSecond: readSize(setting) };
    else throw new Error(`--lun ${value}: unknown option ${name}`);
  }
  return unit;
}

function readAccount(value: string): ChapAccount {
  const colon = value.indexOf(":");
  if (colon < 1) throw new Error("CHAP: USER:SECRET is meant");
  return { name: value.slice(0, colon), secret: value.slice(colon + 1) };
}

interface TargetDraft {
  readonly name: string;
  readonly luns: Record<number, UnitConfig>;
  readonly accounts: ChapAccount[];
  mutual: ChapAccount | undefined;
}

const rodTypes: Readonly<Record<string, number>> = {
  pit: RodType.POINT_IN_TIME,
  vulnerable: RodType.POINT_IN_TIME_CHANGE_VULNERABLE,
  cow: RodType.POINT_IN_TIME_COPY_ON_WRITE,
  aur: RodType.ACCESS_UPON_REFERENCE,
};

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

/** The value of an option as a number, under the name that the configuration gives it. */
function numbers<K extends string>(values: Values, names: Readonly<Record<string, K>>): Partial<Record<K, number>> {
  const found: Partial<Record<K, number>> = {};
  for (const [option, name] of Object.entries(names)) {
    const value = values[option];
    if (typeof value === "string") found[name] = readSize(value);
  }
  return found;
}

function iscsiOptions(values: Values): Partial<IscsiOptions> {
  const digests = (value: unknown) =>
    String(value)
      .split(",")
      .map((one) => {
        if (one !== "None" && one !== "CRC32C") throw new Error(`${one} is not a digest`);
        return one;
      });
  return {
    ...numbers(values, {
      "max-recv-data-segment-length": "maxRecvDataSegmentLength",
      "max-burst-length": "maxBurstLength",
      "first-burst-length": "firstBurstLength",
      "max-outstanding-r2t": "maxOutstandingR2T",
      "queue-depth": "queueDepth",
      "nop-interval": "nopInterval",
    }),
    ...(values["header-digest"] === undefined ? {} : { headerDigest: digests(values["header-digest"]) }),
    ...(values["data-digest"] === undefined ? {} : { dataDigest: digests(values["data-digest"]) }),
    ...(values["initial-r2t"] === true ? { initialR2T: true } : {}),
    ...(values["no-immediate-data"] === true ? { immediateData: false } : {}),
  };
}

function odxOptions(values: Values): Partial<OdxOptions> {
  const types = values["rod-type"];
  return {
    ...numbers(values, {
      "max-ranges": "maxRangeDescriptors",
      "max-tokens": "maxTokens",
      "max-transfer": "maxTransferBlocks",
      "optimal-transfer": "optimalTransferBlocks",
      "default-inactivity": "defaultInactivityTimeout",
      "max-inactivity": "maxInactivityTimeout",
      "max-lifetime": "maxTokenLifetime",
      "copy-rate": "bytesPerSecond",
    }),
    ...(values["no-odx"] === true ? { enabled: false } : {}),
    ...(values["token-limits-last"] === true ? { tokenLimitsFirst: false } : {}),
    ...(typeof types === "string"
      ? {
          rodTypes: types.split(",").map((name) => {
            const type = rodTypes[name];
            if (type === undefined) throw new Error(`--rod-type ${name}: ${Object.keys(rodTypes).join(", ")}`);
            return type;
          }),
        }
      : {}),
  };
}

/** Targets, LUNs and accounts in the order in which they stand. */
function readTargets(tokens: readonly { readonly kind: string; readonly name?: string; readonly value?: unknown }[]) {
  const drafts: TargetDraft[] = [];
  let nextLun = 0;
  const forAll: { readonly accounts: ChapAccount[]; mutual: ChapAccount | undefined } = {
    accounts: [],
    mutual: undefined,
  };
  for (const { name, value } of tokens) {
    if (typeof value !== "string") continue;
    const last = drafts.at(-1);
    if (name === "target") {
      drafts.push({ name: value, luns: {}, accounts: [], mutual: undefined });
      nextLun = 0;
    } else if (name === "lun-number") nextLun = readSize(value);
    else if (name === "chap") (last ?? forAll).accounts.push(readAccount(value));
    else if (name === "mutual-chap") (last ?? forAll).mutual = readAccount(value);
    else if (name === "lun") {
      const draft = last ?? { name: defaultTarget, luns: {}, accounts: [], mutual: undefined };
      if (last === undefined) drafts.push(draft);
      if (draft.luns[nextLun] !== undefined) throw new Error(`two LUNs ${nextLun} of ${draft.name}`);
      draft.luns[nextLun] = readUnit(value);
      nextLun += 1;
    }
  }
  return drafts.map((draft): TargetConfig => {
    const accounts = draft.accounts.length > 0 ? draft.accounts : forAll.accounts;
    const mutual = draft.mutual ?? forAll.mutual;
    return {
      name: draft.name,
      luns: draft.luns,
      ...(accounts.length === 0 ? {} : { chap: { accounts, ...(mutual === undefined ? {} : { mutual }) } }),
    };
  });
}

/** Reads the arguments; throws an Error that says what is wrong with them. */
export function readCommandLine(args: readonly string[], host: string): CommandLine | "help" {
  const { values, tokens } = parseArgs({ args: [...args], options: optionTypes, tokens: true });
  if (values.help === true) return "help";
  const targets = readTargets(tokens);
  if (targets.length === 0) throw new Error(`no --lun\n${usage}`);
  return {
    array: {
      identity: values.identity ?? host,
      portals: (values.listen ?? ["127.0.0.1:3260"]).map(readPortal),
      targets,
      iscsi: iscsiOptions(values),
      odx: odxOptions(values),
    },
    control: values.control === undefined ? undefined : readPortal(values.control),
  };
}
