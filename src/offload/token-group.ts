// SPDX-License-Identifier: Apache-2.0

import type { SharedData } from "../vfs/offload.ts";
import type { Volume } from "../vfs/volume.ts";
import type { OffloadOptions, TokenHolder } from "./engine.ts";
import type { RefusalReason } from "./refusal.ts";
import { roomForLocator, type TokenBody, type TokenPlace } from "./token-body.ts";
import type { OffloadClock, TokenUse } from "./token-registry.ts";
import { MAXIMUM_BODY_LENGTH } from "./token-seal.ts";
import { FoundSource, PinnedSource, PublishedSource, type TokenSource } from "./token-source.ts";

/** Milliseconds between two searches for published data that have expired. */
const SWEEP_INTERVAL = 300_000;
/** Milliseconds for which they are left alone beyond that, besides what the clocks may differ. */
const SWEEP_MARGIN = 600_000;

export interface TokenGroupParts {
  readonly options: OffloadOptions;
  readonly clock: OffloadClock;
  readonly volumes: () => Iterable<Volume>;
  /** Hears of what could not be published, found or removed. */
  readonly failed: (error: unknown) => void;
}

/** What servers with a common key and common storage know of each other's tokens: nothing but what is there to be found. */
export class TokenGroup {
  readonly #parts: TokenGroupParts;
  readonly #shares: boolean;
  #sweep: { cancel(): void } | undefined;

  constructor(parts: TokenGroupParts) {
    this.#parts = parts;
    const { tokenKeys, tokenScope } = parts.options;
    this.#shares = tokenKeys.length > 0 && tokenScope !== "server";
    if (this.#shares) this.#sweepLater();
  }

  /**
   * Leaves the data of a token where other servers find them, if they can.
   * @param lifetime milliseconds
   * @returns also when the token ends where nobody uses it, in milliseconds since 1970
   */
  async place(
    source: TokenSource,
    name: Buffer,
    user: string,
    lifetime: number,
  ): Promise<{ readonly place: TokenPlace; readonly expires: number }> {
    const now = this.#parts.clock.now();
    const expires = now + lifetime;
    const own = { place: { kind: "issuer" }, expires } as const;
    const { shared } = source.volume;
    if (!this.#shares || shared === undefined) return own;
    try {
      const volume = shared.identity();
      if (volume === undefined) return own;
      if (source instanceof PinnedSource) {
        const published = source.publish(shared, name.toString("hex"), expires);
        return published ? { place: { kind: "published", volume }, expires } : own;
      }
      const locator = await source.locator?.(shared, roomForLocator(MAXIMUM_BODY_LENGTH, user));
      if (locator === undefined) return own;
      // Nothing is held for it, and nothing tells the issuer of its use elsewhere.
      const longest = now + this.#parts.options.maximumTimeToLive;
      return { place: { kind: "unchanged", volume, locator }, expires: longest };
    } catch (error) {
      this.#parts.failed(error);
      return own;
    }
  }

  /** Takes a token that another server has issued, or an earlier process of this one. */
  async redeem(body: TokenBody, holder: TokenHolder): Promise<TokenUse | RefusalReason> {
    const { place } = body;
    if (place.kind === "issuer") return "other server";
    const found = this.#volume(place.volume);
    if (found === undefined) return "unknown volume";
    const { volume, shared } = found;
    const oldest = this.#parts.clock.now() - this.#parts.options.maxClockSkew;
    if (place.kind === "unchanged") {
      if (body.expires <= oldest) return "expired";
      const data = shared.revisit(place.locator);
      if (data === undefined) return "data changed";
      return this.#use(body, holder, new FoundSource(volume, data, body.offset + body.length));
    }
    const data = shared.find(body.name.toString("hex"));
    if (data === undefined) return body.expires <= oldest ? "expired" : "unknown";
    const source = new PublishedSource(volume, data, body.offset + body.length);
    if (data.expires <= oldest) {
      await source.release();
      return "expired";
    }
    return this.#use(body, holder, source);
  }

  close(): void {
    this.#sweep?.cancel();
  }

  #use(body: TokenBody, holder: TokenHolder, source: TokenSource): TokenUse {
    const { clock, options, failed } = this.#parts;
    const { offset, length } = body;
    const origin = { userName: "", client: "", share: "", file: "" };
    const timeToLive = options.defaultTimeToLive;
    const { session, user } = holder;
    return {
      record: { source, offset, length, session, user, origin, timeToLive },
      end: () => {
        try {
          source.used?.(clock.now() + timeToLive);
        } catch (error) {
          failed(error);
        }
        const released = source.release();
        if (released instanceof Promise) released.catch(failed);
      },
      revoke: () => {},
    };
  }

  #volume(identity: Buffer): { readonly volume: Volume; readonly shared: SharedData } | undefined {
    for (const volume of this.#parts.volumes()) {
      const { shared } = volume;
      if (shared?.identity()?.equals(identity) === true) return { volume, shared };
    }
    return undefined;
  }

  #sweepLater(): void {
    const { clock, volumes, options, failed } = this.#parts;
    this.#sweep = clock.after(SWEEP_INTERVAL, () => {
      for (const { shared } of new Set(volumes())) {
        try {
          shared?.sweep(clock.now() - SWEEP_MARGIN - options.maxClockSkew);
        } catch (error) {
          failed(error);
        }
      }
      this.#sweepLater();
    });
  }
}
