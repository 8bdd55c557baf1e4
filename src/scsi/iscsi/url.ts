// SPDX-License-Identifier: Apache-2.0

import { parseLun } from "./lun.ts";
import type { Portal } from "./transport.ts";

export const DEFAULT_ISCSI_PORT = 3260;

/**
 * Reads `host`, `host:port` or `[address]:port`, and `,tag` behind it, as TargetAddress has it (RFC 7143 13.8).
 * @returns undefined for anything else
 */
export function parsePortal(text: string): Portal | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%a-z]+)\]|([^[\]:,/\s]+))(?::(\d{1,5}))?(?:,(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined || host.length > 255) return undefined;
  const port = match?.[3] === undefined ? DEFAULT_ISCSI_PORT : Number(match[3]);
  if (port < 1 || port > 65535) return undefined;
  const tag = match?.[4];
  return tag === undefined ? { host, port } : { host, port, portalGroupTag: Number(tag) };
}

/** The parts of `iscsi://host:port/target/lun`. */
export interface IscsiUrl {
  readonly portal: Portal;
  readonly targetName: string | undefined;
  readonly lun: bigint | undefined;
}

/** iSCSI names begin with one of these (RFC 7143 4.2.7). */
export const isIscsiName = (name: string): boolean => /^(iqn\.|eui\.|naa\.)[^\s/]{1,219}$/.test(name);

/** @returns undefined for anything that is no such URL; target and LUN may be missing at its end */
export function parseIscsiUrl(text: string): IscsiUrl | undefined {
  const match = /^iscsi:\/\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?\/?$/.exec(text);
  const portal = match?.[1] === undefined ? undefined : parsePortal(match[1]);
  if (match === null || portal === undefined) return undefined;
  const targetName = match[2];
  if (targetName !== undefined && !isIscsiName(targetName)) return undefined;
  const lun = match[3] === undefined ? undefined : parseLun(match[3]);
  if (match[3] !== undefined && lun === undefined) return undefined;
  return { portal, targetName, lun };
}
