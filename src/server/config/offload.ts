// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { defaultOffloadOptions } from "../../offload/engine.ts";
import { allOperations } from "../../offload/operations.ts";
import { always, count, duration, nonEmptyText, size } from "./fields.ts";

const KIB = 1024;
const TIB = 1024 ** 4;
const SECOND = 1000;
const DAY = 86_400_000;

const defaults = defaultOffloadOptions;

/** Which copies on the server a share offers. */
export const switches = z.strictObject({
  odx: z.boolean().default(allOperations.odx),
  copychunk: z.boolean().default(allOperations.copychunk),
  clone: z.boolean().default(allOperations.clone),
});

const timeToLive = z
  .strictObject({
    default: duration({ minimum: SECOND, maximum: DAY }).default(defaults.defaultTimeToLive),
    minimum: duration({ minimum: SECOND, maximum: DAY }).default(defaults.minimumTimeToLive),
    maximum: duration({ minimum: SECOND, maximum: DAY }).default(defaults.maximumTimeToLive),
  })
  .superRefine(({ default: byDefault, minimum, maximum }, context) => {
    if (minimum > maximum) {
      context.addIssue({ code: "custom", path: ["minimum"], message: "must not be above maximum" });
    } else if (byDefault < minimum || byDefault > maximum) {
      context.addIssue({ code: "custom", path: ["default"], message: "must lie between minimum and maximum" });
    }
  }, always);

const limits = z.strictObject({
  tokens: count(1, 1_000_000).default(defaults.maxTokens),
  tokensPerSession: count(1, 1_000_000).default(defaults.maxTokensPerSession),
  tokenBytes: size({ minimum: KIB, maximum: 4096 * TIB }).default(defaults.maxTokenBytes),
  preservedBytes: size({ maximum: 64 * TIB }).default(defaults.maxPreservedBytes),
  bytesPerCall: size({ minimum: 64 * KIB, maximum: TIB }).default(defaults.maxBytesPerWrite),
  timePerCall: duration({ minimum: 10, maximum: 30 * SECOND }).default(defaults.maxTimePerWrite),
});

/** Copies on the server, over all shares. */
export const offload = z
  .strictObject({
    tokenScope: z.enum(["user", "server", "cluster"]).default(defaults.tokenScope),
    keyFiles: z.array(nonEmptyText).default([]),
    clockSkew: duration({ maximum: DAY }).default(defaults.maxClockSkew),
    timeToLive: timeToLive.prefault({}),
    limits: limits.prefault({}),
    /** 0: never. */
    logInterval: duration({ maximum: 7 * DAY }).default(300_000),
  })
  .superRefine(({ tokenScope, keyFiles }, context) => {
    if (tokenScope === "cluster" && Array.isArray(keyFiles) && keyFiles.length === 0) {
      context.addIssue({
        code: "custom",
        path: ["tokenScope"],
        message: "cannot be cluster without a key in keyFiles that the other servers have too",
      });
    }
  }, always);
