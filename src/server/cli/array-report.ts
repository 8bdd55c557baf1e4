// SPDX-License-Identifier: Apache-2.0

import { AccessState } from "../../scsi/commands/report.ts";
import { RodType, type ThirdPartyCopy } from "../../scsi/commands/vpd-third-party-copy.ts";
import { formatPortal, type Portal } from "../../scsi/iscsi/transport.ts";
import type { BlockLimits, Capacity, LogicalUnitDescription } from "../../scsi/logical-unit.ts";
import type { ProbedPath } from "../../scsi/probe.ts";
import { formatSize } from "../config/units.ts";

/** One path of a unit: what was seen through it, or why nothing was. */
export type PathReport = { readonly portal: Portal } & ({ readonly path: ProbedPath } | { readonly error: string });

/** Whether copies on a unit become token commands, and why. */
export interface OdxVerdict {
  readonly used: boolean;
  readonly reasons: readonly string[];
}

const pointInTime = new Set<number>([
  RodType.POINT_IN_TIME,
  RodType.POINT_IN_TIME_CHANGE_VULNERABLE,
  RodType.POINT_IN_TIME_PERSISTENT,
  RodType.POINT_IN_TIME_COPY_ON_WRITE,
  RodType.POINT_IN_TIME_ANY,
]);

const rodTypeNames = new Map<number, string>([
  [RodType.COPY_MANAGER_INTERNAL, "internal to the array"],
  [RodType.ACCESS_UPON_REFERENCE, "access upon reference"],
  [RodType.POINT_IN_TIME, "point in time"],
  [RodType.POINT_IN_TIME_CHANGE_VULNERABLE, "point in time, ends when the data change"],
  [RodType.POINT_IN_TIME_PERSISTENT, "point in time, persistent"],
  [RodType.POINT_IN_TIME_COPY_ON_WRITE, "point in time, copy on write"],
  [RodType.POINT_IN_TIME_ANY, "point in time, of any kind"],
  [RodType.BLOCK_DEVICE_ZERO, "zeros"],
]);

const accessStateNames = new Map<number, string>([
  [AccessState.ACTIVE_OPTIMIZED, "active/optimized"],
  [AccessState.ACTIVE_NON_OPTIMIZED, "active/non-optimized"],
  [AccessState.STANDBY, "standby"],
  [AccessState.UNAVAILABLE, "unavailable"],
  [AccessState.OFFLINE, "offline"],
  [AccessState.TRANSITIONING, "in transition"],
]);

const hexadecimal = (value: number) => `${value.toString(16).padStart(8, "0")}h`;

/** Decides as the server does: by what VPD page 8Fh says. */
export function odxVerdict({ thirdPartyCopy, readOnly }: LogicalUnitDescription): OdxVerdict {
  if (thirdPartyCopy === undefined) {
    return {
      used: false,
      reasons: [
        "The unit offers no token commands (VPD page 8Fh is missing, has no limits for block device tokens, or leaves out " +
          "POPULATE TOKEN, WRITE USING TOKEN or RECEIVE ROD TOKEN INFORMATION). Copies run through the server.",
      ],
    };
  }
  const reasons = ["The unit has POPULATE TOKEN, WRITE USING TOKEN and RECEIVE ROD TOKEN INFORMATION."];
  const made = thirdPartyCopy.rodTypes.filter(({ tokenOut }) => tokenOut);
  if (made.some(({ type }) => pointInTime.has(type))) {
    reasons.push("Its tokens stand for the data as they were when the token was made (point in time).");
  } else if (made.length > 0) {
    reasons.push(
      "Its tokens stand for the data as they are when the token is used (access upon reference). The server makes them " +
        "invalid when the data change, so that no copy has wrong data.",
    );
  } else {
    reasons.push("It does not say what kind of tokens it makes; the server looks at each token.");
  }
  if (readOnly) reasons.push("The unit is write protected: it can be the source of a copy only.");
  return { used: true, reasons };
}

const limit = (blocks: number, { blockSize }: Capacity) =>
  Number.isFinite(blocks) ? `${formatSize(blocks * blockSize)} (${blocks} blocks)` : "not limited";

function describeLimits(limits: BlockLimits, capacity: Capacity): string[] {
  return [
    `  Largest transfer    ${limit(limits.maximumTransfer, capacity)}`,
    `  Largest WRITE SAME  ${limit(limits.maximumWriteSame, capacity)}`,
  ];
}

