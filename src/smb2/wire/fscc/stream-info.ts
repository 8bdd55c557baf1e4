// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, Reader, type Writer } from "../cursor.ts";

/** One FILE_STREAM_INFORMATION element (MS-FSCC 2.4.49). */
export interface FileStreamInformation {
  /** Without colons and type: `""` is the default data stream, sent as `::$DATA`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly allocationSize: number;
}

/** Bytes before StreamName. */
const FIXED_LENGTH = 24;
const SUFFIX = ":$DATA";

/**
 * The list of streams, each element aligned to 8 bytes from the start of the list; only whole elements that fit into
 * `room` bytes.
 * @returns false where some were left out: BUFFER_OVERFLOW (MS-FSA 2.1.5.12.29)
 */
export function encodeFileStreamInformation(
  writer: Writer,
  streams: readonly FileStreamInformation[],
  room = Number.POSITIVE_INFINITY,
): boolean {
  const start = writer.position;
  let last = -1;
  for (const stream of streams) {
    const used = writer.position - start;
    const padding = -used & 7;
    const nameSize = (1 + stream.name.length + SUFFIX.length) * 2;
    if (used + padding + FIXED_LENGTH + nameSize > room) return false;
    writer.zeros(padding);
    if (last >= 0) writer.patchU32(last, writer.position - last);
    last = writer.position;
    writer.u32(0);
    writer.u32(nameSize);
    writer.u64n(stream.size);
    writer.u64n(stream.allocationSize);
    writer.utf16(`:${stream.name}${SUFFIX}`);
  }
  return true;
}

/** @throws MalformedPacketError also where a name is not of the form `:name:$DATA` */
export function decodeFileStreamInformation(reader: Reader): FileStreamInformation[] {
  const streams: FileStreamInformation[] = [];
  const end = reader.length;
  if (reader.remaining === 0) return streams;
  for (let start = reader.position; ; ) {
    const next = new Reader(reader.buffer, start).u32();
    if (next !== 0 && (next < FIXED_LENGTH || next % 8 !== 0 || next >= end - start)) {
      throw new MalformedPacketError(`NextEntryOffset ${next} of ${end - start} bytes`);
    }
    const element = new Reader(reader.at(start, next === 0 ? end - start : next), 4);
    const nameSize = element.u32();
    const size = element.u64n();
    const allocationSize = element.u64n();
    const name = element.utf16(nameSize);
    if (!name.startsWith(":") || !name.endsWith(SUFFIX) || name.length < 1 + SUFFIX.length) {
      throw new MalformedPacketError("stream name without $DATA");
    }
    streams.push({ name: name.slice(1, -SUFFIX.length), size, allocationSize });
    if (next === 0) {
      reader.seek(end);
      return streams;
    }
    start += next;
  }
}
