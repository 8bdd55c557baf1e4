// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startUser } from "../../src/server/cli/start.ts";
import { StartupError } from "../../src/server/startup-error.ts";
import {
  defaultStateDirectory,
  ensureStateDirectory,
  loadServerGuid,
  writeSecretFile,
} from "../../src/server/state-directory.ts";

describe("defaultStateDirectory", () => {
  it.each([
    [{ STATE_DIRECTORY: "/var/lib/tessera", XDG_STATE_HOME: "/x" }, "/var/lib/tessera"],
    [{ STATE_DIRECTORY: "/a:/b" }, "/a"],
    [{ XDG_STATE_HOME: "/x" }, "/x/tessera"],
    [{ XDG_STATE_HOME: "relative" }, path.join(homedir(), ".local/state/tessera")],
    [{}, path.join(homedir(), ".local/state/tessera")],
  ])("of %j is %s", (environment, expected) => {
    expect(defaultStateDirectory(environment)).toBe(expected);
  });
});

describe("files that outlive a restart", () => {
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-state-"));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("creates the state directory for its owner alone, and says when it cannot", async () => {
    const deep = path.join(folder, "a/b");
    await ensureStateDirectory(deep);
    expect((await stat(deep)).mode & 0o777).toBe(0o700);
    await writeFile(path.join(folder, "file"), "");
    await expect(ensureStateDirectory(path.join(folder, "file/x"))).rejects.toThrow(StartupError);
  });

  it("replaces secret files whole, for their owner alone", async () => {
    const file = path.join(folder, "secret");
    await writeFile(file, "old", { mode: 0o644 });
    await writeSecretFile(file, "new");
    expect(await readFile(file, "utf8")).toBe("new");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(["secret"]);
  });

  it("keeps the server's GUID, and makes a new one in place of a broken one", async () => {
    const guid = await loadServerGuid(folder);
    expect(guid).toHaveLength(16);
    expect(await loadServerGuid(folder)).toEqual(guid);
    await writeFile(path.join(folder, "server-guid"), "nonsense");
    expect(await loadServerGuid(folder)).not.toEqual(guid);
  });

  it("keeps the user of `tessera start`", async () => {
    const user = await startUser(folder);
    expect(user.name).toBe("tessera");
    expect(user.password).toMatch(/^[A-Za-z2-9]{20}$/);
    expect((await stat(user.file)).mode & 0o777).toBe(0o600);
    expect(await startUser(folder)).toEqual(user);
    await writeFile(user.file, "me:my: own\n");
    expect(await startUser(folder)).toMatchObject({ name: "me", password: "my: own" });
  });
});