function describeCopy({ limits, features, rodTypes }: ThirdPartyCopy, capacity: Capacity): string[] {
  const seconds = (value: number) => (value > 0 && Number.isFinite(value) ? `${value} s` : "not told");
  const lines = [
    `  Largest token       ${limit(limits.maximumTokenTransfer, capacity)}`,
    `  Best size           ${limits.optimalTransfer === 0 ? "not told" : limit(limits.optimalTransfer, capacity)}`,
    `  Ranges in a command ${Number.isFinite(limits.maximumRanges) ? limits.maximumRanges : "not limited"}`,
    `  Token ends unused   after ${seconds(limits.defaultInactivityTimeout)}, at most ${seconds(limits.maximumInactivityTimeout)}`,
  ];
  if (features !== undefined) {
    const others = features.remoteTokens === 0 ? "no" : `yes (REMOTE TOKENS ${features.remoteTokens})`;
    lines.push(`  Tokens of others    ${others}`);
  }
  for (const { type, tokenIn, tokenOut } of rodTypes) {
    const uses = [tokenOut ? "made" : "", tokenIn ? "accepted" : ""].filter((use) => use !== "").join(" and ");
    lines.push(`  Kind of token       ${rodTypeNames.get(type) ?? hexadecimal(type)}: ${uses || "not in tokens"}`);
  }
  return lines;
}

function describePath(report: PathReport): string {
  const where = formatPortal(report.portal);
  if ("error" in report) return `  ${where}  does not work: ${report.error}`;
  const { portalGroup, headerDigest, dataDigest, survey } = report.path;
  const notes = [
    portalGroup === undefined ? "" : `portal group ${portalGroup}`,
    survey.accessState === undefined ? "" : (accessStateNames.get(survey.accessState) ?? `state ${survey.accessState}`),
    headerDigest || dataDigest
      ? `digests: ${[headerDigest && "header", dataDigest && "data"].filter(Boolean).join(", ")}`
      : "",
  ].filter((note) => note !== "");
  return `  ${where}  works${notes.length === 0 ? "" : `: ${notes.join(", ")}`}`;
}

/** What a probe found, in lines for an administrator. */
export function unitReport(description: LogicalUnitDescription, paths: readonly PathReport[]): string {
  const { identity, capacity, limits, provisioning, thirdPartyCopy, readOnly } = description;
  const verdict = odxVerdict(description);
  const device = [identity.vendor, identity.product, identity.revision].filter((part) => part !== "").join(" ");
  const space =
    provisioning.kind === "thin" ? "thin" : provisioning.kind === "resource" ? "by resource" : "fully provisioned";
  const freed = provisioning.unmap ? ", takes back what is freed" : "";
  return [
    "Logical unit",
    `  Name                ${identity.name}`,
    `  Device              ${device}${identity.serialNumber === "" ? "" : `, serial number ${identity.serialNumber}`}`,
    `  Size                ${formatSize(capacity.blocks * capacity.blockSize)} (${capacity.blocks} blocks of ${capacity.blockSize} bytes)`,
    `  Physical block      ${capacity.physicalBlockSize} bytes`,
    `  Space               ${space}${freed}`,
    `  Access              ${readOnly ? "write protected" : "read and write"}`,
    ...describeLimits(limits, capacity),
    "",
    "Paths",
    ...paths.map(describePath),
    "",
    "Copies on the array (ODX)",
    `  ODX will${verdict.used ? "" : " not"} be used.`,
    ...verdict.reasons.map((reason) => `  ${reason}`),
    ...(thirdPartyCopy === undefined ? [] : describeCopy(thirdPartyCopy, capacity)),
    "",
  ].join("\n");
}

/** The same for programs. Sizes are blocks unless they say bytes; `null`: no limit, or not told. */
export function unitJson(description: LogicalUnitDescription, paths: readonly PathReport[]): unknown {
  const { identity, thirdPartyCopy, ...rest } = description;
  return {
    identity: {
      ...identity,
      designators: identity.designators.map(({ identifier, ...each }) => ({
        ...each,
        identifier: identifier.toString("hex"),
      })),
    },
    ...rest,
    tokenCommands:
      thirdPartyCopy === undefined
        ? null
        : {
            limits: thirdPartyCopy.limits,
            features: thirdPartyCopy.features ?? null,
            rodTypes: thirdPartyCopy.rodTypes.map(({ type, ...each }) => ({ type: hexadecimal(type), ...each })),
          },
    odx: odxVerdict(description),
    paths: paths.map((report) =>
      "error" in report
        ? { portal: formatPortal(report.portal), works: false, error: report.error }
        : {
            portal: formatPortal(report.portal),
            works: true,
            portalGroup: report.path.portalGroup ?? null,
            accessState: report.path.survey.accessState ?? null,
            headerDigest: report.path.headerDigest,
            dataDigest: report.path.dataDigest,
          },
    ),
  };
}
