// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MalformedPacketError } from "../../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../../src/smb2/wire/fscc/classes.ts";
import {
  type DecodedDirectoryEntry,
  type DirectoryEntryInformation,
  DirectoryEntryWriter,
  decodeDirectoryEntries,
  directoryEntryFixedLength,
} from "../../../../src/smb2/wire/fscc/directory-info.ts";
import type { DirectoryEntry } from "../../../../src/vfs/volume.ts";

const F = FileInformationClass;

/** Offset of FileName by class (MS-FSCC 2.4). */
const fixedLengths: readonly (readonly [number, number])[] = [
  [F.FileDirectoryInformation, 64],
  [F.FileFullDirectoryInformation, 68],
  [F.FileIdFullDirectoryInformation, 80],
  [F.FileBothDirectoryInformation, 94],
  [F.FileIdBothDirectoryInformation, 104],
  [F.FileNamesInformation, 12],
  [F.FileIdExtdDirectoryInformation, 88],
  [F.FileId64ExtdDirectoryInformation, 80],
  [F.FileId64ExtdBothDirectoryInformation, 106],
  [F.FileIdAllExtdDirectoryInformation, 96],
  [F.FileIdAllExtdBothDirectoryInformation, 122],
];

const sample: DirectoryEntry = {
  name: "Ab.txt",
  shortName: "AB~1.TXT",
  stat: {
    fileId: 0x1122334455667788n,
    directory: false,
    attributes: 0x20,
    creationTime: 0x01d0000000000001n,
    lastAccessTime: 0x01d0000000000002n,
    lastWriteTime: 0x01d0000000000003n,
    changeTime: 0x01d0000000000004n,
    endOfFile: 0x1_0000_0005,
    allocationSize: 0x1_0000_1000,
    links: 1,
    eaSize: 0x0c,
    reparseTag: 0,
  },
};
const link: DirectoryEntry = {
  ...sample,
  stat: { ...sample.stat, attributes: 0x400, reparseTag: 0xa000000c, eaSize: 0 },
};

const index = "07000000";
const times = "010000000000d001020000000000d001030000000000d001040000000000d001";
const sizes = "05000000010000000010000001000000";
const name = "410062002e00740078007400";
const short = `1000${"410042007e0031002e00540058005400"}${"00".repeat(8)}`;
const id = "8877665544332211";
const high = "00".repeat(8);
const head = `00000000${index}${times}${sizes}200000000c000000`;
const ea = "0c000000";
const noTag = "00000000";

const golden: readonly (readonly [string, number, string])[] = [
  ["FileDirectoryInformation", F.FileDirectoryInformation, `${head}${name}`],
  ["FileFullDirectoryInformation", F.FileFullDirectoryInformation, `${head}${ea}${name}`],
  ["FileIdFullDirectoryInformation", F.FileIdFullDirectoryInformation, `${head}${ea}00000000${id}${name}`],
  ["FileBothDirectoryInformation", F.FileBothDirectoryInformation, `${head}${ea}${short}${name}`],
  ["FileIdBothDirectoryInformation", F.FileIdBothDirectoryInformation, `${head}${ea}${short}0000${id}${name}`],
  ["FileNamesInformation", F.FileNamesInformation, `00000000${index}0c000000${name}`],
  ["FileIdExtdDirectoryInformation", F.FileIdExtdDirectoryInformation, `${head}${ea}${noTag}${id}${high}${name}`],
  ["FileId64ExtdDirectoryInformation", F.FileId64ExtdDirectoryInformation, `${head}${ea}${noTag}${id}${name}`],
  [
    "FileId64ExtdBothDirectoryInformation",
    F.FileId64ExtdBothDirectoryInformation,
    `${head}${ea}${noTag}${id}${short}${name}`,
  ],
  [
    "FileIdAllExtdDirectoryInformation",
    F.FileIdAllExtdDirectoryInformation,
    `${head}${ea}${noTag}${id}${id}${high}${name}`,
  ],
  [
    "FileIdAllExtdBothDirectoryInformation",
    F.FileIdAllExtdBothDirectoryInformation,
    `${head}${ea}${noTag}${id}${id}${high}${short}${name}`,
  ],
];

