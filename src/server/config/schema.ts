// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { type Dialect, defaultProtocolOptions } from "../../smb2/server-context.ts";
import { shareKey, shareNameProblem } from "../share-name.ts";
import { arrays } from "./array.ts";
import { always, count, duration, nonEmptyText, size } from "./fields.ts";
import { offload, switches } from "./offload.ts";
import { parseHostPort } from "./units.ts";

/** The port of SMB over direct TCP (MS-SMB2 2.1). */
export const SMB_PORT = 445;

const DIALECTS: Readonly<Record<string, Dialect>> = {
  "2.0.2": 0x0202,
  "2.1": 0x0210,
  "3.0": 0x0300,
  "3.0.2": 0x0302,
  "3.1.1": 0x0311,
};

/** A dialect as text. YAML reads an unquoted `2.1` or `3.0` as a number, which is meant just the same. */
const dialect = z
  .preprocess(
    (value) => (typeof value === "number" ? value.toFixed(1) : value),
    z.enum(["2.0.2", "2.1", "3.0", "3.0.2", "3.1.1"]),
  )
  .transform((name): Dialect => DIALECTS[name] ?? 0x0311);

const hostPort = (defaultPort: number) =>
  z.string().transform((value, context) => {
    const parsed = parseHostPort(value, defaultPort);
    if (parsed === undefined) {
      context.addIssue({ code: "custom", message: "must be HOST:PORT, such as 0.0.0.0:445 or [::1]:4445" });
      return z.NEVER;
    }
    return parsed;
  });

/** What NTLM target information and every client can show (MS-NLMP 2.2.2.1). */
const netBiosName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,14}$/, "must be made of letters, digits and dashes, at most 15 characters");

const encryptionPolicy = z.enum(["off", "desired", "required"]);

const uniqueList = <T extends string>(names: readonly [T, ...T[]]) =>
  z
    .array(z.enum(names))
    .min(1)
    .refine((list) => new Set<string>(list).size === list.length, "must not name anything twice");

const limits = z.strictObject({
  connections: count(1, 1_000_000).default(10_000),
  connectionsPerAddress: count(1, 1_000_000).default(1024),
  sessionsPerConnection: count(1, 65_536).default(defaultProtocolOptions.maxSessionsPerConnection),
  treesPerSession: count(1, 65_536).default(defaultProtocolOptions.maxTreesPerSession),
  opensPerSession: count(1, 1_000_000).default(defaultProtocolOptions.maxOpensPerSession),
  pendingPerConnection: count(1, 65_536).default(defaultProtocolOptions.maxAsyncPerConnection),
  locksPerOpen: count(1, 1_000_000).default(defaultProtocolOptions.maxLocksPerOpen),
  disconnectedOpens: count(0, 1_000_000).default(defaultProtocolOptions.maxDisconnectedOpens),
  disconnectedOpensPerUser: count(0, 1_000_000).default(defaultProtocolOptions.maxDisconnectedOpensPerUser),
  credits: count(1, 65_535).default(defaultProtocolOptions.maxCredits),
  messageBytes: size({ minimum: 16 * 1024 * 1024 }).optional(),
});

const timeouts = z.strictObject({
  negotiate: duration().default(10_000),
  authenticate: duration().default(60_000),
  unreachable: duration({ minimum: 8_000 }).default(120_000),
  idle: duration({ minimum: 1_000 }).optional(),
  session: duration().optional(),
  shutdown: duration().default(10_000),
  durable: duration().default(defaultProtocolOptions.durableTimeout),
  durableMaximum: duration().default(defaultProtocolOptions.maxDurableTimeout),
  resilientMaximum: duration().default(defaultProtocolOptions.maxResilientTimeout),
});

export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;

const logging = z.strictObject({
  level: z.enum(LOG_LEVELS).default("info"),
  format: z.enum(["auto", "json", "text"]).default("auto"),
  destination: nonEmptyText.default("stderr"),
});

const metrics = z.strictObject({
  // Nothing asks for a password there.
  listen: hostPort(9445).default({ host: "127.0.0.1", port: 9445 }),
});

