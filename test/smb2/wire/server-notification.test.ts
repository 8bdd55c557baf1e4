// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { MalformedPacketError, Reader } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeServerNotification,
  encodeServerNotification,
  NotificationType,
} from "../../../src/smb2/wire/server-notification.ts";
import { expectGolden, hex, withBody } from "./golden.ts";

describe("SERVER_TO_CLIENT_NOTIFICATION", () => {
  it("tells that a session was closed", () => {
    expectGolden(withBody("0c00 0000 00000000 00000000"), decodeServerNotification, encodeServerNotification, {
      notificationType: NotificationType.SESSION_CLOSED,
    });
  });

  it("is refused with another size, or cut short", () => {
    expect(() => decodeServerNotification(new Reader(hex("1200 0000 00000000 00000000")))).toThrow(
      MalformedPacketError,
    );
    expect(() => decodeServerNotification(new Reader(hex("0c00 0000 00000000")))).toThrow(MalformedPacketError);
  });
});
