// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { LockFlag } from "../../../src/smb2/wire/constants.ts";
import { MalformedPacketError } from "../../../src/smb2/wire/cursor.ts";
import {
  decodeLockRequest,
  decodeLockResponse,
  encodeLockRequest,
  encodeLockResponse,
} from "../../../src/smb2/wire/lock.ts";
import * as captured from "./captured.ts";
import { bodyOf, expectEmptyGolden, expectGolden, withBody, withU16 } from "./golden.ts";

describe("LOCK", () => {
  it("carries several elements", () => {
    expectGolden(captured.lockRequest, decodeLockRequest, encodeLockRequest, {
      lockSequenceNumber: 0,
      lockSequenceIndex: 0,
      fileId: { persistent: 0xb1d4272cn, volatile: 0x7031106fn },
      locks: [
        { offset: 9999n, length: 1n, flags: 0 },
        { offset: 9999n, length: 1n, flags: LockFlag.UNLOCK },
      ],
    });
  });

  it("carries a lock sequence of 4 and 28 bits", () => {
    expectGolden(
      withBody(`
        3000 0100 0504 0080 1112131415161718 2122232425262728
        0807060504030201 ffffffffffffffff 12000000 00000000`),
      decodeLockRequest,
      encodeLockRequest,
      {
        lockSequenceNumber: 5,
        lockSequenceIndex: 0x8000040,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        locks: [
          {
            offset: 0x0102030405060708n,
            length: 0xffff_ffff_ffff_ffffn,
            flags: LockFlag.EXCLUSIVE_LOCK | LockFlag.FAIL_IMMEDIATELY,
          },
        ],
      },
    );
  });

  it("may have no elements, which the server judges, but not more than bytes", () => {
    expect(decodeLockRequest(bodyOf(withU16(captured.lockRequest, 64 + 2, 0))).locks).toEqual([]);
    for (const count of [3, 0xffff]) {
      const message = withU16(captured.lockRequest, 64 + 2, count);
      expect(() => decodeLockRequest(bodyOf(message))).toThrow(MalformedPacketError);
    }
  });

  it("has a response without fields", () => {
    expectEmptyGolden(captured.lockResponse, decodeLockResponse, encodeLockResponse);
  });
});
