// SPDX-License-Identifier: Apache-2.0

import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { ntHashOfPassword } from "../../src/auth/nt-hash.ts";
import { FileAccountStore } from "../../src/auth/user-file.ts";
import { refusalReasons } from "../../src/offload/refusal.ts";
import { parseConfig } from "../../src/server/config/load.ts";
import type { Config } from "../../src/server/config/schema.ts";
import { askServer } from "../../src/server/control-client.ts";
import { controlSocketOf, statsSchema, tokensSchema } from "../../src/server/control-messages.ts";
import type { ServerLog } from "../../src/server/log.ts";
import { silentLog } from "../../src/server/log.ts";
import { ServerMetrics } from "../../src/server/metrics.ts";
import type { User } from "../../src/server/server.ts";
import { Service } from "../../src/server/service.ts";
import { StartupError } from "../../src/server/startup-error.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { offloadRead } from "../support/offload-client.ts";
import { statusOf } from "../support/server-harness.ts";
import { logOn } from "../support/smb-client.ts";
import { SmbConnection } from "../support/smb-connection.ts";
import { connectTcp } from "../support/smb-transport.ts";

const ALICE: User = { name: "alice", password: "secret1" };

describe("Service", () => {
  let folder: string;
  let messages: string[];
  let log: ServerLog;
  const services: Service[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "tessera-service-"));
    await mkdir(path.join(folder, "one"));
    await mkdir(path.join(folder, "two"));
    messages = [];
    const record = (fields: object, message: string) => void messages.push(`${message} ${JSON.stringify(fields)}`);
    log = { ...silentLog, warn: record, error: record, level: "info", flush() {}, reopen() {} };
  });

  afterEach(async () => {
    for (const service of services.splice(0)) await service.close();
    await rm(folder, { recursive: true });
  });

  /** A configuration in the folder; shares do without extended attributes, which its file system may not have. */
  function config(shares: Readonly<Record<string, string>>, server = ""): Config {
    const list = Object.entries(shares).map(
      ([name, root]) => `  - { name: ${name}, path: ${folder}/${root}, metadata: none }`,
    );
    const head = `server: { listen: ["127.0.0.1:0"], stateDirectory: ${folder}/state, timeouts: { shutdown: 100ms }${server} }`;
    return parseConfig(`${head}\nshares:\n${list.join("\n")}\n`, "t.yaml");
  }

  async function start(settings: Config, users: readonly User[] = [ALICE]): Promise<Service> {
    const service = await Service.start({ config: settings, users, log });
    services.push(service);
    return service;
  }

  async function session(service: Service, { name, password }: User) {
    const client = new SmbConnection(await connectTcp(service.addresses[0]?.port ?? 0));
    await client.negotiate();
    return logOn(client, { userName: name, password });
  }

  it("serves the folders of its configuration", async () => {
    const service = await start(config({ data: "one" }));
    const tree = await (await session(service, ALICE)).treeConnect("data");
    await tree.put("hello.txt", "hello");
    expect(await readFile(path.join(folder, "one/hello.txt"), "utf8")).toBe("hello");
  });

  it("reloads shares and users while a client works", async () => {
    const settings = config({ data: "one", going: "two" });
    const service = await start(settings, []);
    const file = path.join(folder, "state/users.json");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(messages.join()).toContain("there are no users yet");
    const store = await FileAccountStore.open(file);
    await store.set({ name: "alice", ntHash: await ntHashOfPassword("secret1") });
    await service.reload(async () => settings);
    const client = await session(service, ALICE);
    const data = await client.treeConnect("data");
    const going = await client.treeConnect("going");
    const open = await data.createFile("open");

    await store.set({ name: "bob", ntHash: await ntHashOfPassword("secret2") });
    await service.reload(async () => config({ data: "one", coming: "two" }));

    await open.write(0, "still open");
    await open.close();
    expect(await statusOf(going.put("x", "y"))).toBe("STATUS_NETWORK_NAME_DELETED");
    await (await (await session(service, { name: "bob", password: "secret2" })).treeConnect("coming")).put("x", "y");
    expect(await readFile(path.join(folder, "one/open"), "utf8")).toBe("still open");
  });

  it("ends the sessions of users who are gone", async () => {
    const settings = config({ data: "one" });
    const service = await start(settings, []);
    const store = await FileAccountStore.open(path.join(folder, "state/users.json"));
    for (const name of ["alice", "bob"]) await store.set({ name, ntHash: await ntHashOfPassword("secret1") });
    await service.reload(async () => settings);
    const alice = await (await session(service, ALICE)).treeConnect("data");
    const bob = await (await session(service, { name: "bob", password: "secret1" })).treeConnect("data");
    await store.remove("alice");
    await service.reload(async () => settings);
    expect(await statusOf(alice.put("file", "x"))).toBe("STATUS_USER_SESSION_DELETED");
    expect(await statusOf(bob.put("file", "x"))).toBe("STATUS_SUCCESS");
  });

  it("stays as it was when a reload fails", async () => {
    const service = await start(config({ data: "one" }));
    const tree = await (await session(service, ALICE)).treeConnect("data");
    await service.reload(async () => config({ data: "one", broken: "missing" }));
    expect(messages.join()).toContain("reload failed; everything stays as it was");
    expect(messages.join()).toContain(`the folder ${folder}/missing does not exist`);
    await tree.put("x", "y");
  });

  it("says when a changed setting needs a restart", async () => {
    const service = await start(config({ data: "one" }));
    await service.reload(async () => config({ data: "one" }, ", signing: required"));
    expect(messages.join()).toContain("they need a restart");
  });

  it("serves one volume where shares have one folder: a file is locked for both", async () => {
    const service = await start(config({ data: "one", again: "one" }));
    const client = await session(service, ALICE);
    const [data, again] = [await client.treeConnect("data"), await client.treeConnect("again")];
    await data.createFile("file", { shareAccess: 0 });
    expect(await statusOf(again.get("file"))).toBe("STATUS_SHARING_VIOLATION");
  });

  it("keeps its GUID over restarts", async () => {
    const guids: string[] = [];
    for (let round = 0; round < 2; round++) {
      const service = await start(config({ data: "one" }));
      const client = new SmbConnection(await connectTcp(service.addresses[0]?.port ?? 0));
      guids.push((await client.negotiate()).serverGuid.toString("hex"));
      await service.close();
    }
    expect(guids[1]).toBe(guids[0]);
  });

  it("refuses to start with a folder that is missing, a file for a folder, or settings that clash", async () => {
    await writeFile(path.join(folder, "file"), "");
    await expect(start(config({ data: "missing" }))).rejects.toThrow(
      `The share "data" cannot be served: the folder ${folder}/missing does not exist.`,
    );
    await expect(start(config({ data: "file" }))).rejects.toThrow(StartupError);
    const settings = config({ data: "one", again: "one" });
    const [first, second] = settings.shares;
    if (first === undefined || second === undefined) throw new Error("two shares");
    const clash: Config = { ...settings, shares: [first, { ...second, defaultSecurity: "posix" }] };
    await expect(start(clash)).rejects.toThrow("serve the same folder");
    const withFile: Config = { ...settings, server: { ...settings.server, usersFile: `${folder}/users.json` } };
    await expect(start(withFile)).rejects.toThrow("Users are given on the command line");
  });

  it("takes switches of shares over while a client has them open", async () => {
    const settings = config({ data: "one" });
    const service = await start(settings);
    const tree = await (await session(service, ALICE)).treeConnect("data");
    const file = await tree.createFile("file");
    const resumeKey = () => statusOf(file.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY));
    expect(await resumeKey()).toBe("STATUS_SUCCESS");
    const [data] = settings.shares;
    if (data === undefined) throw new Error("a share");
    const shares = [{ ...data, offload: { ...data.offload, copychunk: false } }];
    await service.reload(async () => ({ ...settings, shares }));
    expect(await resumeKey()).toBe("STATUS_NOT_SUPPORTED");
    await service.reload(async () => settings);
    expect(await resumeKey()).toBe("STATUS_SUCCESS");
  });

  it("tells on its control socket what it does, and which tokens it holds", async () => {
    const service = await start(config({ data: "one" }));
    const tree = await (await session(service, ALICE)).treeConnect("data");
    await tree.put("file", Buffer.alloc(1000, 1));
    await offloadRead(await tree.create("file"), { length: 1024 });
    const socket = controlSocketOf(path.join(folder, "state"));
    const { copies, tokens, sessions, opens } = await askServer(socket, "/stats", statsSchema);
    expect({ copies, sessions, opens }).toEqual({ copies: [], sessions: 1, opens: 1 });
    expect(tokens).toMatchObject({ tokens: 1, bytes: 1000 });
    const held = await askServer(socket, "/tokens", tokensSchema);
    expect(held.tokens).toMatchObject([{ userName: "alice", client: "127.0.0.1", share: "data", file: "file" }]);
    await service.close();
    await expect(askServer(socket, "/stats", statsSchema)).rejects.toThrow("No server is running");
  });

  it("needs the keys that it is told to use", async () => {
    const settings = config({ data: "one" });
    const offload = { ...settings.offload, keyFiles: [path.join(folder, "group.key")] };
    await expect(start({ ...settings, offload })).rejects.toThrow("group.key does not exist");
    await writeFile(path.join(folder, "group.key"), `${"5a".repeat(32)}\n`, { mode: 0o600 });
    await start({ ...settings, offload });
  });

  it("serves metrics", async () => {
    const settings = config({ data: "one" }, ', metrics: { listen: "127.0.0.1:0" }');
    const lines: object[] = [];
    log = { ...log, info: (fields) => void lines.push(fields) };
    const service = await start(settings);
    await session(service, ALICE);
    const [first] = lines;
    if (first === undefined || !("address" in first)) throw new Error("the address of the metrics was not logged");
    const text = await (await fetch(`http://${String(first.address)}/metrics`)).text();
    expect(text).toContain("tessera_sessions 1\n");
    expect(text).toContain("tessera_message_bytes 0\n");
    expect(text).toContain('tessera_requests_total{command="SESSION_SETUP",status="STATUS_SUCCESS"} 1\n');
  });
});

