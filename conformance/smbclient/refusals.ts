// SPDX-License-Identifier: Apache-2.0
/** What a server has to refuse, with the status a client expects. */
import { symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Report } from "../lib/report.ts";
import { dialects, smbclient, smbclientFails, smbclientOk } from "../lib/smbclient.ts";
import type { SmbclientFixture } from "./suite.ts";

export async function refusalCases(report: Report, fixture: SmbclientFixture): Promise<void> {
  const { server, shareDir, localDir } = fixture;
  const options = { cwd: localDir };
  for (const dialect of dialects) {
    await report.check(`smbclient.${dialect}.wrong-password-refused`, () =>
      smbclientFails(server, "data", "ls", /NT_STATUS_LOGON_FAILURE/, { dialect, password: "not-the-password" }),
    );
  }
  await report.check("smbclient.unknown-user-refused", () =>
    smbclientFails(server, "data", "ls", /NT_STATUS_LOGON_FAILURE/, { user: "mallory", password: "secret1" }),
  );
  await report.check("smbclient.anonymous-refused", async () => {
    const result = await smbclient(server, "data", "ls", { user: "", password: "" });
    expect(/NT_STATUS_(ACCESS_DENIED|LOGON_FAILURE)/.test(result.output), result.output);
  });
  await report.check("smbclient.unknown-share-refused", () =>
    smbclientFails(server, "nowhere", "ls", /NT_STATUS_BAD_NETWORK_NAME/),
  );
  await report.check("smbclient.smb1-refused", async () => {
    const extra = ["--option=client min protocol=NT1", "--option=client max protocol=NT1"];
    const result = await smbclient(server, "data", "ls", { extra });
    expect(
      /protocol negotiation failed|NT_STATUS_(INVALID_NETWORK_RESPONSE|CONNECTION_)/.test(result.output),
      result.output,
    );
  });
  await report.check("smbclient.missing-file", () =>
    smbclientFails(server, "data", "get missing.txt", /NT_STATUS_OBJECT_NAME_NOT_FOUND/, options),
  );
  await report.check("smbclient.missing-folder", () =>
    smbclientFails(server, "data", "get missing\\file.txt", /NT_STATUS_OBJECT_PATH_NOT_FOUND/, options),
  );
  await report.check("smbclient.existing-folder", async () => {
    await smbclientOk(server, "data", "mkdir twice");
    await smbclientFails(server, "data", "mkdir twice", /NT_STATUS_OBJECT_NAME_COLLISION/);
  });
  await report.check("smbclient.folder-not-empty", async () => {
    await smbclientOk(server, "data", "put source.bin twice\\file.bin", options);
    await smbclientFails(server, "data", "rmdir twice", /NT_STATUS_DIRECTORY_NOT_EMPTY/);
    await smbclientOk(server, "data", "deltree twice");
  });
  await report.check("smbclient.read-only-file-not-deleted", async () => {
    await smbclientOk(server, "data", "put small.txt fixed.txt; setmode fixed.txt +r", options);
    await smbclientFails(server, "data", "del fixed.txt", /NT_STATUS_CANNOT_DELETE/);
    await smbclientOk(server, "data", "setmode fixed.txt -r; del fixed.txt");
  });
  await report.check("smbclient.symlink-outside-refused", async () => {
    const secret = join(localDir, "secret.txt");
    writeFileSync(secret, "outside of the share\n");
    symlinkSync(secret, join(shareDir, "leak-absolute.txt"));
    symlinkSync("../local/secret.txt", join(shareDir, "leak-relative.txt"));
    symlinkSync(localDir, join(shareDir, "leak-folder"));
    for (const name of ["leak-absolute.txt", "leak-relative.txt", "leak-folder\\secret.txt"]) {
      const result = await smbclient(server, "data", `get ${name} leaked.out`, options);
      expect(/NT_STATUS_/.test(result.output), `${name} was served\n${result.output}`);
    }
    const result = await smbclient(server, "data", "put small.txt leak-folder\\planted.txt", options);
    expect(/NT_STATUS_/.test(result.output), `a file was written outside of the share\n${result.output}`);
  });
}
