// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { PosixVolume, type PosixVolumeOptions } from "../../../src/vfs/posix/volume.ts";
import type { VolumeFile, VolumeStream } from "../../../src/vfs/volume.ts";

/** A folder that is removed after the test. */
export function temporaryFolder(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, "tessera-posix-"));
  // rm(1), because it copes with paths that are longer than one call may name.
  onTestFinished(() => void execFileSync("rm", ["-rf", folder]));
  return folder;
}

export interface TestVolume {
  readonly volume: PosixVolume;
  readonly root: string;
}

export async function temporaryVolume(options: Partial<PosixVolumeOptions> = {}): Promise<TestVolume> {
  const root = options.root ?? temporaryFolder();
  const volume = await PosixVolume.open({ ...options, root });
  onTestFinished(() => volume.close());
  return { volume, root };
}

export function makeFile(volume: PosixVolume, ...path: string[]): VolumeFile {
  return volume.create(path, { directory: false, attributes: 0 }).file;
}

export function makeFolder(volume: PosixVolume, ...path: string[]): VolumeFile {
  return volume.create(path, { directory: true, attributes: 0 }).file;
}

export function mustOpen(volume: PosixVolume, ...path: string[]): VolumeFile {
  const opened = volume.open(path);
  if (opened === undefined) throw new Error(`${path.join("\\")} does not exist`);
  return opened.file;
}

export async function mustOpenStream(file: VolumeFile, name = ""): Promise<VolumeStream> {
  const stream = await file.openStream(name);
  if (stream === undefined) throw new Error(`no stream ${name}`);
  return stream;
}

export async function namesOf(folder: VolumeFile): Promise<string[]> {
  const cursor = await folder.readDirectory();
  try {
    return (await cursor.next(100_000, () => true)).map((entry) => entry.name).sort();
  } finally {
    cursor.close();
  }
}

export async function read(stream: VolumeStream): Promise<Buffer> {
  const target = Buffer.alloc((await stream.size()).endOfFile);
  await stream.read(0, target);
  return target;
}