describe("the alerts in deploy/", () => {
  it("are about metrics and reasons that there are", async () => {
    const text = await readFile(new URL("../../deploy/prometheus-rules.yaml", import.meta.url), "utf8");
    const rules = parse(text) as { groups: { rules: { alert: string; expr: string }[] }[] };
    const expressions = rules.groups.flatMap((group) => group.rules.map(({ expr }) => expr));
    expect(expressions).toHaveLength(4);
    const metrics = new ServerMetrics();
    const known = (await metrics.registry.getMetricsAsJSON()).map(({ name }) => name);
    metrics.close();
    for (const name of expressions.join().match(/tessera_\w+/g) ?? []) expect(known).toContain(name);
    const reasons = [...expressions.join().matchAll(/reason=~?"([^"]+)"/g)].flatMap(([, names = ""]) =>
      names.split("|"),
    );
    expect(reasons).toHaveLength(4);
    for (const reason of reasons) expect([...refusalReasons, "too many tokens"]).toContain(reason);
  });
});

describe("the configuration in deploy/", () => {
  it("is valid", async () => {
    const text = await readFile(new URL("../../deploy/tessera.yaml", import.meta.url), "utf8");
    expect(parseConfig(text, "tessera.yaml").shares.map(({ name }) => name)).toEqual(["data", "archive"]);
  });
});
