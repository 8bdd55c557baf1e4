// SPDX-License-Identifier: Apache-2.0

import { expect, it } from "vitest";
import { PreauthHash } from "../../../src/smb2/crypto/preauth.ts";
import * as windows from "../../support/windows-session.ts";

it("chains the messages of a Windows session setup", () => {
  const connection = new PreauthHash();
  expect(connection.value).toEqual(Buffer.alloc(64));
  connection.update(windows.negotiateRequest);
  expect(connection.value).toEqual(windows.preauthHashes[0]);
  connection.update(windows.negotiateResponse);
  const session = connection.fork();
  const values: Buffer[] = [];
  for (const message of [windows.sessionSetupRequest1, windows.sessionSetupResponse1, windows.sessionSetupRequest2]) {
    session.update(message.subarray(0, 70), message.subarray(70));
    values.push(session.value);
  }
  expect(values).toEqual(windows.preauthHashes.slice(2));
  expect(connection.value).toEqual(windows.preauthHashes[1]);
});
