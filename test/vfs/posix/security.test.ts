// SPDX-License-Identifier: Apache-2.0

import { chmodSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Access } from "../../../src/nt/access-mask.ts";
import { AceFlag } from "../../../src/nt/acl.ts";
import {
  parseSecurityDescriptor,
  SecurityControl,
  serialiseSecurityDescriptor,
} from "../../../src/nt/security-descriptor.ts";
import type { VolumeFile } from "../../../src/vfs/volume.ts";
import { makeFile, makeFolder, mustOpen, temporaryVolume } from "./support.ts";

const BOTH = AceFlag.OBJECT_INHERIT | AceFlag.CONTAINER_INHERIT;

function descriptor(sid: string, flags = BOTH): Buffer {
  return serialiseSecurityDescriptor({
    control: SecurityControl.DACL_PRESENT,
    resourceManagerControl: 0,
    owner: "S-1-5-21-1-2-3-1000",
    group: "S-1-5-21-1-2-3-513",
    dacl: { revision: 2, aces: [{ type: 0, flags, mask: Access.FILE_ALL, sid }] },
  });
}

async function trustees(file: VolumeFile): Promise<(string | undefined)[]> {
  return parseSecurityDescriptor(await file.security()).dacl?.aces.map((ace) => ace.sid) ?? [];
}

describe("security descriptors", () => {
  it("of a fresh share let in who could log on", async () => {
    const { volume } = await temporaryVolume();
    const root = parseSecurityDescriptor(await mustOpen(volume).security());
    expect(root.owner).toBe("S-1-5-32-544");
    expect(root.dacl?.aces.map((ace) => [ace.sid, ace.flags, ace.mask])).toEqual([
      ["S-1-5-18", BOTH, Access.FILE_ALL],
      ["S-1-5-32-544", BOTH, Access.FILE_ALL],
      ["S-1-5-11", BOTH, Access.FILE_ALL],
    ]);
    const file = parseSecurityDescriptor(await makeFile(volume, "file").security());
    expect(file.dacl?.aces.map((ace) => ace.sid)).toEqual(["S-1-5-18", "S-1-5-32-544", "S-1-5-11"]);
    expect(file.dacl?.aces.every((ace) => (ace.flags & BOTH) === 0)).toBe(true);
  });

  it("come from the nearest folder that has one, wherever the file goes", async () => {
    const { volume, root } = await temporaryVolume();
    mkdirSync(join(root, "a", "b", "c"), { recursive: true });
    mkdirSync(join(root, "other"));
    writeFileSync(join(root, "a", "b", "c", "file"), "");
    const file = mustOpen(volume, "a", "b", "c", "file");
    expect(await trustees(file)).toContain("S-1-5-11");
    await mustOpen(volume, "a").setSecurity(descriptor("S-1-1-0"));
    expect(await trustees(file)).toEqual(["S-1-1-0"]);
    expect(parseSecurityDescriptor(await file.security()).owner).toBe("S-1-5-21-1-2-3-1000");
    await volume.rename(file, ["a", "b", "c", "file"], ["other", "file"], false);
    expect(await trustees(file)).toContain("S-1-5-11");
    await volume.rename(file, ["other", "file"], ["a", "b", "c", "file"], false);
    await volume.rename(mustOpen(volume, "a", "b"), ["a", "b"], ["other", "b"], false);
    expect(await trustees(file)).toContain("S-1-5-11");
  });

  it("are the same buffer while they say the same", async () => {
    const { volume } = await temporaryVolume();
    const [one, two] = [makeFile(volume, "one"), makeFile(volume, "two")];
    expect(await one.security()).toBe(await two.security());
    await one.setSecurity(descriptor("S-1-1-0", 0));
    await two.setSecurity(descriptor("S-1-1-0", 0));
    expect(await one.security()).toBe(await two.security());
    expect((await one.security()).equals(descriptor("S-1-1-0", 0))).toBe(true);
    expect(await mustOpen(volume, "one").security()).toBe(await one.security());
  });

  it("are seen when another process stores one", async () => {
    const { volume, root } = await temporaryVolume();
    const other = await temporaryVolume({ root });
    const file = makeFile(volume, "file");
    expect(await trustees(file)).toContain("S-1-5-11");
    await mustOpen(other.volume, "file").setSecurity(descriptor("S-1-1-0", 0));
    expect(await trustees(file)).toEqual(["S-1-1-0"]);
    await mustOpen(other.volume, "file").setSecurity(descriptor("S-1-5-7", 0));
    expect(await trustees(file)).toEqual(["S-1-5-7"]);
  });

  it("stay with the file that another takes the place of", async () => {
    const { volume, root } = await temporaryVolume();
    makeFile(volume, "file").setSecurity(descriptor("S-1-1-0", 0));
    writeFileSync(join(root, "new"), "");
    renameSync(join(root, "new"), join(root, "file"));
    expect(await trustees(mustOpen(volume, "file"))).toContain("S-1-5-11");
  });

  it("may be made of owner, group and mode", async () => {
    const { volume, root } = await temporaryVolume({ defaultSecurity: "posix" });
    makeFolder(volume, "folder");
    writeFileSync(join(root, "file"), "");
    chmodSync(join(root, "file"), 0o640);
    const parsed = parseSecurityDescriptor(await mustOpen(volume, "file").security());
    const [uid, gid] = [process.geteuid?.(), process.getegid?.()];
    expect(parsed.owner).toBe(`S-1-22-1-${uid}`);
    expect(parsed.group).toBe(`S-1-22-2-${gid}`);
    const [owner, group, everyone] = parsed.dacl?.aces ?? [];
    expect((owner?.mask ?? 0) & Access.WRITE_DATA).not.toBe(0);
    expect((group?.mask ?? 0) & (Access.READ_DATA | Access.WRITE_DATA)).toBe(Access.READ_DATA);
    expect((everyone?.mask ?? 0) & (Access.READ_DATA | Access.WRITE_DATA | Access.DELETE)).toBe(0);
  });
});
