// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as compression from "../../../../src/smb2/wire/fscc/compression.ts";
import { expectGolden } from "./codec.ts";

describe("compression", () => {
  it("writes CompressionState", () => {
    expectGolden("0200", 2, compression.encodeCompressionState, compression.decodeCompressionState);
  });
});
