// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileOpen } from "../../../src/smb2/state/open.ts";
import { LeaseState, ShareAccess } from "../../../src/smb2/wire/constants.ts";
import { LeaseClient, type LeasedFile, type Opening } from "../../support/lease-client.ts";
import { ServerHarness, settle } from "../../support/server-harness.ts";

const ACKNOWLEDGMENT_TIMEOUT = 35_000;
const CLIENTS = 3;
const NAME = "file";

const SHARED = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE;
const { READ_CACHING, WRITE_CACHING } = LeaseState;

/**
 * A client that caches what its lease allows, as MS-SMB2 3.2 wants it: it keeps what it has read, writes back late, and gives
 * up at a break before it acknowledges. The file is one byte; `latest` is what the last finished write, of whichever client, has
 * put there.
 */
class CachingClient {
  readonly client: LeaseClient;
  readonly key: number;
  readonly #world: World;
  opening: Opening | undefined;
  file: LeasedFile | undefined;
  state = "";
  #cached: number | undefined;
  #dirty = false;
  #seen = 0;
  /** Breaks that it was told of and has not acknowledged. */
  readonly #pending: string[] = [];

  constructor(client: LeaseClient, key: number, world: World) {
    this.client = client;
    this.key = key;
    this.#world = world;
  }

  /** @param shareAccess 0 wants the file for itself: others close what they only keep for later, or the open fails */
  begin(state: string, shareAccess: number): void {
    if (this.file !== undefined || this.opening !== undefined) return;
    const opening = this.client.begin(NAME, { key: this.key, state, version: 1, request: { shareAccess } });
    this.opening = opening;
    void opening.opened.then(
      (file) => {
        this.opening = undefined;
        this.file = file;
        this.state = file.state ?? "";
      },
      () => {
        this.opening = undefined;
      },
    );
  }

  /**
   * Takes the notifications that have arrived, in their order. What has been read is gone at once: only who caches writes is waited for
   * by what breaks his lease (MS-FSA 2.1.4.12).
   */
  hear(): void {
    const { breaks } = this.client;
    for (const { to, flags } of breaks.slice(this.#seen)) {
      if (!this.state.includes("W")) this.#keep(to);
      if (flags !== 0) this.#pending.push(to);
    }
    this.#seen = breaks.length;
  }

  /** Writes back, forgets what it may keep no longer, acknowledges. */
  async answer(): Promise<void> {
    this.hear();
    const to = this.#pending.shift();
    if (to === undefined || this.file === undefined) return;
    await this.#writeBack();
    this.#keep(to);
    // A break may have run out meanwhile, or more may be asked for: the server says so.
    await this.client.acknowledge(this.key, to).catch(() => {});
  }

  #keep(state: string): void {
    this.state = [...this.state].filter((right) => state.includes(right)).join("");
    if (!this.state.includes("R")) this.#cached = undefined;
  }

