// SPDX-License-Identifier: Apache-2.0

import type { Request } from "../request.ts";
import { decodeEchoRequest, encodeEchoResponse } from "../wire/echo.ts";
import { command } from "./command.ts";

/** SMB2 ECHO (MS-SMB2 3.3.5.17). */
export const echo = command({
  decode: decodeEchoRequest,
  handle: (request: Request) => encodeEchoResponse(request.writer),
  session: "named",
  tree: false,
});
