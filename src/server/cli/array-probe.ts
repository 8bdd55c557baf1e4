// SPDX-License-Identifier: Apache-2.0

import { formatLun } from "../../scsi/iscsi/lun.ts";
import { formatPortal, type Portal } from "../../scsi/iscsi/transport.ts";
import { parseIscsiUrl } from "../../scsi/iscsi/url.ts";
import { type ProbedPath, type ProbeOptions, probeLuns, probePath, probeTargets } from "../../scsi/probe.ts";
import { StartupError, UsageError } from "../startup-error.ts";
import { type ArrayOptions, commandSurroundings, probeOptions } from "./array-options.ts";
import { type PathReport, unitJson, unitReport } from "./array-report.ts";

export interface ProbeCommandOptions extends ArrayOptions {
  readonly json?: boolean;
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

function print(json: boolean | undefined, value: unknown, text: string): void {
  process.stdout.write(json === true ? `${JSON.stringify(value, undefined, 2)}\n` : text);
}

async function orFailure<T>(portal: Portal, action: Promise<T>): Promise<T> {
  try {
    return await action;
  } catch (error) {
    throw new StartupError(`${formatPortal(portal)}: ${messageOf(error)}.`);
  }
}

/** The portal that was asked for first, then those that the target tells of. */
async function portalsOf(options: ProbeOptions, asked: Portal): Promise<Portal[]> {
  const portals = [asked];
  try {
    for (const target of await probeTargets(commandSurroundings, options, asked)) {
      for (const portal of target.name === options.targetName ? target.portals : []) {
        if (!portals.some((known) => formatPortal(known) === formatPortal(portal))) portals.push(portal);
      }
    }
  } catch {
    // A target may refuse discovery; the portal that is known will do.
  }
  return portals;
}

async function probeUnit(options: ProbeOptions, asked: Portal, lun: bigint, json: boolean | undefined): Promise<void> {
  const reports: PathReport[] = [];
  let first: ProbedPath | undefined;
  for (const portal of await portalsOf(options, asked)) {
    try {
      const path = await probePath(commandSurroundings, options, portal, lun);
      const known = first?.survey.description.identity.name;
      const { name } = path.survey.description.identity;
      if (known !== undefined && known !== name) throw new Error(`it leads to another unit: ${name}`);
      first ??= path;
      reports.push({ portal, path });
    } catch (error) {
      reports.push({ portal, error: messageOf(error) });
    }
  }
  if (first === undefined) {
    const lines = reports.map((report) => ("error" in report ? report.error : ""));
    throw new StartupError(`The logical unit cannot be reached.\n${lines.join("\n")}`);
  }
  const { description } = first.survey;
  print(json, unitJson(description, reports), unitReport(description, reports));
}

/** `tessera array probe`: targets of a portal, LUNs of a target, or all about a unit. */
export async function probeArray(address: string, options: ProbeCommandOptions): Promise<void> {
  const url = parseIscsiUrl(address);
  if (url === undefined) {
    throw new UsageError(`${address} is no address of a unit.`, "It looks like iscsi://HOST:PORT/TARGET/LUN.");
  }
  const { portal, targetName, lun } = url;
  const probe = probeOptions(options, targetName ?? "");
  if (targetName === undefined) {
    const login = { ...probe, targetName: undefined };
    const targets = await orFailure(portal, probeTargets(commandSurroundings, login, portal));
    const lines = targets.map(({ name, portals }) => `${name}\t${portals.map(formatPortal).join(" ")}\n`);
    print(options.json, targets, lines.length > 0 ? lines.join("") : "There is no target for this initiator.\n");
  } else if (lun === undefined) {
    const luns = (await orFailure(portal, probeLuns(commandSurroundings, probe, portal))).map(formatLun);
    print(options.json, luns, luns.map((each) => `iscsi://${formatPortal(portal)}/${targetName}/${each}\n`).join(""));
  } else {
    await probeUnit(probe, portal, lun, options.json);
  }
}
