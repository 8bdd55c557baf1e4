// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import * as pipe from "../../../../src/smb2/wire/fscc/pipe-info.ts";
import { expectFixedLength, expectGolden } from "./codec.ts";

describe("pipes", () => {
  it("writes the three classes", () => {
    expectGolden(
      "01000000 00000000",
      { readMode: pipe.PipeMode.MESSAGE, completionMode: pipe.PipeCompletionMode.QUEUE_OPERATION },
      pipe.encodeFilePipeInformation,
      pipe.decodeFilePipeInformation,
    );
    expectGolden(
      "01000000 02000000 ffffffff 03000000 00100000 05000000 00200000 06000000 03000000 00000000",
      {
        namedPipeType: pipe.PipeMode.MESSAGE,
        namedPipeConfiguration: pipe.PipeConfiguration.FULL_DUPLEX,
        maximumInstances: 0xffffffff,
        currentInstances: 3,
        inboundQuota: 0x1000,
        readDataAvailable: 5,
        outboundQuota: 0x2000,
        writeQuotaAvailable: 6,
        namedPipeState: pipe.PipeState.CONNECTED,
        namedPipeEnd: pipe.PipeEnd.CLIENT,
      },
      pipe.encodeFilePipeLocalInformation,
      pipe.decodeFilePipeLocalInformation,
    );
    expectGolden(
      "0807060504030201 00040000",
      { collectDataTime: 0x0102030405060708n, maximumCollectionCount: 1024 },
      pipe.encodeFilePipeRemoteInformation,
      pipe.decodeFilePipeRemoteInformation,
    );
    expectFixedLength(40, pipe.decodeFilePipeLocalInformation);
  });
});
