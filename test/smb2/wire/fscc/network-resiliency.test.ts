// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as resiliency from "../../../../src/smb2/wire/fscc/network-resiliency.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

describe("NETWORK_RESILIENCY_REQUEST", () => {
  it("is a time and 4 reserved bytes", () => {
    expectGolden(
      "60ea0000 00000000",
      { timeout: 60_000 },
      resiliency.encodeNetworkResiliencyRequest,
      resiliency.decodeNetworkResiliencyRequest,
    );
    expectFixedLength(resiliency.NETWORK_RESILIENCY_REQUEST_SIZE, resiliency.decodeNetworkResiliencyRequest);
  });
});
