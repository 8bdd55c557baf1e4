// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as pipe from "../../../../src/smb2/wire/fscc/pipe.ts";
import { expectFixedLength, expectGolden, wide } from "./codec.ts";

const long = 0x0102030405060708n;
const longHex = "0807060504030201";

describe("pipe controls", () => {
  it("writes FSCTL_PIPE_WAIT", () => {
    expectGolden(
      `${longHex} 08000000 01 00 ${wide("pipe")}`,
      { timeout: long, name: "pipe" },
      pipe.encodePipeWait,
      pipe.decodePipeWait,
    );
    expectGolden(
      `0000000000000000 02000000 00 00 ${wide("p")}`,
      { timeout: undefined, name: "p" },
      pipe.encodePipeWait,
      pipe.decodePipeWait,
    );
    expectFixedLength(14, pipe.decodePipeWait);
  });

  it("writes FSCTL_PIPE_PEEK", () => {
    expectGolden(
      "03000000 05000000 01000000 05000000 6869",
      {
        namedPipeState: 3,
        readDataAvailable: 5,
        numberOfMessages: 1,
        messageLength: 5,
        data: Buffer.from("hi"),
      },
      pipe.encodePipePeek,
      pipe.decodePipePeek,
    );
  });
});
