// SPDX-License-Identifier: Apache-2.0
/**
 * Copies on the server on an ext4 file system that gets full in the middle of them. Room for a copy is reserved before it
 * (src/vfs/posix/copy.ts): what the client is told, what the target then holds, and that nothing stays reserved.
 */
import { createHash, randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, statfsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NtStatus, statusName } from "../../src/nt/status.ts";
import { Writer } from "../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { encodeFileEndOfFileInformation } from "../../src/smb2/wire/fscc/size-info.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { chunk, copychunk, copyInput, keyOf } from "../../test/support/copychunk-client.ts";
import { offloadRead, offloadWrite } from "../../test/support/offload-client.ts";
import type { SmbFile, SmbTree } from "../../test/support/smb-client.ts";
import { StatusError } from "../../test/support/smb-connection.ts";
import { mountTcp } from "../../test/support/tcp-client.ts";
import { mountImage } from "../lib/image.ts";
import { must } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { startServer } from "../lib/server.ts";

const MiB = 1024 * 1024;
const IMAGE_MIB = 96;
/** Copied where only {@link ROOM} is left. */
const LENGTH = 32 * MiB;
/** Copied where that is room enough. */
const FITTING = 16 * MiB;
/** Not a whole number of chunks, nor of the pieces in which tokens are written. */
const ROOM = 21 * MiB + 300 * 1024;
/** What the metadata of files take. */
const SLACK = 64 * 1024;
/** No block of a file system is smaller. */
const SECTOR = 512;
/** What the disk held before: where this shows, blocks were given out with their old content. */
const STALE = 0xa5;

interface Disk {
  /** The mount point. */
  readonly path: string;
  readonly tree: SmbTree;
  readonly source: Buffer;
}

interface Outcome {
  readonly status: number;
  /** Bytes that the client was told of. */
  readonly told: number;
}

interface Way {
  readonly copy: (source: SmbFile, target: SmbFile, length: number) => Promise<Outcome>;
  /** Bytes: less than so many may have been copied without the client being told. */
  readonly piece: number;
}

function statusOf(error: unknown): number {
  if (error instanceof StatusError) return error.status;
  throw error;
}

/** Bytes that files may still take. */
async function freeBytes(path: string): Promise<number> {
  // What was removed a moment ago comes back with the journal.
  await must("sync", ["--file-system", path]);
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}

/** Fills the free blocks with old data, and gives them back. */
async function stain(path: string): Promise<void> {
  const old = join(path, "old");
  // They are on the disk before the file goes.
  writeFileSync(old, Buffer.alloc((await freeBytes(path)) - SLACK, STALE), { flush: true });
  rmSync(old);
}

async function byToken(source: SmbFile, target: SmbFile, length: number): Promise<Outcome> {
  const { token, transferLength } = await offloadRead(source, { length });
  expect(transferLength === length, `the token stands for ${transferLength} bytes`);
  let told = 0;
  // As copy engines do: what was not written is asked for again.
  while (told < length) {
    try {
      const range = { offset: told, transferOffset: told, length: length - told };
      const written = await offloadWrite(target, token, range);
      expect(written > 0, "OFFLOAD_WRITE made no progress");
      told += written;
    } catch (error) {
      return { status: statusOf(error), told };
    }
  }
  return { status: NtStatus.SUCCESS, told };
}

async function byChunks(source: SmbFile, target: SmbFile, length: number): Promise<Outcome> {
  const key = await keyOf(source);
  const perRequest = 16 * MiB;
  let told = 0;
  while (told < length) {
    const chunks = Array.from({ length: perRequest / MiB }, (_, index) =>
      chunk(told + index * MiB, told + index * MiB, MiB),
    );
    const { status, result } = await copychunk(target, copyInput(key, chunks), { code: Fsctl.SRV_COPYCHUNK_WRITE });
    told += result?.totalBytesWritten ?? 0;
    if (status !== "SUCCESS") {
      const { chunksWritten = 0, chunkBytesWritten = 0, totalBytesWritten = 0 } = result ?? {};
      const sum = chunksWritten * MiB + chunkBytesWritten;
      expect(
        sum === totalBytesWritten,
        `${chunksWritten} chunks and ${chunkBytesWritten} are ${totalBytesWritten} bytes?`,
      );
      return { status: NtStatus[status as keyof typeof NtStatus], told };
    }
  }
  return { status: NtStatus.SUCCESS, told };
}

const ways: Readonly<Record<string, Way>> = {
  token: { copy: byToken, piece: 8 * MiB },
  copychunk: { copy: byChunks, piece: MiB },
};

/** What lies on the disk, past the page cache. */
async function onDisk(file: string, workDir: string): Promise<Buffer> {
  const copy = join(workDir, "on-disk");
  await must("sync", [file]);
  await must("dd", [`if=${file}`, `of=${copy}`, "bs=1M", "iflag=direct"]);
  const data = readFileSync(copy);
  rmSync(copy);
  return data;
}

