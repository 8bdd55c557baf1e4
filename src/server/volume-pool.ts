// SPDX-License-Identifier: Apache-2.0

import { realpath } from "node:fs/promises";
import type { Logger } from "../smb2/server-context.ts";
import { PosixVolume, type PosixVolumeOptions } from "../vfs/posix/volume.ts";
import type { Volume } from "../vfs/volume.ts";
import type { ShareConfig } from "./config/schema.ts";
import type { ShareOptions } from "./share.ts";
import { StartupError, systemErrorCode } from "./startup-error.ts";

interface PooledVolume {
  readonly volume: Volume;
  /** What it was opened with, to tell whether a changed configuration needs another one. */
  readonly key: string;
}

/** How the folder of some shares is to be opened. */
interface Plan {
  readonly options: PosixVolumeOptions;
  readonly firstShare: string;
}

/**
 * The volumes of the configured shares. Shares of one folder get one volume, so that share modes and locks hold between
 * them; a volume whose folder and options stay the same outlives a reload.
 */
export class VolumePool {
  readonly #log: Logger;
  #volumes = new Map<string, PooledVolume>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /**
   * Opens what is missing for `shares`. Nothing is closed before {@link closeUnused}, and nothing is left open after an
   * error that was not open before.
   * @throws StartupError
   */
  async open(shares: readonly ShareConfig[]): Promise<readonly ShareOptions[]> {
    const roots = await Promise.all(shares.map(resolveFolder));
    const plans = planVolumes(shares, roots);
    const opened: Volume[] = [];
    const volumes = new Map<string, PooledVolume>();
    try {
      for (const [root, { options, firstShare }] of plans) {
        const key = JSON.stringify(options);
        const existing = this.#volumes.get(root);
        if (existing?.key === key) {
          volumes.set(root, existing);
          continue;
        }
        const volume = await this.#openVolume(options, firstShare);
        opened.push(volume);
        volumes.set(root, { volume, key });
      }
    } catch (error) {
      for (const volume of opened) {
        await volume.close();
      }
      throw error;
    }
    this.#retired.push(...[...this.#volumes].filter(([root, { volume }]) => volumes.get(root)?.volume !== volume));
    this.#volumes = volumes;
    return shares.flatMap((share, index) => {
      const pooled = volumes.get(roots[index] ?? "");
      return pooled === undefined ? [] : [shareOptions(share, pooled.volume)];
    });
  }

  readonly #retired: [string, PooledVolume][] = [];

  /** Closes the volumes that no share uses any more, once no client has a file of them open. */
  async closeUnused(): Promise<void> {
    for (const [, { volume }] of this.#retired.splice(0)) {
      await volume.close();
    }
  }

  /** Closes all volumes, and with it flushes what they hold back. */
  async close(): Promise<void> {
    this.#retired.push(...this.#volumes);
    this.#volumes = new Map();
    await this.closeUnused();
  }

  /** In the background: streams of files that others removed while the server was away are of no use to anybody. */
  #collect(volume: PosixVolume, share: string): void {
    volume.collectOrphanedStreams().then(
      (removed) => removed > 0 && this.#log.info({ share, removed }, "streams of removed files collected"),
      (err: unknown) => this.#log.warn({ share, err }, "streams of removed files could not be collected"),
    );
  }

  async #openVolume(options: PosixVolumeOptions, share: string): Promise<Volume> {
    try {
      const volume = await PosixVolume.open({ ...options, logger: this.#log });
      if (!volume.info.readOnly) this.#collect(volume, share);
      return volume;
    } catch (error) {
      throw new StartupError(
        `The share "${share}" cannot be served: ${error instanceof Error ? error.message : error}.`,
      );
    }
  }
}

async function resolveFolder({ name, path }: ShareConfig): Promise<string> {
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

function planVolumes(shares: readonly ShareConfig[], roots: readonly string[]): ReadonlyMap<string, Plan> {
  const plans = new Map<string, Plan>();
  for (const [index, share] of shares.entries()) {
    const root = roots[index] ?? share.path;
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
