// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { TokenRegistry } from "../../src/offload/token-registry.ts";
import type { TokenSource } from "../../src/offload/token-source.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { VolumeStream } from "../../src/vfs/volume.ts";
import { FakeClock } from "../support/fake-clock.ts";

const volume = new MemoryVolume();
const stream = (await volume.create(["file"], { directory: false, attributes: 0 }).file.openStream("")) as VolumeStream;

class RecordedSource implements TokenSource {
  readonly volume = volume;
  readonly stream = stream;
  readonly pinned = true;
  readonly endOfFile = 0;
  readonly lost = undefined;
  readonly calls: string[] = [];

  locate(offset: number, length: number) {
    return { from: this.stream, offset, length };
  }

  isUntouched() {
    return true;
  }

  used(expires: number) {
    this.calls.push(`used ${expires}`);
  }

  ended(now: number) {
    this.calls.push(`ended ${now}`);
  }

  release() {
    this.calls.push("released");
  }
}

const LIMITS = { maxTokens: 3, maxTokensPerSession: 2, maxTokenBytes: 1000 };

describe("the registry of tokens", () => {
  let clock: FakeClock;
  let registry: TokenRegistry;
  let failures: unknown[];
  const session = {};

  beforeEach(() => {
    clock = new FakeClock();
    failures = [];
    registry = new TokenRegistry(LIMITS, clock, (error) => void failures.push(error));
  });

  const add = (name: string, source: TokenSource, owner: object = session, length = 100) =>
    registry.add(Buffer.from(name), {
      source,
      offset: 0,
      length,
      session: owner,
      user: "",
      origin: { userName: "", client: "", share: "", file: "" },
      timeToLive: 1000,
    });
  const use = (name: string) => {
    const found = registry.use(Buffer.from(name));
    if (found === undefined) throw new Error("no such token");
    return found;
  };

  it("ends a token when its time is over, and says so before it gives the data up", () => {
    const source = new RecordedSource();
    add("a", source);
    const end = clock.now() + 1000;
    clock.advance(999);
    expect(registry.usage.tokens).toBe(1);
    clock.advance(1);
    expect(source.calls).toEqual([`ended ${end}`, "released"]);
    expect(registry.use(Buffer.from("a"))).toBeUndefined();
  });

  it("counts the time from the last use, and never ends what is in use", () => {
    const source = new RecordedSource();
    add("a", source);
    const inUse = use("a");
    clock.advance(5000);
    expect(source.calls).toEqual([]);
    inUse.end(false);
    expect(source.calls).toEqual([`used ${clock.now() + 1000}`]);
    clock.advance(999);
    expect(registry.usage.tokens).toBe(1);
    clock.advance(1001);
    expect(source.calls.at(-1)).toBe("released");
  });

  it("keeps the data of a revoked token until nobody reads them, and knows why", () => {
    const source = new RecordedSource();
    add("a", source);
    const inUse = use("a");
    inUse.revoke("data changed");
    expect(registry.usage).toEqual({ tokens: 0, bytes: 0, pins: 0, pinnedBytes: 0 });
    expect(source.calls).toEqual(["ended Infinity"]);
    inUse.end(false);
    expect(source.calls.at(-1)).toBe("released");
    expect(registry.whyEnded(Buffer.from("a"))).toBe("data changed");
    expect(registry.whyEnded(Buffer.from("b"))).toBeUndefined();
  });

  it("remembers the reasons of the last revoked tokens only", () => {
    for (let i = 0; i < 2000; i++) {
      add(`${i}`, new RecordedSource());
      const inUse = use(`${i}`);
      inUse.revoke("preserve limit");
      inUse.end(false);
    }
    expect(registry.whyEnded(Buffer.from("0"))).toBeUndefined();
    expect(registry.whyEnded(Buffer.from("1999"))).toBe("preserve limit");
  });

  it.each([
    ["tokens of a session", { owner: session, length: 1 }],
    ["bytes", { owner: {}, length: 801 }],
  ])("refuses more %s than allowed, unless a token was used up", (_, { owner, length }) => {
    const spent = new RecordedSource();
    add("a", spent);
    add("b", new RecordedSource());
    const refused = new RecordedSource();
    expect(() => add("c", refused, owner, length)).toThrow("too many tokens");
    expect(refused.calls).toEqual([]);
    use("a").end(true);
    add("c", new RecordedSource(), owner, length);
    expect(spent.calls.slice(-2)).toEqual(["ended Infinity", "released"]);
  });

  it("makes no room for a session that has enough at the cost of others", () => {
    add("other", new RecordedSource(), {});
    use("other").end(true);
    for (const name of ["a", "b"]) add(name, new RecordedSource());
    expect(() => add("c", new RecordedSource())).toThrow("too many tokens");
    expect(registry.usage.tokens).toBe(3);
  });

  it("makes room for everybody at the cost of what was used up, its own first", () => {
    const sources = ["a", "b", "c"].map((name, index) => {
      const source = new RecordedSource();
      add(name, source, index === 1 ? session : {});
      use(name).end(true);
      return source;
    });
    const gone = () => sources.map(({ calls }) => calls.includes("released"));
    add("d", new RecordedSource());
    expect(gone()).toEqual([false, true, false]);
    add("e", new RecordedSource());
    expect(gone()).toEqual([true, true, false]);
  });

  it("refuses more tokens in all than allowed", () => {
    for (const name of ["a", "b", "c"]) add(name, new RecordedSource(), {});
    expect(() => add("d", new RecordedSource(), {})).toThrow("too many tokens");
  });

  it("forgets tokens without ending them for others, when the server stops", () => {
    const source = new RecordedSource();
    add("a", source);
    registry.clear((one) => one !== source);
    expect(source.calls).toEqual([]);
    registry.clear();
    expect(source.calls).toEqual(["released"]);
    clock.advance(10_000);
    expect(source.calls).toEqual(["released"]);
  });

  it("prolongs nothing for a call that outlasts its token", () => {
    const source = new RecordedSource();
    add("a", source);
    const inUse = use("a");
    registry.clear();
    inUse.end(true);
    expect(source.calls).toEqual(["released"]);
  });

  it("goes on where data cannot be given up, and tells", () => {
    const source = new RecordedSource();
    source.release = () => {
      throw new Error("no");
    };
    add("a", source);
    registry.clear();
    expect(failures).toEqual([new Error("no")]);
    expect(registry.usage.tokens).toBe(0);
  });
});
