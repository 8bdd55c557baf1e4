// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from "vitest";
import { shortNameOf } from "../../../src/nt/short-name.ts";
import { TunnelCache } from "../../../src/smb2/state/tunnel-cache.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const LONG = "A long name.text";
const SHORT = shortNameOf(LONG);

describe("TunnelCache", () => {
  it("gives the creation time to the next file of the name, once, and leaves it the case it asks for", () => {
    const tunnel = new TunnelCache(new FakeClock());
    tunnel.add(["Dir", "File"], "dir\\file", 7n);
    expect(tunnel.take(["Other", "File"])).toBeUndefined();
    expect(tunnel.take(["DIR", "FILE"])).toEqual({ name: "FILE", creationTime: 7n });
    expect(tunnel.take(["DIR", "FILE"])).toBeUndefined();
  });

  it("gives back the long name of a file that was known by its short one", () => {
    const tunnel = new TunnelCache(new FakeClock());
    tunnel.add(["dir", LONG], `dir\\${SHORT.toLowerCase()}`, 7n);
    expect(tunnel.take(["dir", LONG])).toBeUndefined();
    expect(tunnel.take(["dir", SHORT])).toEqual({ name: LONG, creationTime: 7n });
    tunnel.add(["dir", LONG], `dir\\${LONG}`, 8n);
    expect(tunnel.take(["dir", SHORT])).toBeUndefined();
  });

  it("forgets after 15 seconds", () => {
    const clock = new FakeClock();
    const tunnel = new TunnelCache(clock);
    tunnel.add(["file"], "file", 7n);
    clock.advance(14_999);
    tunnel.add(["other"], "other", 8n);
    clock.advance(1);
    expect(tunnel.take(["file"])).toBeUndefined();
    expect(tunnel.take(["other"])).toEqual({ name: "other", creationTime: 8n });
  });

  it("forgets what lay below a directory", () => {
    const tunnel = new TunnelCache(new FakeClock());
    tunnel.add(["dir", "file"], "dir\\file", 1n);
    tunnel.add(["dir", "sub", "file"], "dir\\sub\\file", 2n);
    tunnel.add(["directory", "file"], "directory\\file", 3n);
    tunnel.forget(["DIR"]);
    expect(tunnel.size).toBe(1);
    expect(tunnel.take(["directory", "file"])?.creationTime).toBe(3n);
  });

  it("is bounded: the oldest name goes first", () => {
    const tunnel = new TunnelCache(new FakeClock());
    for (let index = 0; index < 300; index++) tunnel.add([`file ${index}`], "", BigInt(index));
    expect(tunnel.size).toBe(256);
    expect(tunnel.take(["file 43"])).toBeUndefined();
    expect(tunnel.take(["file 44"])?.creationTime).toBe(44n);
  });
});