  async #writeBack(): Promise<void> {
    if (!this.#dirty || this.file === undefined || this.#cached === undefined) return;
    this.#dirty = false;
    await this.file.file.write(0, Buffer.from([this.#cached]));
  }

  async read(): Promise<void> {
    this.hear();
    if (this.file === undefined) return;
    const value = this.#cached ?? (await this.file.file.read(0, 1))[0];
    expect(value, `read by client ${this.key} with "${this.state}"`).toBe(this.#world.latest);
    if (this.state.includes("R")) this.#cached = value;
  }

  async write(value: number): Promise<void> {
    this.hear();
    if (this.file === undefined) return;
    if (this.state.includes("W")) {
      this.#cached = value;
      this.#dirty = true;
    } else {
      const writing = this.file.file.write(0, Buffer.from([value]));
      // A write may have to wait for others to hear of it.
      await this.#world.until(writing);
      if (this.state.includes("R")) this.#cached = value;
    }
    this.#world.latest = value;
  }

  async close(): Promise<void> {
    if (this.file === undefined) return;
    await this.#writeBack();
    await this.file.file.close();
    this.forget();
  }

  forget(): void {
    this.file = undefined;
    this.state = "";
    this.#cached = undefined;
    this.#dirty = false;
    this.#pending.length = 0;
  }
}

class World {
  readonly harness: ServerHarness;
  readonly clients: CachingClient[] = [];
  latest = 0;

  constructor(harness: ServerHarness) {
    this.harness = harness;
  }

  static async start(): Promise<World> {
    const harness = await ServerHarness.start();
    const world = new World(harness);
    for (let key = 1; key <= CLIENTS; key++)
      world.clients.push(new CachingClient(await LeaseClient.mount(harness), key, world));
    const first = await LeaseClient.mount(harness);
    const { file } = await first.open(NAME, {});
    await file.write(0, Buffer.from([0]));
    await file.close();
    return world;
  }

  /** Lets all clients answer until an operation is through. */
  async until(operation: Promise<unknown>): Promise<void> {
    let done = false;
    void operation.finally(() => {
      done = true;
    });
    for (let round = 0; round < 20; round++) {
      await settle();
      if (done) break;
      for (const client of this.clients) await client.answer();
    }
    await operation;
  }

  /** Nobody holds what excludes what another holds, and nobody believes to hold what the server does not know of. */
  check(): void {
    const opens: FileOpen[] = [];
    for (const session of this.harness.server.sessions.values()) {
      for (const open of session.opens.values()) if (open.kind === "file") opens.push(open);
    }
    const leases = new Set(opens.flatMap(({ lease }) => (lease === undefined ? [] : [lease])));
    for (const lease of leases) {
      if ((lease.state & WRITE_CACHING) === 0) continue;
      for (const other of leases) {
        if (other !== lease) expect(other.state & (READ_CACHING | WRITE_CACHING), "caches beside a writer").toBe(0);
      }
    }
    for (const { key, state, client } of this.clients) {
      client.tree.session.connection.notifications.length;
      const held = [...leases].find((lease) => lease.leaseKey[0] === key)?.state ?? 0;
      if (state.includes("W")) expect(held & WRITE_CACHING, "a writer that the server has forgotten").not.toBe(0);
    }
  }
}

type Step = (world: World) => Promise<void>;

const client = fc.nat(CLIENTS - 1);
const rights = fc.constantFrom("", "R", "RH", "RW", "RWH");

function stepOf(name: string, run: (client: CachingClient) => Promise<void>): fc.Arbitrary<Step> {
  return client.map((index) =>
    Object.assign(
      async (world: World) => {
        const chosen = world.clients[index];
        if (chosen !== undefined) await run(chosen);
      },
      { toString: () => `${name}(${index + 1})` },
    ),
  );
}

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(client, rights, fc.constantFrom(SHARED, SHARED, 0)).map(([index, state, share]) =>
    Object.assign(async (world: World) => world.clients[index]?.begin(state, share), {
      toString: () => `open(${index + 1}, "${state}", ${share})`,
    }),
  ),
  stepOf("read", (one) => one.read()),
  fc.tuple(client, fc.integer({ min: 1, max: 255 })).map(([index, value]) =>
    Object.assign(async (world: World) => world.clients[index]?.write(value), {
      toString: () => `write(${index + 1}, ${value})`,
    }),
  ),
  stepOf("answer", (one) => one.answer()),
  stepOf("close", (one) => one.close()),
);

describe("clients that cache one file", () => {
  it("never read what another has replaced, and never exclude each other in vain", { timeout: 60_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        const world = await World.start();
        for (const run of steps) {
          await run(world);
          await settle();
          for (const one of world.clients) one.hear();
          world.check();
        }
        // Everybody answers what he was asked: then nothing waits any more.
        for (let round = 0; round < 20; round++) {
          for (const one of world.clients) await one.answer();
          await settle();
        }
        expect(world.clients.filter(({ opening }) => opening !== undefined)).toEqual([]);
        for (const one of world.clients) await one.read();
        for (const one of world.clients) await one.close();
        expect(world.harness.server.leases.size).toBe(0);
        expect(world.harness.errors).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("goes on without a client that says nothing", async () => {
    const world = await World.start();
    const [silent, other] = world.clients;
    if (silent === undefined || other === undefined) throw new Error("no clients");
    silent.begin("RWH", SHARED);
    await settle();
    other.begin("RWH", SHARED);
    await settle();
    expect(other.opening).toBeDefined();
    world.harness.clock.advance(ACKNOWLEDGMENT_TIMEOUT);
    await settle();
    expect(other.state).toBe("RH");
  });
});
