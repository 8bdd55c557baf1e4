// SPDX-License-Identifier: Apache-2.0
/** What a simulated array is made of. */
import type { Clock } from "./clock.ts";
import type { ChapOptions } from "./iscsi/chap.ts";
import type { IscsiOptions } from "./iscsi/parameters.ts";
import type { OdxOptions } from "./odx/options.ts";

export interface UnitConfig {
  /** Name for the switches; default: the file's path. */
  readonly id?: string;
  /** The sparse file that holds the blocks; made where it is missing. */
  readonly file: string;
  /** Bytes; 0 or absent for an existing file as it is. */
  readonly size?: number;
  /** 512 or 4096; default 512. */
  readonly blockBytes?: number;
  /** Physical block = logical block × 2^exponent; default: 4096 bytes. */
  readonly physicalBlockExponent?: number;
  /** Thin provisioning with UNMAP; default true. */
  readonly thin?: boolean;
  readonly readOnly?: boolean;
  /** MAXIMUM TRANSFER LENGTH in blocks; default: 32 MiB. */
  readonly maxTransferBlocks?: number;
  /** How fast data are read and written; default 0: as fast as can be. */
  readonly bytesPerSecond?: number;
}

export interface TargetConfig {
  /** iSCSI name. */
  readonly name: string;
  readonly alias?: string;
  /** The units by their numbers; the same unit may be reached through several targets: name it by its `id`. */
  readonly luns: Readonly<Record<number, UnitConfig | string>> | readonly (UnitConfig | string)[];
  readonly chap?: ChapOptions;
  /** Portal groups that lead here; default: all. */
  readonly portalGroups?: readonly number[];
}

export interface PortalConfig {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 for a free one. */
  readonly port: number;
  /** Target portal group tag, 1 to 65535; default 1. */
  readonly portalGroup?: number;
}

export interface ArrayConfig {
  /** Different for each array; what units and tokens are named by. Default: a new one each time. */
  readonly identity?: string;
  /** Default: one, on a free port of 127.0.0.1. */
  readonly portals?: readonly PortalConfig[];
  readonly targets: readonly TargetConfig[];
  readonly iscsi?: Partial<IscsiOptions>;
  readonly odx?: Partial<OdxOptions>;
  readonly clock?: Clock;
  /** Takes a line for each session and each thing gone wrong. */
  readonly log?: (message: string) => void;
}
