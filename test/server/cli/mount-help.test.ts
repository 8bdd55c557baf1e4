// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mountCommands, shellQuote } from "../../../src/server/cli/mount-help.ts";

const target = { host: "127.0.0.1", port: 4445, share: "share", user: "tessera", password: "Secret1" };

function commandsFor(overrides: Partial<typeof target>): string {
  return mountCommands({ ...target, ...overrides })
    .flatMap(({ system, commands }) => [system, ...commands])
    .join("\n");
}

describe("mountCommands", () => {
  it("names the port for every client", () => {
    expect(commandsFor({})).toBe(
      [
        "smbclient",
        "smbclient -p 4445 -U tessera%Secret1 //127.0.0.1/share",
        "Linux",
        "sudo mkdir -p /mnt/tessera",
        "sudo mount -t cifs //127.0.0.1/share /mnt/tessera -o port=4445,vers=3.1.1,username=tessera,password=Secret1,uid=$(id -u),gid=$(id -g)",
        "macOS",
        "mkdir -p ~/tessera",
        "mount_smbfs //tessera:Secret1@127.0.0.1:4445/share ~/tessera",
        "Windows 11 24H2 and later (older ones reach port 445 only)",
        'net use T: "\\\\127.0.0.1\\share" /TCPPORT:4445 /user:tessera "Secret1"',
      ].join("\n"),
    );
  });

  it("leaves port 445 out where clients take it by themselves", () => {
    const text = commandsFor({ port: 445 });
    expect(text).not.toContain("TCPPORT");
    expect(text).not.toContain("port=445");
    expect(text).toContain("\nWindows\n");
  });

  it("writes IPv6 addresses as each client wants them", () => {
    const text = commandsFor({ host: "fd00::1" });
    expect(text).toContain("mount_smbfs '//tessera:Secret1@[fd00::1]:4445/share'");
    expect(text).toContain('"\\\\fd00--1.ipv6-literal.net\\share"');
  });
});

describe("shellQuote", () => {
  it("gives a shell back every word as it was", () => {
    const word = fc.string({ unit: fc.constantFrom(..."ab'\"\\$`!*? \n;&|<>(){}[]~#%="), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(fc.array(word, { minLength: 20, maxLength: 20 }), (words) => {
        const output = execFileSync("/bin/sh", ["-c", `printf '%s\\0' ${words.map(shellQuote).join(" ")}`]);
        expect(output.toString().split("\0").slice(0, -1)).toEqual(words);
      }),
      { numRuns: 10 },
    );
  });
});