const hash = (data: Buffer) => createHash("sha256").update(data).digest("hex");

/** The data of the source without a gap as far as the client was told, and the same or zeros behind that. */
function checkData(found: Buffer, source: Buffer, told: number): void {
  expect(hash(found.subarray(0, told)) === hash(source.subarray(0, told)), "what was reported is not what was copied");
  for (let offset = told; offset < found.length; offset += SECTOR) {
    const [is, was] = [found.subarray(offset, offset + SECTOR), source.subarray(offset, offset + SECTOR)];
    const isCopied = is.equals(was.subarray(0, is.length));
    expect(isCopied || is.every((byte) => byte === 0), `at ${offset} there are neither data of the source nor zeros`);
  }
}

interface Case {
  readonly name: string;
  readonly way: Way;
  /** The target gets its size before it gets data, as Windows does it. */
  readonly sized: boolean;
  readonly length: number;
}

/** Copies, and looks at the target. */
async function copyAndLook({ path, tree, source }: Disk, { name, way, sized, length }: Case, workDir: string) {
  const room = await freeBytes(path);
  const from = await tree.create("source");
  const to = await tree.createFile(name);
  try {
    if (sized) {
      const size = new Writer(8);
      encodeFileEndOfFileInformation(size, BigInt(length));
      await to.setInfo(FileInformationClass.FileEndOfFileInformation, size.view());
    }
    const { status, told } = await way.copy(from, to, length);
    const file = join(path, name);
    const { size, blocks } = statSync(file);
    const allocated = blocks * 512;
    const numbers = `${statusName(status)}, told ${told}, size ${size}, allocated ${allocated}, room ${room}`;
    if (length <= room) {
      expect(status === NtStatus.SUCCESS && told === length && size === length, `not copied: ${numbers}`);
    } else {
      expect(status === NtStatus.DISK_FULL, `not full: ${numbers}`);
      expect(told > room - SLACK - way.piece && told <= room, `the client was told of other bytes: ${numbers}`);
      expect(sized ? size === length : size >= told && size <= room, `the file has another size: ${numbers}`);
    }
    const most = Math.min(length + SLACK, room);
    expect(allocated >= told && allocated <= most, `what is allocated is not what was copied: ${numbers}`);
    checkData(await onDisk(file, workDir), source, told);
    // Room that is reserved shows as extents that nobody has written to.
    const extents = (await must("filefrag", ["-v", file])).stdout;
    expect(!extents.includes("unwritten"), `room is reserved that holds no data\n${extents}`);
  } finally {
    await to.close();
    await from.close();
  }
}

async function check(disk: Disk, one: Case, workDir: string): Promise<void> {
  await stain(disk.path);
  const before = await freeBytes(disk.path);
  try {
    await copyAndLook(disk, one, workDir);
  } finally {
    rmSync(join(disk.path, one.name), { force: true });
  }
  const lost = before - (await freeBytes(disk.path));
  expect(lost < SLACK, `${lost} bytes did not come back with the file`);
}

/** Runs all cases on an image of its own. */
export async function fullDiskCases({ report, workDir, serverKind }: SuiteContext): Promise<void> {
  if (serverKind !== "tessera") {
    report.add("storage.full-disk", "skip", "made for Tessera: it knows how much one piece of a copy is");
    return;
  }
  const folder = join(workDir, "full");
  mkdirSync(folder);
  const image = await mountImage("ext4", folder, IMAGE_MIB);
  try {
    // Nothing is held back for root, whom the server may be.
    const device = (await must("findmnt", ["--noheadings", "--output", "SOURCE", image.path])).stdout.trim();
    await must("tune2fs", ["-m", "0", device]);
    const source = randomBytes(LENGTH);
    writeFileSync(join(image.path, "source"), source, { flush: true });
    const server = await startServer(serverKind, {
      shares: [{ name: "full", path: image.path }],
      workDir: join(folder, "server"),
    });
    try {
      const room = (await freeBytes(image.path)) - ROOM;
      await must("fallocate", ["--length", String(room), join(image.path, "ballast")]);
      const { name: userName, password } = server.account;
      const { tree, close } = await mountTcp(server.port, { userName, password }, "full");
      try {
        const disk = { path: image.path, tree, source };
        for (const [how, way] of Object.entries(ways)) {
          for (const [what, sized] of [
            ["empty", false],
            ["sized", true],
          ] as const) {
            for (const [end, length] of [
              ["full", LENGTH],
              ["roomy", FITTING],
            ] as const) {
              const name = `${end}-disk-${how}-into-${what}-file`;
              await report.check(`storage.${name}`, () => check(disk, { name, way, sized, length }, folder));
            }
          }
        }
      } finally {
        close();
      }
      await report.check("storage.full-disk-server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
    }
  } finally {
    await image.unmount();
  }
}
