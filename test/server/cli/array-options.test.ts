// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isIscsiName } from "../../../src/scsi/iscsi/url.ts";
import { probeOptions } from "../../../src/server/cli/array-options.ts";
import { StartupError } from "../../../src/server/startup-error.ts";

let folder: string;
const file = (name: string, text: string) => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "tessera-array-options-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

describe("options of the array commands", () => {
  it("do without any", () => {
    const { initiatorName, chap, session, targetName } = probeOptions({}, "iqn.2026-01.test:t");
    expect(isIscsiName(initiatorName)).toBe(true);
    expect({ chap, session, targetName }).toEqual({
      chap: undefined,
      session: { headerDigest: "none", dataDigest: "none" },
      targetName: "iqn.2026-01.test:t",
    });
  });

  it("take secrets from the first line of files", () => {
    const { chap } = probeOptions(
      {
        chapUser: "gateway",
        chapSecretFile: file("own", "our secret\nsomething else\n"),
        targetChapUser: "array",
        targetChapSecretFile: file("its", "its secret"),
        chapAlgorithm: "SHA256",
      },
      "",
    );
    expect(chap).toEqual({
      name: "gateway",
      secret: Buffer.from("our secret"),
      target: { name: "array", secret: Buffer.from("its secret") },
      algorithms: ["SHA256"],
    });
  });

  it("say what is wrong with them", () => {
    const chapSecretFile = file("secret", "a secret\n");
    for (const options of [
      { chapUser: "gateway" },
      { chapSecretFile },
      { chapUser: "gateway", chapSecretFile: join(folder, "none") },
      { chapUser: "gateway", chapSecretFile: file("empty", "\n") },
      { targetChapUser: "array", targetChapSecretFile: chapSecretFile },
      { chapUser: "gateway", chapSecretFile, chapAlgorithm: "MD4" },
      { digests: "yes" },
      { initiatorName: "gateway" },
    ]) {
      expect(() => probeOptions(options, "")).toThrow(StartupError);
    }
  });
});
