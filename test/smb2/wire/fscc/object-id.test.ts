// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as objectId from "../../../../src/smb2/wire/fscc/object-id.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

describe("object IDs", () => {
  it("writes FILE_OBJECTID_BUFFER, 64 bytes", () => {
    expectGolden(
      `${"11".repeat(16)} ${"22".repeat(48)}`,
      { objectId: Buffer.alloc(16, 0x11), extendedInfo: Buffer.alloc(48, 0x22) },
      objectId.encodeFileObjectIdBuffer,
      objectId.decodeFileObjectIdBuffer,
    );
    expectFixedLength(objectId.FILE_OBJECTID_BUFFER_LENGTH, objectId.decodeFileObjectIdBuffer);
  });
});
