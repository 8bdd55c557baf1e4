// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError, type Reader, type Writer } from "./cursor.ts";
import { SMB1_PROTOCOL_ID } from "./header.ts";
import { fitsU16 } from "./layout.ts";

/** Dialect string of SMB 2.0.2 in a multi-protocol NEGOTIATE (MS-SMB2 3.3.5.3.1). */
export const SMB1_DIALECT_SMB_2_002 = "SMB 2.002";

/** Dialect string of SMB 2.1 and later in a multi-protocol NEGOTIATE (MS-SMB2 3.3.5.3.1). */
export const SMB1_DIALECT_SMB_2_WILDCARD = "SMB 2.???";

const SMB_COM_NEGOTIATE = 0x72;
/** ProtocolId to MID, without the parameter words. */
const SMB1_HEADER_SIZE = 32;
const BUFFER_FORMAT_DIALECT = 0x02;

/** The SMB1 NEGOTIATE request by which a client offers SMB2 as well (MS-SMB2 3.3.5.3.1, MS-CIFS 2.2.4.52.1). */
export interface Smb1NegotiateRequest {
  /** In the order of the client. */
  readonly dialects: readonly string[];
}

/**
 * Reads an SMB1 NEGOTIATE request, from its header on, at the start of the message (MS-CIFS 2.2.3.1, 2.2.4.52.1). Any
 * other SMB1 command is malformed: SMB1 is spoken no further than this.
 */
export function decodeSmb1NegotiateRequest(reader: Reader): Smb1NegotiateRequest {
  if (reader.u32() !== SMB1_PROTOCOL_ID) throw new MalformedPacketError("SMB1: wrong protocol identifier");
  if (reader.u8() !== SMB_COM_NEGOTIATE) throw new MalformedPacketError("SMB1: not a NEGOTIATE");
  reader.skip(SMB1_HEADER_SIZE - 5);
  if (reader.u8() !== 0) throw new MalformedPacketError("SMB1 NEGOTIATE: WordCount is not 0");
  const bytes = reader.bytes(reader.u16());
  const dialects: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const end = bytes.indexOf(0, at + 1);
    if (bytes[at] !== BUFFER_FORMAT_DIALECT || end < 0)
      throw new MalformedPacketError("SMB1 NEGOTIATE: broken dialect");
    dialects.push(bytes.toString("latin1", at + 1, end));
    at = end + 1;
  }
  return { dialects };
}

/** Writes an SMB1 NEGOTIATE request with its header (MS-CIFS 2.2.3.1, 2.2.4.52.1). */
export function encodeSmb1NegotiateRequest(writer: Writer, request: Smb1NegotiateRequest): void {
  writer.u32(SMB1_PROTOCOL_ID);
  writer.u8(SMB_COM_NEGOTIATE);
  writer.zeros(SMB1_HEADER_SIZE - 5);
  writer.u8(0);
  const list = Buffer.concat(request.dialects.map((dialect) => Buffer.from(`\x02${dialect}\0`, "latin1")));
  writer.u16(fitsU16(list.length, "Dialects"));
  writer.bytes(list);
}
