// SPDX-License-Identifier: Apache-2.0
/** Recorded conversations: what a client sent on one connection, message by message. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { clientStreams } from "./pcap-reader.ts";

export interface Conversation {
  readonly name: string;
  /** Messages from the client, without the 4 bytes of the direct TCP transport (MS-SMB2 2.1). */
  readonly messages: readonly Buffer[];
}

/** Cuts a client's stream into messages; an incomplete last one is left out. */
export function splitStream(stream: Buffer): Buffer[] {
  const messages: Buffer[] = [];
  let at = 0;
  while (at + 4 <= stream.length) {
    const length = stream.readUIntBE(at + 1, 3);
    if (at + 4 + length > stream.length) break;
    messages.push(stream.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return messages;
}

/** The conversations of a pcap file, one for each connection to the server's port. */
export function conversationsOfPcap(name: string, pcap: Buffer, serverPort = 445): Conversation[] {
  return clientStreams(pcap, serverPort)
    .map((stream, index) => ({ name: `${name}-${index + 1}`, messages: splitStream(stream) }))
    .filter(({ messages }) => messages.length > 0);
}

/** Writes a conversation as a JSON array of hexadecimal strings. */
export function saveConversation(folder: string, conversation: Conversation): void {
  mkdirSync(folder, { recursive: true });
  const lines = conversation.messages.map((message) => `  "${message.toString("hex")}"`);
  writeFileSync(join(folder, `${conversation.name}.json`), `[\n${lines.join(",\n")}\n]\n`);
}

function conversationOfJson(name: string, text: string): Conversation {
  const parsed: unknown = JSON.parse(text);
  if (!Array.isArray(parsed)) throw new Error(`${name}: not an array of hexadecimal strings`);
  const messages = parsed.map((line: unknown) => {
    if (typeof line !== "string" || !/^([0-9a-f]{2})+$/i.test(line)) throw new Error(`${name}: not hexadecimal`);
    return Buffer.from(line, "hex");
  });
  return { name, messages };
}

/** All conversations of a folder: `*.json` as saved here, and `*.pcap`. @throws Error when there are none */
export function loadConversations(folder: string): Conversation[] {
  const found = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const path = join(folder, file);
      if (file.endsWith(".json")) return [conversationOfJson(basename(file, ".json"), readFileSync(path, "utf8"))];
      if (file.endsWith(".pcap")) return conversationsOfPcap(basename(file, ".pcap"), readFileSync(path));
      return [];
    });
  if (found.length === 0) throw new Error(`no conversations in ${folder}`);
  return found;
}