const server = z.strictObject({
  name: netBiosName.optional(),
  workgroup: netBiosName.default("WORKGROUP"),
  comment: z.string().max(256).default(""),
  listen: z
    .array(hostPort(SMB_PORT))
    .min(1)
    .default([{ host: "0.0.0.0", port: SMB_PORT }]),
  minDialect: dialect.default(defaultProtocolOptions.minDialect),
  maxDialect: dialect.default(defaultProtocolOptions.maxDialect),
  signing: z.enum(["required", "enabled"]).default(defaultProtocolOptions.signingRequired ? "required" : "enabled"),
  encrypt: encryptionPolicy.default(defaultProtocolOptions.encryption),
  ciphers: uniqueList(["aes-128-gcm", "aes-128-ccm", "aes-256-gcm", "aes-256-ccm"]).default([
    ...defaultProtocolOptions.ciphers,
  ]),
  signingAlgorithms: uniqueList(["aes-gmac", "aes-cmac", "hmac-sha256"]).default([
    ...defaultProtocolOptions.signingAlgorithms,
  ]),
  allowAnonymous: z.boolean().default(false),
  guest: z.union([z.literal(false), nonEmptyText], "must be false or the name of a user").default(false),
  limits: limits.prefault({}),
  timeouts: timeouts.prefault({}),
  logging: logging.prefault({}),
  stateDirectory: nonEmptyText.optional(),
  usersFile: nonEmptyText.optional(),
  metrics: metrics.optional(),
});

const accessLists = z.strictObject({
  readWrite: z.array(nonEmptyText).default([]),
  readOnly: z.array(nonEmptyText).default([]),
  deny: z.array(nonEmptyText).default([]),
});

const shareName = z.string().superRefine((name, context) => {
  const problem = shareNameProblem(name);
  if (problem !== undefined) {
    context.addIssue({ code: "custom", message: problem });
  }
});

/** Permission bits. Text only: YAML would read an unquoted 0664 as the decimal number 664. */
const permissionBits = z
  .string()
  .regex(/^0?[0-7]{3}$/, 'must be three octal digits in quotes, such as "0664"')
  .transform((text) => Number.parseInt(text, 8));

const share = z.strictObject({
  name: shareName,
  path: nonEmptyText.optional(),
  array: nonEmptyText.optional(),
  comment: z.string().max(256).default(""),
  readOnly: z.boolean().default(false),
  encrypt: encryptionPolicy.default("off"),
  browseable: z.boolean().default(true),
  hideUnreadable: z.boolean().default(false),
  hiddenNames: z.array(nonEmptyText.max(255)).max(64).default([]),
  continuousAvailability: z.boolean().default(false),
  users: accessLists.optional(),
  metadata: z.enum(["xattr", "none"]).default("xattr"),
  defaultSecurity: z.enum(["inherit", "posix"]).default("inherit"),
  offload: switches.prefault({}),
  fileMode: permissionBits.optional(),
  directoryMode: permissionBits.optional(),
});

const fieldsOf = (entry: unknown): Readonly<Record<string, unknown>> =>
  typeof entry === "object" && entry !== null ? { ...entry } : {};

const sharesList = z.array(share).superRefine((shares: readonly unknown[], context) => {
  const seen = new Map<string, string>();
  for (const [index, entry] of shares.entries()) {
    const { name, path, array } = fieldsOf(entry);
    if ((path === undefined) === (array === undefined)) {
      const message = path === undefined ? "needs a path or an array" : "cannot have both a path and an array";
      context.addIssue({ code: "custom", path: [index], message });
    }
    if (typeof name !== "string") {
      continue;
    }
    const earlier = seen.get(shareKey(name));
    if (earlier !== undefined) {
      context.addIssue({
        code: "custom",
        path: [index, "name"],
        message: `is taken by an earlier share, "${earlier}" (upper and lower case are the same)`,
      });
    }
    seen.set(shareKey(name), name);
  }
}, always);

const serverSection = server.superRefine((section, context) => {
  const { minDialect, maxDialect } = section;
  if (minDialect > maxDialect) {
    context.addIssue({ code: "custom", path: ["minDialect"], message: "must not be above maxDialect" });
  }
  if (section.encrypt === "required" && maxDialect < 0x0300) {
    context.addIssue({
      code: "custom",
      path: ["encrypt"],
      message: "cannot be required, because maxDialect is below 3.0 and only SMB 3 encrypts",
    });
  }
}, always);

export const configSchema = z
  .strictObject({
    server: serverSection.prefault({}),
    offload: offload.prefault({}),
    arrays: arrays.default([]),
    shares: sharesList.default([]),
  })
  .superRefine(({ arrays: volumes, shares }, context) => {
    if (!Array.isArray(volumes) || !Array.isArray(shares)) return;
    const names = new Set(volumes.map((volume) => fieldsOf(volume).name));
    for (const [index, entry] of shares.entries()) {
      const { array } = fieldsOf(entry);
      if (array === undefined || names.has(array)) continue;
      context.addIssue({ code: "custom", path: ["shares", index, "array"], message: "is none of the arrays" });
    }
  }, always);

/** A whole configuration, checked, with every default filled in. Times are milliseconds, sizes bytes. */
export type Config = z.output<typeof configSchema>;
export type ServerConfig = Config["server"];
export type OffloadConfig = Config["offload"];
export type ShareConfig = Config["shares"][number];
export type LogLevel = (typeof LOG_LEVELS)[number];
