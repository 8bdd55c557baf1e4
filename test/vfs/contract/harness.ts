// SPDX-License-Identifier: Apache-2.0

import { expect } from "vitest";
import type { Awaitable } from "../../../src/nt/awaitable.ts";
import { SmbError } from "../../../src/nt/status.ts";
import type {
  CreateOptions,
  DirectoryEntry,
  ExtendedAttribute,
  NtPath,
  Volume,
  VolumeFile,
  VolumeStream,
} from "../../../src/vfs/volume.ts";

export interface VolumeFixture {
  readonly volume: Volume;
  /** Called after the volume has been closed. */
  dispose?(): Awaitable<void>;
}

/** The volume of the running case. */
export interface Harness {
  readonly volume: Volume;
}

export const MEBIBYTE = 1024 * 1024;

export function has({ volume }: Harness, attribute: number): boolean {
  return (volume.info.attributes & attribute) !== 0;
}

export async function makeFile(
  { volume }: Harness,
  path: NtPath,
  options: Partial<CreateOptions> = {},
): Promise<VolumeFile> {
  return (await volume.create(path, { directory: false, attributes: 0, ...options })).file;
}

export async function makeDirectory({ volume }: Harness, path: NtPath): Promise<VolumeFile> {
  return (await volume.create(path, { directory: true, attributes: 0 })).file;
}

export async function closeAll(...opened: { close(): Awaitable<void> }[]): Promise<void> {
  for (const one of opened) await one.close();
}

/** Opens what must exist. */
export async function openFile({ volume }: Harness, path: NtPath): Promise<VolumeFile> {
  const opened = await volume.open(path);
  if (opened === undefined) throw new Error(`${path.join("\\")} does not exist`);
  return opened.file;
}

export async function exists({ volume }: Harness, path: NtPath): Promise<boolean> {
  const opened = await volume.open(path);
  await opened?.file.close();
  return opened !== undefined;
}

export async function openStream(file: VolumeFile, name = ""): Promise<VolumeStream> {
  const stream = await file.openStream(name);
  if (stream === undefined) throw new Error(`no stream ${name}`);
  return stream;
}

/** Replaces the content of a stream. */
export async function put(file: VolumeFile, content: string | Buffer, name = ""): Promise<void> {
  const stream = (await file.openStream(name)) ?? (await file.createStream(name));
  await stream.setEndOfFile(0);
  await stream.write(0, Buffer.from(content));
  await stream.close();
}

export async function contentOf(stream: VolumeStream): Promise<Buffer> {
  const target = Buffer.alloc((await stream.size()).endOfFile);
  expect(await stream.read(0, target)).toBe(target.length);
  return target;
}

export async function get(file: VolumeFile, name = ""): Promise<string> {
  const stream = await openStream(file, name);
  try {
    return (await contentOf(stream)).toString();
  } finally {
    await stream.close();
  }
}

export async function putFile(harness: Harness, path: NtPath, content: string): Promise<void> {
  const file = await makeFile(harness, path);
  await put(file, content);
  await file.close();
}

export async function getFile(harness: Harness, path: NtPath): Promise<string> {
  const file = await openFile(harness, path);
  try {
    return await get(file);
  } finally {
    await file.close();
  }
}

export async function list(directory: VolumeFile, chunk = 1000): Promise<DirectoryEntry[]> {
  const cursor = await directory.readDirectory();
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const some = await cursor.next(chunk, () => true);
    entries.push(...some);
    if (some.length < chunk) break;
  }
  cursor.close();
  return entries;
}

export async function namesIn(harness: Harness, path: NtPath): Promise<string[]> {
  const directory = await openFile(harness, path);
  const entries = await list(directory);
  await directory.close();
  return entries.map((entry) => entry.name).sort();
}

/** Runs what must fail with one of these NTSTATUS values. */
export async function fails(action: () => Awaitable<unknown>, ...statuses: number[]): Promise<void> {
  let thrown: unknown;
  try {
    await action();
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(SmbError);
  if (thrown instanceof SmbError && statuses.length > 0) {
    expect(statuses.map((status) => status.toString(16))).toContain(thrown.status.toString(16));
  }
}

export function attribute(name: string, value: string | Buffer, flags = 0): ExtendedAttribute {
  return { name, flags, value: Buffer.from(value) };
}
