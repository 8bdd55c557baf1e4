// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { LeaseBreakFlag, LeaseState, OplockLevel } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeOplockBreakNotification,
  decodeOplockBreakRequest,
  decodeOplockBreakResponse,
  encodeOplockBreakNotification,
  encodeOplockBreakRequest,
  encodeOplockBreakResponse,
  type LeaseBreak,
  type OplockBreak,
} from "../../../src/smb2/wire/oplock-break.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectGolden, hex } from "./golden.ts";

const oplock: OplockBreak = {
  kind: "oplock",
  oplockLevel: OplockLevel.II,
  fileId: { persistent: 0x6b09ec95n, volatile: 0xb1f72fa7n },
};
const lease: LeaseBreak = {
  kind: "lease",
  leaseKey: hex("0df0dde0fe0fdcbaf20f221f01f02345"),
  leaseState: LeaseState.READ_CACHING,
};

describe("OPLOCK_BREAK", () => {
  it("has an oplock form", () => {
    expectGolden(
      captured.oplockBreakNotification,
      decodeOplockBreakNotification,
      encodeOplockBreakNotification,
      oplock,
    );
    expectGolden(captured.oplockBreakAcknowledgment, decodeOplockBreakRequest, encodeOplockBreakRequest, oplock);
    expectGolden(captured.oplockBreakResponse, decodeOplockBreakResponse, encodeOplockBreakResponse, oplock);
  });

  it("has a lease form", () => {
    expectGolden(captured.leaseBreakNotification, decodeOplockBreakNotification, encodeOplockBreakNotification, {
      kind: "lease",
      newEpoch: 0,
      flags: LeaseBreakFlag.ACK_REQUIRED,
      leaseKey: hex("0df0dde0fe0fdcbaf20f221f01f02345"),
      currentLeaseState: LeaseState.READ_CACHING | LeaseState.WRITE_CACHING,
      newLeaseState: LeaseState.READ_CACHING,
    });
    expectGolden(captured.leaseBreakAcknowledgment, decodeOplockBreakRequest, encodeOplockBreakRequest, lease);
    expectGolden(captured.leaseBreakResponse, decodeOplockBreakResponse, encodeOplockBreakResponse, lease);
  });

  it("tells the forms apart by their size alone", () => {
    expect(() => decodeOplockBreakRequest(bodyOf(captured.leaseBreakNotification))).toThrow(MalformedPacketError);
    expect(() => decodeOplockBreakNotification(bodyOf(captured.leaseBreakResponse))).toThrow(MalformedPacketError);
  });
});
