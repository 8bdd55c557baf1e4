// SPDX-License-Identifier: Apache-2.0

import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SmbError } from "../../../src/nt/status.ts";
import type { MemoryFile } from "../../../src/vfs/memory/memory-file.ts";
import type { MemoryStream } from "../../../src/vfs/memory/memory-stream.ts";
import { MemoryVolume } from "../../../src/vfs/memory/memory-volume.ts";
import type { NtPath } from "../../../src/vfs/volume.ts";
import { Model, type ModelDirectory, ModelError, type ModelFile, type ModelNode, modelStreams } from "./model.ts";

/** The same operation on the volume and on the model: both give the same answer, or fail alike. */
interface Both {
  readonly volume: MemoryVolume;
  readonly model: Model;
}

type Step = (both: Both) => void;

function outcome(action: () => unknown): unknown {
  try {
    return action() ?? "done";
  } catch (error) {
    if (error instanceof SmbError || error instanceof ModelError) return { status: error.status.toString(16) };
    throw error;
  }
}

function compare(real: () => unknown, expected: () => unknown): void {
  const wanted = outcome(expected);
  expect(outcome(real)).toEqual(wanted);
}

function withFile(volume: MemoryVolume, path: NtPath, action: (file: MemoryFile) => unknown): unknown {
  const file = volume.open(path)?.file as MemoryFile | undefined;
  if (file === undefined) return "missing";
  try {
    return action(file);
  } finally {
    file.close();
  }
}

function withModel(model: Model, path: NtPath, action: (node: ModelNode) => unknown): unknown {
  const node = model.find(path);
  return node === undefined ? "missing" : action(node);
}

/** An operation on an open file or directory. */
function onNode(
  path: NtPath,
  real: (both: Both, file: MemoryFile) => unknown,
  expected: (both: Both, node: ModelNode) => unknown,
): Step {
  return (both) => {
    compare(
      () => withFile(both.volume, path, (file) => real(both, file) ?? "done"),
      () => withModel(both.model, path, (node) => expected(both, node) ?? "done"),
    );
  };
}

/** An operation on a stream of a file, made where it is missing. */
function onStream(
  path: NtPath,
  name: string,
  real: (stream: MemoryStream) => unknown,
  expected: (content: number[]) => unknown,
): Step {
  return onNode(
    path,
    (_both, file) => {
      if (file.directory) return "directory";
      const stream = file.openStream(name) ?? file.createStream(name);
      const answer = real(stream);
      stream.close();
      return answer;
    },
    (_both, node) => (node.kind === "directory" ? "directory" : expected(modelStreams.open(node, name))),
  );
}

const component = fc.constantFrom("a", "A", "b", "Bb", "bB", "c");
const path = fc.array(component, { minLength: 1, maxLength: 3 });
const streamName = fc.constantFrom("", "", "s", "S", "t");
const namedStream = fc.constantFrom("s", "S", "t", "u");
/** Around the sizes where pages and units end. */
const offset = fc.oneof(
  fc.nat(50),
  fc.nat(140_000),
  fc.constantFrom(4095, 4096, 4097, 65_535, 65_536, 65_537, 131_072),
);
const data = fc
  .tuple(fc.oneof(fc.nat(20), fc.constantFrom(4096, 65_536, 70_000)), fc.integer({ min: 1, max: 255 }))
  .map(([length, byte]) => Buffer.alloc(length, byte));

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(path, fc.boolean()).map(
    ([at, directory]): Step =>
      ({ volume, model }) => {
        compare(
          () => volume.create(at, { directory, attributes: 0 }).file.close(),
          () => model.create(at, directory),
        );
      },
  ),
  fc.tuple(path, path, fc.boolean()).map(([from, to, replace]) =>
    onNode(
      from,
      ({ volume }, file) => volume.rename(file, from, to, replace),
      ({ model }) => model.rename(from, to, replace),
    ),
  ),
  fc.tuple(path, path, fc.boolean()).map(([from, to, replace]) =>
    onNode(
      from,
      ({ volume }, file) => volume.link(file, to, replace),
      ({ model }) => model.link(from, to, replace),
    ),
  ),
  path.map((at) =>
    onNode(
      at,
      ({ volume }, file) => volume.unlink(file, at),
      ({ model }) => model.unlink(at),
    ),
  ),
  fc.tuple(path, streamName, offset, data).map(([at, name, position, bytes]) =>
    onStream(
      at,
      name,
      (stream) => stream.write(position, bytes),
      (content) => modelStreams.write(content, position, bytes),
    ),
  ),
  fc.tuple(path, streamName, offset).map(([at, name, size]) =>
    onStream(
      at,
      name,
      (stream) => stream.setEndOfFile(size),
      (content) => modelStreams.setEndOfFile(content, size),
    ),
  ),
  fc.tuple(path, streamName, offset, offset).map(([at, name, start, length]) =>
    onStream(
      at,
      name,
      (stream) => stream.zero({ offset: start, length }),
      (content) => modelStreams.zero(content, start, length),
    ),
  ),
  fc.tuple(path, streamName, fc.boolean()).map(([at, name, sparse]) =>
    onStream(
      at,
      name,
      (stream) => stream.setSparse(sparse),
      () => undefined,
    ),
  ),
  fc.tuple(path, streamName, offset, offset, offset).map(([at, name, from, to, length]) =>
    onStream(
      at,
      name,
      (stream) => stream.copyFrom(stream, from, to, length),
      (content) => modelStreams.copy(content, from, content, to, length),
    ),
  ),
  fc.tuple(path, namedStream, namedStream, fc.boolean()).map(([at, from, to, replace]) =>
    onNode(
      at,
      (_both, file) => (file.directory ? "directory" : file.renameStream(from, to, replace)),
      (_both, node) => (node.kind === "directory" ? "directory" : modelStreams.rename(node, from, to, replace)),
    ),
  ),
  fc.tuple(path, namedStream).map(([at, name]) =>
    onNode(
      at,
      (_both, file) => (file.directory ? "directory" : file.removeStream(name)),
      (_both, node) => (node.kind === "directory" ? "directory" : modelStreams.remove(node, name)),
    ),
  ),
);

