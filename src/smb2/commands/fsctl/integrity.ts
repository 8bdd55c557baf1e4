// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Reader, Writer } from "../../wire/cursor.ts";
import {
  ChecksumType,
  decodeSetIntegrityInformation,
  decodeSetIntegrityInformationEx,
  encodeGetIntegrityInformation,
  GET_INTEGRITY_INFORMATION_LENGTH,
  INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF,
} from "../../wire/fscc/integrity.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";
import { NO_OUTPUT } from "./fsctl.ts";

/*
 * Integrity streams are a property of ReFS. Backup software that clones blocks asks source and target whether they agree
 * about them before it clones, so that a volume that clones answers: no file has any, and none can be given some.
 */

/** FSCTL_GET_INTEGRITY_INFORMATION (MS-FSA 2.1.5.10.10). */
export function getIntegrityInformation(request: Request): Buffer {
  const { info } = cloningVolume(request);
  const writer = new Writer(GET_INTEGRITY_INFORMATION_LENGTH);
  encodeGetIntegrityInformation(writer, {
    checksumAlgorithm: ChecksumType.NONE,
    flags: 0,
    checksumChunkSize: 0,
    clusterSize: info.allocationUnit,
  });
  return writer.view();
}

/** FSCTL_SET_INTEGRITY_INFORMATION (MS-FSA 2.1.5.10.33): to have none is all that can be asked for. */
export function setIntegrityInformation(request: Request, ioctl: IoctlRequest): Buffer {
  const { info } = cloningVolume(request);
  const { checksumAlgorithm, flags } = decodeSetIntegrityInformation(new Reader(ioctl.input));
  const known: readonly number[] = Object.values(ChecksumType);
  if (!known.includes(checksumAlgorithm)) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const enable = checksumAlgorithm === ChecksumType.CRC32 || checksumAlgorithm === ChecksumType.CRC64;
  return setIntegrity(info.readOnly, enable, flags);
}

/** FSCTL_SET_INTEGRITY_INFORMATION_EX (MS-FSA 2.1.5.10.34). */
export function setIntegrityInformationEx(request: Request, ioctl: IoctlRequest): Buffer {
  const { info } = cloningVolume(request);
  const wanted = decodeSetIntegrityInformationEx(new Reader(ioctl.input));
  if (wanted.version !== 1) throw new SmbError(NtStatus.INVALID_PARAMETER);
  return setIntegrity(info.readOnly, wanted.enableIntegrity && !wanted.keepIntegrityStateUnchanged, wanted.flags);
}

function setIntegrity(readOnly: boolean, enable: boolean, flags: number): Buffer {
  const enforcementOff = (flags & INTEGRITY_FLAG_CHECKSUM_ENFORCEMENT_OFF) !== 0;
  if (flags !== 0 && !enforcementOff) throw new SmbError(NtStatus.INVALID_PARAMETER);
  // Not to enforce checksums that are not there makes no sense.
  if (enforcementOff && !enable) throw new SmbError(NtStatus.INVALID_PARAMETER);
  if (readOnly) throw new SmbError(NtStatus.MEDIA_WRITE_PROTECTED);
  if (enable) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  return NO_OUTPUT;
}

function cloningVolume(request: Request) {
  const { volume } = request.fileOpen.file;
  if (volume.clone === undefined) throw new SmbError(NtStatus.INVALID_DEVICE_REQUEST);
  return volume;
}
