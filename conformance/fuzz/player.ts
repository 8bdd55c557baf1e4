// SPDX-License-Identifier: Apache-2.0
/** Plays single rounds against a server and tells when it did not cope. */
import type { Writer } from "../../src/smb2/wire/cursor.ts";
import type { FileId } from "../../src/smb2/wire/file-id.ts";
import { peekCommand } from "../../src/smb2/wire/header.ts";
import type { Conversation } from "./conversation.ts";
import { compoundStarts, mutateConversation, mutateMessage } from "./mutate.ts";
import type { Protection } from "./protection.ts";
import type { Random } from "./random.ts";
import { buildRequest, type Connector, type FuzzSession, revive } from "./session.ts";
import { createPipeRequest, createRequest, makeTemplate } from "./templates.ts";
import { type Target, Wire } from "./wire.ts";

/** A server has this long to answer an ECHO, or to close a connection that its client has ended, in milliseconds. */
const PATIENCE = 5000;
const LOGIN_ATTEMPTS = 5;

/** The sessions of one batch after the other. */
const protections: readonly Protection[] = ["none", "signed", "encrypted"];

/** What the rounds did, for the summary. */
export interface Tally {
  conversations: number;
  messages: number;
  logins: number;
  /** Connections that the server ended at a changed message. */
  ended: number;
  /** Rounds in which nothing could be opened. */
  refused: number;
}

/** Where a request goes. */
interface Aim {
  readonly treeId: number;
  readonly fileId: FileId;
}

/** How a session is come by. */
interface Way {
  readonly localAddress: string | undefined;
  readonly protection: Protection;
}

export class Player {
  readonly tally: Tally = { conversations: 0, messages: 0, logins: 0, ended: 0, refused: 0 };
  readonly #target: Target;
  readonly #conversations: readonly Conversation[];
  readonly #messages: readonly Buffer[];
  /** Messages that a logged-on connection can send: all but those that negotiate, log on, or are encrypted. */
  readonly #sessionMessages: readonly Buffer[];
  readonly #connector: Connector | undefined;
  #session: FuzzSession | undefined;

  constructor(target: Target, conversations: readonly Conversation[], connector: Connector | undefined) {
    this.#target = target;
    this.#conversations = conversations;
    this.#messages = conversations.flatMap(({ messages }) => messages);
    this.#sessionMessages = this.#messages.filter(
      (message) => message.length >= 64 && message[0] === 0xfe && peekCommand(message) > 1,
    );
    this.#connector = connector;
  }

  /** Drops the session, so that the rounds that follow do not depend on those before. */
  reset(): void {
    this.#session?.wire.destroy();
    this.#session = undefined;
  }

  /** Plays one round. Returns what the server did wrong, or `undefined`. */
  async play(random: Random, round: number): Promise<string | undefined> {
    const batch = Math.floor(round / 100) % 250;
    const local = (group: number) => (this.#target.host.startsWith("127.") ? `127.0.${group}.${batch + 1}` : undefined);
    if (this.#connector === undefined || random.oneIn(3)) return this.#playConversation(random, local(2));
    const protection = protections[batch % protections.length] ?? "none";
    return this.#playSession(random, this.#connector, { localAddress: local(1), protection }, round);
  }

  /** A changed recording on a connection of its own, sent in pieces, without waiting for answers. */
  async #playConversation(random: Random, localAddress: string | undefined): Promise<string | undefined> {
    const conversation = random.pick(this.#conversations);
    if (conversation === undefined) return undefined;
    this.tally.conversations += 1;
    const frames = mutateConversation(random, conversation.messages, this.#messages);
    const wire = await Wire.open(this.#target, localAddress);
    for (const part of frames) {
      if (wire.closed) break;
      this.tally.messages += 1;
      const cut = random.oneIn(4) ? random.below(part.length) : part.length;
      wire.send(part.subarray(0, cut));
      if (cut === part.length) continue;
      // A turn of the event loop between the pieces, so that they leave as two segments.
      await new Promise((resolve) => setImmediate(resolve));
      wire.send(part.subarray(cut));
    }
    if (await wire.finish(PATIENCE)) return undefined;
    return `a connection that its client ended is still open after ${PATIENCE} ms (${conversation.name})`;
  }

  async #logOn(connector: Connector, { localAddress, protection }: Way): Promise<FuzzSession> {
    if (this.#session?.protection !== protection) this.reset();
    if (this.#session !== undefined && !this.#session.wire.closed) return this.#session;
    for (let attempt = 1; ; attempt += 1) {
      try {
        this.#session = await connector.connect(this.#target, localAddress, protection);
        this.tally.logins += 1;
        return this.#session;
      } catch (error) {
        if (attempt === LOGIN_ATTEMPTS) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50 * attempt));
      }
    }
  }

  /** Something open to aim requests at. */
  async #openSomething(random: Random, session: FuzzSession, round: number): Promise<Aim | undefined> {
    const { diskTree, pipeTree } = session.ids;
    const attempt = async (treeId: number, encode: (writer: Writer) => void): Promise<Aim | undefined> => {
      const fileId = await session.open(treeId, encode);
      return fileId === undefined ? undefined : { treeId, fileId };
    };
    if (random.oneIn(5)) {
      return attempt(pipeTree, createPipeRequest(random.pick(["srvsvc", "lsarpc", "wkssvc"] as const)));
    }
    if (random.oneIn(4)) return attempt(diskTree, createRequest({ name: "", directory: true }));
    // An earlier round may have locked everybody out of the file by its security descriptor.
    const fresh = { name: `fuzz-${round}.bin`, directory: false, deleteOnClose: true };
    return (
      (await attempt(diskTree, createRequest({ name: "fuzz.bin", directory: false }))) ??
      (await attempt(diskTree, createRequest(fresh)))
    );
  }

  /** Changed requests on a logged-on connection, each followed by an ECHO that shows whether the server copes. */
  async #playSession(random: Random, connector: Connector, way: Way, round: number): Promise<string | undefined> {
    const session = await this.#logOn(connector, way);
    const opened = await this.#openSomething(random, session, round);
    if (opened === undefined) {
      // An earlier round logged off, disconnected the tree or took the last handle.
      this.tally.refused += 1;
      this.reset();
      return undefined;
    }
    for (let count = random.between(1, 4); count > 0; count -= 1) {
      const message = this.#aim(random, session, opened.treeId, opened.fileId);
      const changed = random.oneIn(8) ? message : mutateMessage(random, message, this.#sessionMessages);
      this.tally.messages += 1;
      session.send(Buffer.from(changed));
      const answer = await session.echo();
      if (answer.kind === "silence") {
        this.reset();
        return `no answer to ECHO ${PATIENCE} ms after ${changed.subarray(0, 400).toString("hex")}`;
      }
      if (answer.kind === "closed") {
        this.tally.ended += 1;
        this.reset();
        return undefined;
      }
    }
    return undefined;
  }

  #aim(random: Random, session: FuzzSession, treeId: number, fileId: FileId): Buffer {
    const recorded = random.oneIn(3) ? random.pick(this.#sessionMessages) : undefined;
    if (recorded !== undefined) return revive(recorded, compoundStarts(recorded), session, treeId, fileId);
    const { command, encode } = makeTemplate(random, fileId);
    const ids = { id: session.takeMessageId(), treeId, sessionId: session.ids.sessionId };
    return buildRequest(command, ids, encode);
  }
}
