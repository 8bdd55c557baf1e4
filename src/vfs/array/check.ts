// SPDX-License-Identifier: Apache-2.0

import { foldName } from "../../nt/names.ts";
import { Allocator } from "./allocator.ts";
import { Catalogue, type NodeRecord, ROOT_ID, type VolumeRecord } from "./catalogue.ts";
import type { CatalogueStore } from "./store.ts";

export interface CheckReport {
  readonly files: number;
  readonly directories: number;
  readonly extents: number;
  /** Bytes. */
  readonly allocated: number;
  readonly free: number;
  /** Files and streams that were open when they were removed, and go when the volume is next opened. */
  readonly removed: number;
  /** What is wrong, in words; empty for a sound volume. */
  readonly problems: readonly string[];
}

/**
 * Compares everything in a catalogue with everything else: each name leads to a file and each file has its names, each extent
 * belongs to one stream, lies on a LUN, and shares no byte with another. Changes nothing.
 */
export function checkCatalogue(store: CatalogueStore): CheckReport {
  const catalogue = new Catalogue(store);
  const volume = catalogue.volume();
  if (volume === undefined) {
    return {
      files: 0,
      directories: 0,
      extents: 0,
      allocated: 0,
      free: 0,
      removed: 0,
      problems: ["There is no volume here."],
    };
  }
  const problems: string[] = [];
  const removedFiles = new Set(catalogue.removed("file"));
  const removedStreams = new Set(catalogue.removed("stream"));
  const allocated = checkExtents(catalogue, volume, problems);
  const streams = new Set<bigint>(removedStreams);
  let files = 0;
  let directories = 0;
  for (const [fileId, record] of catalogue.nodes()) {
    if (record.directory) directories++;
    else files++;
    checkNode(catalogue, fileId, record, removedFiles.has(fileId), problems);
    for (const stream of record.streams) {
      if (streams.has(stream.id)) problems.push(`Stream ${stream.id} belongs to more than one file.`);
      streams.add(stream.id);
      const held = allocated.byStream.get(stream.id) ?? 0;
      if (held !== stream.allocated) {
        problems.push(`Stream ${stream.id} of file ${fileId} has ${held} bytes, its record says ${stream.allocated}.`);
      }
    }
  }
  for (const [parent, { name, fileId }] of catalogue.allEntries()) {
    const record = catalogue.node(fileId);
    const known = record?.links.some((link) => link.parent === parent && link.name === name);
    if (known !== true)
      problems.push(`"${name}" in directory ${parent} leads to file ${fileId}, which has no such name.`);
  }
  for (const streamId of allocated.byStream.keys()) {
    if (!streams.has(streamId)) problems.push(`Stream ${streamId} has extents, but belongs to no file.`);
  }
  return {
    files,
    directories,
    extents: allocated.extents,
    allocated: allocated.bytes,
    free: allocated.allocator.free,
    removed: removedFiles.size + removedStreams.size,
    problems,
  };
}

function checkExtents(catalogue: Catalogue, volume: VolumeRecord, problems: string[]) {
  const allocator = new Allocator(volume.allocationUnit);
  for (const [lun, { reserved, size }] of volume.luns.entries()) {
    const unit = volume.wholeLuns ? 1 : volume.allocationUnit;
    allocator.release({ lun, start: reserved, length: size - reserved - ((size - reserved) % unit) });
  }
  const byStream = new Map<bigint, number>();
  let extents = 0;
  let bytes = 0;
  let end = 0;
  let last: bigint | undefined;
  for (const [streamId, extent] of catalogue.allExtents()) {
    extents++;
    bytes += extent.length;
    byStream.set(streamId, (byStream.get(streamId) ?? 0) + extent.length);
    if (streamId === last && extent.offset < end)
      problems.push(`Stream ${streamId} has two extents at ${extent.offset}.`);
    last = streamId;
    end = extent.offset + extent.length;
    try {
      allocator.claim(extent);
    } catch {
      problems.push(
        `Stream ${streamId} at ${extent.offset}: bytes ${extent.start} to ${extent.start + extent.length} of LUN ${extent.lun} belong to another extent, or to no file.`,
      );
    }
  }
  return { allocator, byStream, extents, bytes };
}

function checkNode(
  catalogue: Catalogue,
  fileId: bigint,
  record: NodeRecord,
  removed: boolean,
  problems: string[],
): void {
  if (fileId === ROOT_ID) return;
  if (record.links.length === 0 && !removed) problems.push(`File ${fileId} has no name.`);
  if (record.directory && record.links.length > 1) problems.push(`Directory ${fileId} has more than one name.`);
  for (const { parent, name } of record.links) {
    const entry = catalogue.entry(parent, name);
    if (entry?.fileId !== fileId || foldName(entry.name) !== foldName(name)) {
      problems.push(`File ${fileId} should be "${name}" in directory ${parent}, and is not there.`);
    }
    if (catalogue.node(parent)?.directory !== true) {
      problems.push(`File ${fileId} is in directory ${parent}, which does not exist.`);
    }
  }
}
