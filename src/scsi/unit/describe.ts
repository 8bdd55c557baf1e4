// SPDX-License-Identifier: Apache-2.0

import { decodeReadCapacity16, READ_CAPACITY_LENGTH, readCapacity16 } from "../commands/capacity.ts";
import {
  decodeBlockLimits,
  decodeDeviceIdentification,
  decodeProvisioning,
  decodeSerialNumber,
  decodeStandardInquiry,
  decodeSupportedPages,
  inquiry,
  noBlockLimits,
  type StandardInquiry,
  VpdPage,
} from "../commands/inquiry.ts";
import {
  AccessState,
  decodeTargetPortGroups,
  decodeWriteProtect,
  MODE_SENSE_LENGTH,
  modeSense6,
  reportTargetPortGroups,
} from "../commands/report.ts";
import { decodeThirdPartyCopy, type ThirdPartyCopy } from "../commands/vpd-third-party-copy.ts";
import { ScsiError, TransportError } from "../errors.ts";
import type { Designator, LogicalUnitDescription, Provisioning } from "../logical-unit.ts";
import type { PathQuality } from "./paths.ts";

/** Sends a command that answers with data. @returns what has come */
export type Ask = (cdb: Buffer, allocationLength: number) => Promise<Buffer>;

/** Large enough for every page; a page that is longer is cut, and read as far as it goes. */
const PAGE_LENGTH = 4096;
const INQUIRY_LENGTH = 96;

/** What was learned of a unit on one path. */
export interface Survey {
  readonly description: LogicalUnitDescription;
  /** Asymmetric access state of the path; `undefined` where the unit does not say. */
  readonly accessState: number | undefined;
}

const NAA = 3;
const EUI_64 = 2;
const SCSI_NAME = 8;
const T10_VENDOR_ID = 1;

const designatorName = (prefix: string, { identifier }: Designator): string =>
  prefix === "naa" || prefix === "eui"
    ? `${prefix}.${identifier.toString("hex")}`
    : `${prefix}.${identifier.toString("utf8").replace(/\0+$/, "").trim()}`;

/** The name by which a unit is known on every path. @throws TransportError it has none */
export function unitName(
  designators: readonly Designator[],
  serialNumber: string,
  inquiryData: StandardInquiry,
): string {
  for (const [type, prefix] of [
    [NAA, "naa"],
    [EUI_64, "eui"],
    [SCSI_NAME, "name"],
    [T10_VENDOR_ID, "t10"],
  ] as const) {
    const found = designators
      .filter((designator) => designator.association === 0 && designator.type === type)
      // The longest one has the most room for being unique; NAA 6 before NAA 3, which is locally assigned.
      .sort((a, b) => b.identifier.length - a.identifier.length)[0];
    if (found !== undefined && found.identifier.length > 0) return designatorName(prefix, found);
  }
  if (serialNumber === "") throw new TransportError("the unit has no designator and no serial number");
  return `serial.${inquiryData.vendor}.${inquiryData.product}.${serialNumber}`;
}

/** An answer that a unit may refuse to give. */
async function optional<T>(ask: Promise<T>): Promise<T | undefined> {
  try {
    return await ask;
  } catch (error) {
    if (error instanceof ScsiError) return undefined;
    throw error;
  }
}