/** A buffer full of rubbish, so that every byte that the writer forgets shows. */
const dirty = (size: number): Buffer => Buffer.alloc(size, 0xee);

function write(informationClass: number, entries: readonly DirectoryEntryInformation[], size = 4096): Buffer {
  const target = dirty(size);
  const writer = new DirectoryEntryWriter(informationClass, target);
  for (const [i, entry] of entries.entries()) expect(writer.append(entry, i + 7)).toBe(true);
  expect(target.subarray(writer.length).every((byte) => byte === 0xee)).toBe(true);
  return target.subarray(0, writer.length);
}

/** The entry as a decoder sees it after the class has dropped what it does not carry. */
function carried(informationClass: number, entry: DirectoryEntryInformation, i: number): DecodedDirectoryEntry {
  const fixed = directoryEntryFixedLength(informationClass) ?? 0;
  const { stat } = entry;
  const tagged = (stat.attributes & 0x400) !== 0;
  const extended = informationClass === F.FileIdExtdDirectoryInformation || informationClass >= 78;
  const both =
    informationClass === F.FileBothDirectoryInformation ||
    informationClass === F.FileIdBothDirectoryInformation ||
    informationClass === F.FileId64ExtdBothDirectoryInformation ||
    informationClass === F.FileIdAllExtdBothDirectoryInformation;
  const names = fixed === 12;
  const hasEa = fixed >= 68;
  const hasId = hasEa && fixed !== 68 && fixed !== 94;
  return {
    index: i,
    name: entry.name,
    shortName: both ? entry.shortName : "",
    stat: {
      fileId: hasId ? stat.fileId : 0n,
      attributes: names ? 0 : stat.attributes === 0 ? 0x80 : stat.attributes,
      creationTime: names ? 0n : stat.creationTime,
      lastAccessTime: names ? 0n : stat.lastAccessTime,
      lastWriteTime: names ? 0n : stat.lastWriteTime,
      changeTime: names ? 0n : stat.changeTime,
      endOfFile: names ? 0 : stat.endOfFile,
      allocationSize: names ? 0 : stat.allocationSize,
      eaSize: hasEa && (extended || !tagged) ? stat.eaSize : 0,
      reparseTag: hasEa && (extended || tagged) ? stat.reparseTag : 0,
    },
  };
}

const u32 = fc.integer({ min: 0, max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn });
const size = fc.maxSafeNat();
const codeUnits = (maxLength: number) =>
  fc
    .array(fc.integer({ min: 1, max: 0xffff }), { minLength: 1, maxLength })
    .map((units) => String.fromCharCode(...units));
const anyEntry: fc.Arbitrary<DirectoryEntryInformation> = fc.record({
  name: fc.oneof(codeUnits(20), codeUnits(255)),
  shortName: fc.oneof(fc.constant(""), codeUnits(12)),
  stat: fc.record({
    fileId: u64,
    attributes: u32,
    creationTime: u64,
    lastAccessTime: u64,
    lastWriteTime: u64,
    changeTime: u64,
    endOfFile: size,
    allocationSize: size,
    eaSize: u32,
    reparseTag: u32,
  }),
});
const anyClass = fc.constantFrom(...fixedLengths.map(([informationClass]) => informationClass));

