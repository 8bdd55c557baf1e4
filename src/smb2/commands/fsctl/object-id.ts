// SPDX-License-Identifier: Apache-2.0

import { type Awaitable, chain } from "../../../nt/awaitable.ts";
import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Writer } from "../../wire/cursor.ts";
import { encodeFileObjectIdBuffer, FILE_OBJECTID_BUFFER_LENGTH } from "../../wire/fscc/object-id.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";

const EXTENDED_INFO = Buffer.alloc(48);

/**
 * FSCTL_CREATE_OR_GET_OBJECT_ID and FSCTL_GET_OBJECT_ID (MS-FSA 2.1.5.10.1, 2.1.5.10.13). Every file has an object id from
 * the start: the serial number of its volume with its file id, so that it is as stable as they are.
 */
export function getObjectId(request: Request, ioctl: IoctlRequest): Awaitable<Buffer> {
  if (ioctl.maxOutputResponse < FILE_OBJECTID_BUFFER_LENGTH) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const { file } = request.fileOpen;
  return chain(file.node.stat(), ({ fileId }) => {
    const objectId = Buffer.alloc(16);
    objectId.writeUInt32LE(file.volume.info.serialNumber >>> 0, 0);
    objectId.writeBigUInt64LE(fileId, 8);
    const writer = new Writer(FILE_OBJECTID_BUFFER_LENGTH);
    encodeFileObjectIdBuffer(writer, { objectId, extendedInfo: EXTENDED_INFO });
    return writer.view();
  });
}