function read(file: MemoryFile, name: string): Buffer {
  const stream = file.openStream(name);
  if (stream === undefined) throw new Error(`no stream ${name}`);
  const content = Buffer.alloc(stream.size().endOfFile + 1, 0xee);
  const count = stream.read(0, content);
  const { endOfFile } = stream.size();
  for (const range of stream.allocatedRanges({ offset: 0, length: endOfFile }, 1000)) {
    expect(range.offset + range.length).toBeLessThanOrEqual(endOfFile);
  }
  const holes = Buffer.alloc(endOfFile);
  for (const range of stream.allocatedRanges({ offset: 0, length: endOfFile }, 1000)) {
    content.copy(holes, range.offset, range.offset, range.offset + range.length);
  }
  expect(holes.equals(content.subarray(0, count))).toBe(true);
  stream.close();
  return content.subarray(0, count);
}

function compareFiles({ model }: Both, file: MemoryFile, expected: ModelFile): void {
  expect(file.stat()).toMatchObject({
    endOfFile: expected.streams.find((one) => one.name === "")?.content.length,
    links: model.links(expected),
  });
  expect(
    file
      .streams()
      .map((one) => one.name)
      .sort(),
  ).toEqual(expected.streams.map((one) => one.name).sort());
  for (const { name, content } of expected.streams) expect(read(file, name).equals(Buffer.from(content))).toBe(true);
}

function compareTrees(both: Both, at: string[], expected: ModelDirectory): void {
  const directory = both.volume.open(at)?.file as MemoryFile;
  const cursor = directory.readDirectory();
  const names = cursor.next(1000, () => true) as { name: string }[];
  expect(names.map((entry) => entry.name).sort()).toEqual(expected.entries.map((entry) => entry.name).sort());
  cursor.close();
  directory.close();
  for (const { name, node } of expected.entries) {
    const opened = both.volume.open([...at, name.toLowerCase()]);
    expect(opened?.path.at(-1)).toBe(name);
    const file = opened?.file as MemoryFile;
    expect(file.directory).toBe(node.kind === "directory");
    if (node.kind === "directory") compareTrees(both, [...at, name], node);
    else compareFiles(both, file, node);
    file.close();
  }
}

/** Removes everything, innermost first. */
function clear(volume: MemoryVolume, at: string[]): void {
  const directory = volume.open(at)?.file as MemoryFile;
  const cursor = directory.readDirectory();
  for (const { name } of cursor.next(1000, () => true) as { name: string }[]) {
    const inner = [...at, name];
    const file = volume.open(inner)?.file as MemoryFile;
    if (file.directory) clear(volume, inner);
    volume.unlink(file, inner);
    file.close();
  }
  directory.close();
}

describe("MemoryVolume against a model", () => {
  it("agrees after any sequence of operations, and gives all space back", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
        const both: Both = { volume: new MemoryVolume(), model: new Model() };
        const { free } = both.volume.space();
        for (const one of steps) one(both);
        compareTrees(both, [], both.model.root);
        clear(both.volume, []);
        expect(both.volume.space().free).toBe(free);
      }),
      { numRuns: 300 },
    );
  });
});