describe("directory information", () => {
  it.each(fixedLengths)("class %i has a fixed part of %i bytes", (informationClass, length) => {
    expect(directoryEntryFixedLength(informationClass)).toBe(length);
  });

  it("refuses a class that does not enumerate", () => {
    expect(directoryEntryFixedLength(F.FileBasicInformation)).toBeUndefined();
    expect(() => new DirectoryEntryWriter(F.FileBasicInformation, Buffer.alloc(8))).toThrow(RangeError);
  });

  it.each(golden)("writes and reads %s", (_, informationClass, hex) => {
    const bytes = write(informationClass, [sample]);
    expect(bytes.toString("hex")).toBe(hex);
    expect(decodeDirectoryEntries(informationClass, bytes)).toEqual([carried(informationClass, sample, 7)]);
  });

  it("puts the reparse tag into EaSize where the class has no field for it", () => {
    expect(write(F.FileIdBothDirectoryInformation, [link]).readUInt32LE(64)).toBe(0xa000000c);
    const extended = write(F.FileIdExtdDirectoryInformation, [link]);
    expect([extended.readUInt32LE(64), extended.readUInt32LE(68)]).toEqual([0, 0xa000000c]);
  });

  it("sends attributes of 0 as NORMAL", () => {
    const plain = { ...sample, stat: { ...sample.stat, attributes: 0 } };
    expect(write(F.FileDirectoryInformation, [plain]).readUInt32LE(56)).toBe(0x80);
  });

  it("chains entries on 8-byte boundaries with zeros between them", () => {
    const bytes = write(F.FileNamesInformation, [
      { ...sample, name: "a" },
      { ...sample, name: "b" },
    ]);
    expect(bytes.toString("hex")).toBe("100000000700000002000000610000000000000008000000020000006200");
  });

  it("returns false without a trace where an entry does not fit", () => {
    const target = dirty(16 + 13);
    const writer = new DirectoryEntryWriter(F.FileNamesInformation, target);
    expect(writer.append({ ...sample, name: "a" }, 0)).toBe(true);
    const before = Buffer.from(target);
    expect(writer.append({ ...sample, name: "b" }, 1)).toBe(false);
    expect(target).toEqual(before);
    expect([writer.length, writer.count]).toEqual([14, 1]);
  });

  it("cuts the name of the first entry only on request", () => {
    const target = dirty(12 + 5);
    const writer = new DirectoryEntryWriter(F.FileNamesInformation, target);
    expect(writer.append(sample, 0)).toBe(false);
    expect(writer.appendTruncated(sample, 0)).toBe(true);
    expect(target.subarray(0, writer.length).toString("hex")).toBe("00000000000000000c00000041006200");
    expect(writer.appendTruncated(sample, 0)).toBe(false);
    expect(new DirectoryEntryWriter(F.FileNamesInformation, dirty(11)).appendTruncated(sample, 0)).toBe(false);
  });

  it("refuses a short name that is none", () => {
    const writer = new DirectoryEntryWriter(F.FileBothDirectoryInformation, dirty(256));
    expect(() => writer.append({ ...sample, shortName: "TOOLONG.NAMES" }, 0)).toThrow(RangeError);
  });

  it("reads back whatever it wrote", () => {
    fc.assert(
      fc.property(anyClass, fc.array(anyEntry, { minLength: 1, maxLength: 4 }), (informationClass, entries) => {
        const bytes = write(informationClass, entries);
        expect(decodeDirectoryEntries(informationClass, bytes)).toEqual(
          entries.map((entry, i) => carried(informationClass, entry, i + 7)),
        );
      }),
    );
  });

  it("reads any bytes, or calls them malformed", () => {
    fc.assert(
      fc.property(anyClass, fc.uint8Array({ maxLength: 400 }), fc.nat(400), (informationClass, noise, cut) => {
        const valid = write(informationClass, [sample, link]);
        const truncated = valid.subarray(0, cut);
        const mutated = Buffer.from(valid);
        mutated.set(noise.subarray(0, 8), Math.min(cut, mutated.length - 8));
        for (const bytes of [Buffer.from(noise), truncated, mutated]) {
          try {
            decodeDirectoryEntries(informationClass, bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(MalformedPacketError);
          }
        }
      }),
    );
  });

  it.each([4, 13, 20, 48, 0xfffffff8])("refuses a NextEntryOffset of %i", (next) => {
    const bytes = write(F.FileNamesInformation, [
      { ...sample, name: "a" },
      { ...sample, name: "b" },
    ]);
    bytes.writeUInt32LE(next, 0);
    expect(() => decodeDirectoryEntries(F.FileNamesInformation, bytes)).toThrow(MalformedPacketError);
  });
});
