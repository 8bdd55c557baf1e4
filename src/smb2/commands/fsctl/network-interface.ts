// SPDX-License-Identifier: Apache-2.0

import { NtStatus, SmbError } from "../../../nt/status.ts";
import type { Request } from "../../request.ts";
import { Dialect } from "../../wire/constants.ts";
import { Writer } from "../../wire/cursor.ts";
import { encodeNetworkInterfaces, NetworkInterfaceCapability } from "../../wire/fscc/network-interface.ts";
import type { IoctlRequest } from "../../wire/ioctl.ts";

/** FSCTL_QUERY_NETWORK_INTERFACE_INFO (MS-SMB2 3.3.5.15.11): where further channels can be opened to. */
export function queryNetworkInterfaceInfo(request: Request, ioctl: IoctlRequest): Buffer {
  if (request.connection.dialect < Dialect.SMB_3_0) throw new SmbError(NtStatus.NOT_SUPPORTED);
  if (ioctl.input.length !== 0) throw new SmbError(NtStatus.INVALID_PARAMETER);
  const writer = new Writer(1024);
  encodeNetworkInterfaces(
    writer,
    request.server.context.networkInterfaces().map(({ index, address, linkSpeed, receiveSideScaling }) => ({
      ifIndex: index,
      capability: receiveSideScaling ? NetworkInterfaceCapability.RSS_CAPABLE : 0,
      linkSpeed,
      address,
    })),
  );
  const output = writer.view();
  if (output.length > ioctl.maxOutputResponse) throw new SmbError(NtStatus.BUFFER_TOO_SMALL);
  return output;
}
