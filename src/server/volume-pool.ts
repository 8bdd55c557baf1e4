// SPDX-License-Identifier: Apache-2.0

import { realpath } from "node:fs/promises";
import type { Awaitable } from "../nt/awaitable.ts";
import type { Logger } from "../smb2/server-context.ts";
import { PosixVolume, type PosixVolumeOptions } from "../vfs/posix/volume.ts";
import type { Volume } from "../vfs/volume.ts";
import { openArrayVolume } from "./array-units.ts";
import type { ArrayConfig } from "./config/array.ts";
import type { Config, ShareConfig } from "./config/schema.ts";
import type { ShareOptions } from "./share.ts";
import { StartupError, systemErrorCode } from "./startup-error.ts";

interface OpenedVolume {
  readonly volume: Volume;
  close(): Awaitable<void>;
}

interface PooledVolume extends OpenedVolume {
  /** What it was opened with, to tell whether a changed configuration needs another one. */
  readonly key: string;
}

/** How the storage of some shares is to be opened. */
interface Plan {
  readonly key: string;
  readonly firstShare: string;
  open(): Promise<OpenedVolume>;
}

/**
 * The volumes of the configured shares. Shares of one folder or array get one volume, so that share modes and locks hold
 * between them; a volume whose storage and options stay the same outlives a reload.
 */
export class VolumePool {
  readonly #log: Logger;
  #volumes = new Map<string, PooledVolume>();
  readonly #retired: PooledVolume[] = [];

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Opens what is missing for `shares`. Nothing is closed before {@link closeUnused}, and nothing is left open after an
   * error that was not open before.
   * @throws StartupError
   */
  async open({ shares, arrays }: Pick<Config, "shares" | "arrays">): Promise<readonly ShareOptions[]> {
    const places = await Promise.all(shares.map(placeOf));
    const plans = this.#plan(shares, places, arrays);
    const opened: OpenedVolume[] = [];
    const volumes = new Map<string, PooledVolume>();
    try {
      for (const [place, plan] of plans) {
        const existing = this.#volumes.get(place);
        if (existing?.key === plan.key) {
          volumes.set(place, existing);
          continue;
        }
        const volume = await openVolume(plan);
        opened.push(volume);
        volumes.set(place, { ...volume, key: plan.key });
      }
    } catch (error) {
      for (const volume of opened) await volume.close();
      throw error;
    }
    for (const [place, pooled] of this.#volumes) {
      if (volumes.get(place)?.volume !== pooled.volume) this.#retired.push(pooled);
    }
    this.#volumes = volumes;
    return shares.flatMap((share, index) => {
      const pooled = volumes.get(places[index] ?? "");
      return pooled === undefined ? [] : [shareOptions(share, pooled.volume)];
    });
  }

  /** Closes the volumes that no share uses any more, once no client has a file of them open. */
  async closeUnused(): Promise<void> {
    for (const pooled of this.#retired.splice(0)) await pooled.close();
  }

  /** Closes all volumes, and with it flushes what they hold back. */
  async close(): Promise<void> {
    this.#retired.push(...this.#volumes.values());
    this.#volumes = new Map();
    await this.closeUnused();
  }

  #plan(
    shares: readonly ShareConfig[],
    places: readonly string[],
    arrays: readonly ArrayConfig[],
  ): ReadonlyMap<string, Plan> {
    const plans = new Map<string, Plan>();
    for (const [index, share] of shares.entries()) {
      const array = arrays.find(({ name }) => name === share.array);
      if (array === undefined) continue;
      // LUNs have 64 bits, which JSON does not know.
      const key = JSON.stringify(array, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value));
      const open = () => openArrayVolume(array, this.#log);
      plans.set(places[index] ?? "", { key, firstShare: share.name, open });
    }
    for (const [root, { options, firstShare }] of planFolders(shares, places)) {
      const open = () => this.#openFolder(options, firstShare);
      plans.set(root, { key: JSON.stringify(options), firstShare, open });
    }
    return plans;
  }

  async #openFolder(options: PosixVolumeOptions, share: string): Promise<OpenedVolume> {
    const volume = await PosixVolume.open({ ...options, logger: this.#log });
    if (!volume.info.readOnly) this.#collect(volume, share);
    return { volume, close: () => volume.close() };
  }

  /** In the background: streams of files that others removed while the server was away are of no use to anybody. */
  #collect(volume: PosixVolume, share: string): void {
    volume.collectOrphanedStreams().then(
      (removed) => removed > 0 && this.#log.info({ share, removed }, "streams of removed files collected"),
      (err: unknown) => this.#log.warn({ share, err }, "streams of removed files could not be collected"),
    );
  }
}

async function openVolume({ open, firstShare }: Plan): Promise<OpenedVolume> {
  try {
    return await open();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartupError(`The share "${firstShare}" cannot be served: ${reason.replace(/\.$/, "")}.`);
  }
}

/** What tells the storage of a share from that of others: the folder without symbolic links, or the name of the array. */
async function placeOf({ name, path = "", array }: ShareConfig): Promise<string> {
  if (array !== undefined) return `array:${array}`;
  try {
    return await realpath(path);
  } catch (error) {
    switch (systemErrorCode(error)) {
      case "ENOENT":
        throw new StartupError(`The share "${name}" cannot be served: the folder ${path} does not exist.`);
      case "ENOTDIR":
        throw new StartupError(`The share "${name}" cannot be served: ${path} is not a folder.`);
      case "EACCES":
        throw new StartupError(`The share "${name}" cannot be served: no right to reach the folder ${path}.`);
      default:
        throw error;
    }
  }
}

interface FolderPlan {
  readonly options: PosixVolumeOptions;
  readonly firstShare: string;
}

function planFolders(shares: readonly ShareConfig[], roots: readonly string[]): ReadonlyMap<string, FolderPlan> {
  const plans = new Map<string, FolderPlan>();
  for (const [index, share] of shares.entries()) {
    const root = roots[index];
    if (root === undefined || share.array !== undefined) continue;
    const earlier = plans.get(root);
    const options: PosixVolumeOptions = {
      root,
      // The volume may be read-only where every share of it is, and then need not be writable for the server.
      readOnly: share.readOnly && (earlier?.options.readOnly ?? true),
      metadata: share.metadata,
      defaultSecurity: share.defaultSecurity,
      fileMode: share.fileMode,
      directoryMode: share.directoryMode,
    };
    if (
      earlier !== undefined &&
      JSON.stringify({ ...earlier.options, readOnly: options.readOnly }) !== JSON.stringify(options)
    ) {
      throw new StartupError(
        `The shares "${earlier.firstShare}" and "${share.name}" serve the same folder, ${root}, with different settings.`,
        "metadata, defaultSecurity, fileMode and directoryMode must be the same for every share of a folder.",
      );
    }
    plans.set(root, { options, firstShare: earlier?.firstShare ?? share.name });
  }
  return plans;
}

function shareOptions(share: ShareConfig, volume: Volume): ShareOptions {
  const { name, comment, readOnly, encrypt, browseable, hideUnreadable, hiddenNames } = share;
  const { continuousAvailability, offload, users } = share;
  return {
    name,
    volume,
    comment,
    readOnly,
    encrypt,
    browseable,
    hideUnreadable,
    hiddenNames,
    continuousAvailability,
    offload,
    ...(users === undefined ? {} : { users }),
  };
}
