// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { chapAlgorithms } from "../../scsi/iscsi/chap.ts";
import { parseLun } from "../../scsi/iscsi/lun.ts";
import { isIscsiName, parsePortal } from "../../scsi/iscsi/url.ts";
import { always, nonEmptyText } from "./fields.ts";

const iscsiName = z.string().refine(isIscsiName, "must be an iSCSI name: iqn.…, eui.… or naa.…");

const portal = z.string().transform((value, context) => {
  const parsed = parsePortal(value);
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "must be HOST:PORT, such as 192.0.2.10:3260" });
  return z.NEVER;
});

const lun = z.union([z.string(), z.int()]).transform((value, context) => {
  const parsed = parseLun(String(value));
  if (parsed !== undefined) return parsed;
  context.addIssue({ code: "custom", message: "must be the number of a LUN" });
  return z.NEVER;
});

const chap = z
  .strictObject({
    user: nonEmptyText,
    secretFile: nonEmptyText,
    targetUser: nonEmptyText.optional(),
    targetSecretFile: nonEmptyText.optional(),
    algorithm: z.enum(chapAlgorithms).optional(),
  })
  .superRefine(({ targetUser, targetSecretFile }, context) => {
    if ((targetUser === undefined) === (targetSecretFile === undefined)) return;
    const missing = targetUser === undefined ? "targetUser" : "targetSecretFile";
    context.addIssue({ code: "custom", path: [missing], message: "is missing: the target proves itself with both" });
  }, always);

/** A volume on LUNs of an array. */
const array = z.strictObject({
  name: z
    .string()
    .regex(
      /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/,
      "must be made of letters, digits, dots and dashes, at most 64 characters",
    ),
  target: iscsiName,
  portals: z.array(portal).min(1),
  luns: z.array(lun).min(1).max(256),
  catalogue: nonEmptyText,
  initiatorName: iscsiName.optional(),
  chap: chap.optional(),
  digests: z.enum(["none", "prefer", "require"]).default("none"),
  readOnly: z.boolean().default(false),
  foreignTokens: z.enum(["accept", "refuse"]).default("accept"),
});

export const arrays = z.array(array).superRefine((list: readonly unknown[], context) => {
  const names = new Set<unknown>();
  const catalogues = new Set<unknown>();
  for (const [index, entry] of list.entries()) {
    if (typeof entry !== "object" || entry === null) continue;
    const { name, catalogue } = entry as { readonly name?: unknown; readonly catalogue?: unknown };
    if (names.has(name)) context.addIssue({ code: "custom", path: [index, "name"], message: "is taken already" });
    if (catalogues.has(catalogue)) {
      context.addIssue({ code: "custom", path: [index, "catalogue"], message: "belongs to another array already" });
    }
    names.add(name);
    catalogues.add(catalogue);
  }
}, always);

export type ArrayConfig = z.output<typeof array>;
