// SPDX-License-Identifier: Apache-2.0
/** Reads the client's side of TCP connections from a pcap file: IPv4, on Ethernet or without a link layer. */

const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
const ETHERTYPE_IPV4 = 0x0800;
const PROTOCOL_TCP = 6;
const FLAG_SYN = 0x02;

interface Segment {
  readonly sequence: number;
  readonly data: Buffer;
}

interface Stream {
  /** Sequence number of the first byte. */
  first: number;
  readonly segments: Segment[];
}

function* packets(pcap: Buffer): Generator<Buffer> {
  if (pcap.length < 24) throw new Error("not a pcap file");
  const magic = pcap.readUInt32LE(0);
  // Microseconds and nanoseconds; other byte orders and pcapng are for `editcap -F pcap` to convert.
  if (magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d) throw new Error("not a little-endian pcap file");
  const linkType = pcap.readUInt32LE(20);
  if (linkType !== LINKTYPE_RAW && linkType !== LINKTYPE_ETHERNET) throw new Error(`link type ${linkType}`);
  let at = 24;
  while (at + 16 <= pcap.length) {
    const size = pcap.readUInt32LE(at + 8);
    const record = pcap.subarray(at + 16, at + 16 + size);
    at += 16 + size;
    if (linkType === LINKTYPE_RAW) yield record;
    else if (record.length > 14 && record.readUInt16BE(12) === ETHERTYPE_IPV4) yield record.subarray(14);
  }
}

/** What each client sent to `serverPort`, in the order of the connections, up to the first gap of the recording. */
export function clientStreams(pcap: Buffer, serverPort: number): Buffer[] {
  const streams = new Map<string, Stream>();
  const all: Stream[] = [];
  for (const packet of packets(pcap)) {
    const ipLength = ((packet[0] ?? 0) & 0x0f) * 4;
    if (packet.length < ipLength + 20 || packet[9] !== PROTOCOL_TCP) continue;
    const end = packet.readUInt16BE(2);
    const tcp = packet.subarray(ipLength, end === 0 ? undefined : end);
    if (tcp.readUInt16BE(2) !== serverPort) continue;
    const key = `${packet.readUInt32BE(12)}:${tcp.readUInt16BE(0)}`;
    const sequence = tcp.readUInt32BE(4);
    const data = tcp.subarray(((tcp[12] ?? 0) >>> 4) * 4);
    let stream = streams.get(key);
    const syn = ((tcp[13] ?? 0) & FLAG_SYN) !== 0;
    if (stream === undefined || syn) {
      stream = { first: (sequence + (syn ? 1 : 0)) >>> 0, segments: [] };
      streams.set(key, stream);
      all.push(stream);
    }
    if (data.length > 0) stream.segments.push({ sequence, data });
  }
  return all.map(assemble).filter((stream) => stream.length > 0);
}

function assemble(stream: Stream): Buffer {
  const parts: Buffer[] = [];
  let next = 0;
  const ordered = stream.segments
    .map(({ sequence, data }) => ({ at: (sequence - stream.first) >>> 0, data }))
    .sort((left, right) => left.at - right.at);
  for (const { at, data } of ordered) {
    if (at > next) break;
    const fresh = data.subarray(next - at);
    parts.push(fresh);
    next += fresh.length;
  }
  return Buffer.concat(parts);
}