/** Asks a unit what it is and can do. @throws ScsiError, TransportError it cannot be used */
export async function surveyUnit(ask: Ask): Promise<Survey> {
  const standard = decodeStandardInquiry(await ask(inquiry(INQUIRY_LENGTH), INQUIRY_LENGTH));
  if (standard.peripheralQualifier !== 0) throw new TransportError("there is no such logical unit");
  if (standard.deviceType !== 0) throw new TransportError("the logical unit is no block device");
  const supported = await optional(ask(inquiry(PAGE_LENGTH, VpdPage.SUPPORTED_PAGES), PAGE_LENGTH));
  const pages = supported === undefined ? new Set<number>() : decodeSupportedPages(supported);
  const page = async (number: number) =>
    pages.has(number) ? await optional(ask(inquiry(PAGE_LENGTH, number), PAGE_LENGTH)) : undefined;
  const identification = await page(VpdPage.DEVICE_IDENTIFICATION);
  const serial = await page(VpdPage.UNIT_SERIAL_NUMBER);
  const limits = await page(VpdPage.BLOCK_LIMITS);
  const thin = await page(VpdPage.LOGICAL_BLOCK_PROVISIONING);
  const copy = await page(VpdPage.THIRD_PARTY_COPY);
  const designators = identification === undefined ? [] : decodeDeviceIdentification(identification);
  const serialNumber = serial === undefined ? "" : decodeSerialNumber(serial);
  const capacity = decodeReadCapacity16(await ask(readCapacity16(), READ_CAPACITY_LENGTH));
  if (capacity.protection) throw new TransportError("the logical unit is formatted with protection information");
  const mode = await optional(ask(modeSense6(), MODE_SENSE_LENGTH));
  const { vendor, product, revision } = standard;
  return {
    description: {
      identity: {
        name: unitName(designators, serialNumber, standard),
        designators,
        vendor,
        product,
        revision,
        serialNumber,
      },
      capacity: {
        blocks: capacity.blocks,
        blockSize: capacity.blockSize,
        physicalBlockSize: capacity.physicalBlockSize,
        lowestAlignedLba: capacity.lowestAlignedLba,
      },
      limits: limits === undefined ? noBlockLimits : decodeBlockLimits(limits),
      provisioning: provisioningOf(thin, capacity.provisioningManaged, capacity.readsZeros),
      thirdPartyCopy: copy === undefined ? undefined : decodeCopyPage(copy),
      readOnly: mode !== undefined && mode.length >= MODE_SENSE_LENGTH && decodeWriteProtect(mode),
    },
    accessState: standard.targetPortGroupSupport === 0 ? undefined : await accessState(ask, designators),
  };
}

/** A page that makes no sense costs the token commands, and not the unit. */
function decodeCopyPage(page: Buffer): ThirdPartyCopy | undefined {
  try {
    return decodeThirdPartyCopy(page);
  } catch (error) {
    if (error instanceof TransportError) return undefined;
    throw error;
  }
}

function provisioningOf(page: Buffer | undefined, managed: boolean, readsZeros: boolean): Provisioning {
  if (page === undefined || !managed) {
    return { kind: "fully provisioned", unmap: false, writeSameUnmap: false, readsZeros: false };
  }
  const provisioning = decodeProvisioning(page);
  return { ...provisioning, readsZeros: provisioning.readsZeros || readsZeros };
}

const TARGET_PORT_GROUP = 5;
const TARGET_PORT = 1;

/** The state of the target port group to which this path leads. */
async function accessState(ask: Ask, designators: readonly Designator[]): Promise<number | undefined> {
  const ours = designators.find(({ association, type }) => association === TARGET_PORT && type === TARGET_PORT_GROUP);
  if (ours === undefined || ours.identifier.length < 4) return undefined;
  const data = await optional(ask(reportTargetPortGroups(PAGE_LENGTH), PAGE_LENGTH));
  if (data === undefined) return undefined;
  const group = ours.identifier.readUInt16BE(2);
  return decodeTargetPortGroups(data).find((found) => found.group === group)?.state;
}

/** @throws TransportError the path takes no commands in its present state */
export function pathQuality(state: number | undefined): PathQuality {
  switch (state) {
    case AccessState.STANDBY:
      throw new TransportError("the path is in standby");
    case AccessState.UNAVAILABLE:
    case AccessState.OFFLINE:
      throw new TransportError("the path is not available");
    case AccessState.ACTIVE_NON_OPTIMIZED:
    case AccessState.TRANSITIONING:
      return "usable";
    default:
      return "best";
  }
}
