// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseListenOption, parseUserOption, serveConfig } from "../../../src/server/cli/serve-options.ts";
import { UsageError } from "../../../src/server/startup-error.ts";

describe("serveConfig", () => {
  let folder: string;
  let file: string;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-serve-"));
    file = path.join(folder, "tessera.yaml");
    await writeFile(file, "server: { listen: ['10.0.0.1:445'], name: NAS }\nshares: [{ name: one, path: one }]\n");
  });

  afterEach(() => rm(folder, { recursive: true }));

  it("needs no file", async () => {
    const config = await serveConfig({ listen: ["127.0.0.1:4455", "[::1]:4455"], share: ["data=/srv/data", "b=x=y"] });
    expect(config.server.listen).toEqual([
      { host: "127.0.0.1", port: 4455 },
      { host: "::1", port: 4455 },
    ]);
    expect(config.shares.map(({ name, path: root }) => [name, root])).toEqual([
      ["data", "/srv/data"],
      ["b", path.resolve("x=y")],
    ]);
  });

  it("puts options over the file, and their shares beside its own", async () => {
    const config = await serveConfig({ config: file, listen: ["127.0.0.1:1"], share: ["two=/two"], logLevel: "debug" });
    expect(config.server.listen).toEqual([{ host: "127.0.0.1", port: 1 }]);
    expect(config.server.name).toBe("NAS");
    expect(config.server.logging.level).toBe("debug");
    expect(config.shares.map(({ name }) => name)).toEqual(["one", "two"]);
  });

  it("keeps what the file says where no option says otherwise", async () => {
    const config = await serveConfig({ config: file });
    expect(config.server.listen).toEqual([{ host: "10.0.0.1", port: 445 }]);
    expect(config.server.logging.level).toBe("info");
    expect(config.shares[0]?.path).toBe(path.join(folder, "one"));
  });

  it.each([
    [{ share: ["data"] }, "must be NAME=DIR"],
    [{ share: ["=/srv"] }, "must not be empty"],
    [{ share: ["data="] }, "must be NAME=DIR"],
    [{ share: ["a/b=/srv"] }, "must not contain any of"],
    [{ share: ["a=/x", "A=/y"] }, "there is a share with this name already"],
    [{ share: ["a=/x"], listen: ["nowhere:x"] }, "must be HOST:PORT"],
    [{ share: ["a=/x"], logLevel: "loud" }, "must be one of debug, info, warn, error, silent"],
  ])("refuses %j", async (options, message) => {
    const result = serveConfig(options);
    await expect(result).rejects.toThrow(message);
    await expect(result).rejects.toBeInstanceOf(UsageError);
  });

  it("refuses a share of the command line that the file has too", async () => {
    await expect(serveConfig({ config: file, share: ["ONE=/x"] })).rejects.toThrow(
      "there is a share with this name already",
    );
  });
});

describe("parseUserOption", () => {
  it("takes everything behind the first colon as the password", () => {
    expect(parseUserOption("alice:a:b @c")).toEqual({ name: "alice", password: "a:b @c" });
  });

  it.each(["alice", "alice:", ":secret", "a/b:secret", "geheim"])("refuses %j without repeating it", (value) => {
    expect(() => parseUserOption(value)).toThrow(UsageError);
    expect(() => parseUserOption(value)).not.toThrow(/secret|geheim/);
  });
});

describe("parseListenOption", () => {
  it("takes port 445 where none is named", () => {
    expect(parseListenOption("0.0.0.0")).toEqual({ host: "0.0.0.0", port: 445 });
  });
});
