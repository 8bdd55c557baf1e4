// SPDX-License-Identifier: Apache-2.0

import { MalformedPacketError } from "./wire/cursor.ts";
import { HEADER_SIZE, PROTOCOL_ID, peekNextCommand, peekProtocolId } from "./wire/header.ts";

/** Requests in one frame; clients send a handful. */
const MAX_COMPOUND = 256;

/** The messages of a frame, each as a view of its own (MS-SMB2 3.3.5.2.7). @throws MalformedPacketError */
export function splitCompound(frame: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  for (;;) {
    if (frame.length - at < HEADER_SIZE) throw new MalformedPacketError("message shorter than its header");
    if (peekProtocolId(frame, at) !== PROTOCOL_ID) throw new MalformedPacketError("unknown ProtocolId in a compound");
    const next = peekNextCommand(frame, at);
    if (next === 0) {
      messages.push(at === 0 ? frame : frame.subarray(at));
      return messages;
    }
    if (next < HEADER_SIZE || next % 8 !== 0 || at + next > frame.length) {
      throw new MalformedPacketError(`NextCommand ${next} is misaligned or outside of the frame`);
    }
    messages.push(frame.subarray(at, at + next));
    if (messages.length > MAX_COMPOUND) throw new MalformedPacketError("too many requests in one frame");
    at += next;
  }
}
