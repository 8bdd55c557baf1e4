// SPDX-License-Identifier: Apache-2.0

import { delay } from "./clock.ts";
import { commandName } from "./commands/names.ts";
import { decodeReportLuns, reportLuns } from "./commands/report.ts";
import { ScsiError, ScsiStatus } from "./errors.ts";
import { type DiscoveredTarget, discoverTargets } from "./iscsi/discovery.ts";
import { openSession } from "./iscsi/open-session.ts";
import type { IscsiSession } from "./iscsi/session.ts";
import type { Portal } from "./iscsi/transport.ts";
import { type IscsiSurroundings, type IscsiUnitOptions, initiatorParts, loginOptions } from "./open.ts";
import { decodeSense, SenseKey } from "./sense.ts";
import { type Ask, type Survey, surveyUnit } from "./unit/describe.ts";

/** Looks at a target once, path by path, without anything going on in the background. */

export type ProbeOptions = Omit<IscsiUnitOptions, "portals" | "lun" | "unit">;

export interface ProbedPath {
  readonly portal: Portal;
  readonly portalGroup: number | undefined;
  readonly headerDigest: boolean;
  readonly dataDigest: boolean;
  readonly survey: Survey;
}

const MAXIMUM_TRIES = 16;
const RETRY_DELAY = 50;
const REPORT_LUNS_LENGTH = 16 * 1024;

/** Commands one by one, again for as long as unit attentions come or the unit is busy. */
function askThrough(session: IscsiSession, lun: bigint, { clock }: IscsiSurroundings): Ask {
  return async (cdb, allocationLength) => {
    const answer = Buffer.alloc(allocationLength);
    for (let tries = 1; ; tries++) {
      const { status, senseData, transferred } = await session.start({ lun, cdb, dataIn: [answer] }).result;
      if (status === ScsiStatus.GOOD) return answer.subarray(0, transferred);
      const sense = status === ScsiStatus.CHECK_CONDITION ? decodeSense(senseData) : undefined;
      const again =
        sense?.key === SenseKey.UNIT_ATTENTION || status === ScsiStatus.BUSY || status === ScsiStatus.TASK_SET_FULL;
      if (!again || tries >= MAXIMUM_TRIES) throw new ScsiError(commandName(cdb), status, sense);
      if (sense === undefined) await delay(clock, RETRY_DELAY);
    }
  };
}

async function withSession<T>(
  surroundings: IscsiSurroundings,
  options: ProbeOptions,
  portal: Portal,
  use: (session: IscsiSession) => Promise<T>,
): Promise<T> {
  const parts = initiatorParts(surroundings, options);
  const events = { attention: () => undefined, lost: () => undefined };
  const session = await openSession(parts, portal, loginOptions(surroundings, options), events);
  // A target that never answers a command is not waited for longer than for one that does not answer a login.
  const timer = surroundings.clock.after(parts.loginTimeout * 2, () => session.fail(new Error("no answer in time")));
  try {
    return await use(session);
  } finally {
    timer.cancel();
    await session.close();
  }
}

/**
 * The targets that a portal tells of, or the portals of one target.
 * @throws LoginError, TransportError
 */
export function probeTargets(
  surroundings: IscsiSurroundings,
  options: Omit<ProbeOptions, "targetName"> & { readonly targetName?: string | undefined },
  portal: Portal,
): Promise<DiscoveredTarget[]> {
  const parts = initiatorParts(surroundings, options);
  const login = loginOptions(surroundings, { ...options, targetName: "" });
  return discoverTargets(parts, portal, login, options.targetName);
}

/** The LUNs that a target shows us. @throws LoginError, ScsiError, TransportError */
export function probeLuns(
  surroundings: IscsiSurroundings,
  options: ProbeOptions,
  portal: Portal,
): Promise<readonly bigint[]> {
  return withSession(surroundings, options, portal, async (session) =>
    decodeReportLuns(await askThrough(session, 0n, surroundings)(reportLuns(REPORT_LUNS_LENGTH), REPORT_LUNS_LENGTH)),
  );
}

/** A unit through one portal. @throws LoginError, ScsiError, TransportError */
export function probePath(
  surroundings: IscsiSurroundings,
  options: ProbeOptions,
  portal: Portal,
  lun: bigint,
): Promise<ProbedPath> {
  return withSession(surroundings, options, portal, async (session) => ({
    portal,
    portalGroup: session.parameters.targetPortalGroupTag,
    headerDigest: session.parameters.headerDigest,
    dataDigest: session.parameters.dataDigest,
    survey: await surveyUnit(askThrough(session, lun, surroundings)),
  }));
}
