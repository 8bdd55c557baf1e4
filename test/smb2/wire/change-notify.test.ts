// SPDX-License-Identifier: Apache-2.0

import { describe, it } from "vitest";
import {
  decodeChangeNotifyRequest,
  decodeChangeNotifyResponse,
  encodeChangeNotifyRequest,
  encodeChangeNotifyResponse,
} from "../../../src/smb2/wire/change-notify.ts";
import { ChangeNotifyFlag, CompletionFilter } from "../../../src/smb2/wire/constants.ts";
import * as captured from "./captured.ts";
import { expectGolden, hex, withBody } from "./golden.ts";

describe("CHANGE_NOTIFY", () => {
  it("is read and written", () => {
    expectGolden(captured.changeNotifyRequest, decodeChangeNotifyRequest, encodeChangeNotifyRequest, {
      flags: 0,
      outputBufferLength: 8388608,
      fileId: { persistent: 0x32835a3dn, volatile: 0x6896d6cdn },
      completionFilter: 0xfff,
    });
    expectGolden(
      withBody("2000 0100 00040000 1112131415161718 2122232425262728 03000000 00000000"),
      decodeChangeNotifyRequest,
      encodeChangeNotifyRequest,
      {
        flags: ChangeNotifyFlag.WATCH_TREE,
        outputBufferLength: 1024,
        fileId: { persistent: 0x1817161514131211n, volatile: 0x2827262524232221n },
        completionFilter: CompletionFilter.FILE_NAME | CompletionFilter.DIR_NAME,
      },
    );
    expectGolden(captured.changeNotifyResponse, decodeChangeNotifyResponse, encodeChangeNotifyResponse, {
      output: hex("000000000200000012000000740065007300740030002e007400780074000000"),
    });
  });
});
