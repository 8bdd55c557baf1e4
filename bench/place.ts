// SPDX-License-Identifier: Apache-2.0
/** The file systems and servers that are measured. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type FileSystem, type Image, mountImage } from "../conformance/lib/image.ts";
import { onExit } from "../conformance/lib/process.ts";
import { type RunningServer, type ServerKind, startServer } from "../conformance/lib/server.ts";
import type { Target } from "./benchmark.ts";
import type { Profiler } from "./profile.ts";

/** What an administrator raises for thousands of clients from one address. */
const LIMITS = { connections: 20_000, connectionsPerAddress: 20_000 };

const folders: readonly FileSystem[] = ["xfs", "ext4"];

export interface PlaceOptions {
  readonly kinds: readonly ServerKind[];
  /** Folder of the images. */
  readonly images: string;
  readonly imageMiB: number;
  readonly profiler: Profiler | undefined;
}

export class Place {
  readonly targets: Target[] = [];
  readonly #folder: string;
  readonly #release: () => void;
  readonly #images: Image[] = [];
  readonly #profiler: Profiler | undefined;
  #started = 0;

  private constructor(folder: string, profiler: Profiler | undefined) {
    this.#folder = folder;
    this.#profiler = profiler;
    // The servers reach their shares as other users.
    chmodSync(folder, 0o755);
    this.#release = onExit(() => rmSync(folder, { recursive: true, force: true }));
  }

  /** Makes an XFS and an ext4 file system, and a folder for each server on each. Needs root. */
  static async prepare({ kinds, images, imageMiB, profiler }: PlaceOptions): Promise<Place> {
    const place = new Place(mkdtempSync(join(images, "tessera-bench-")), profiler);
    try {
      for (const fileSystem of folders) {
        place.#images.push(await mountImage(fileSystem, place.#folder, imageMiB));
      }
      for (const kind of kinds) place.targets.push(await place.#target(kind));
    } catch (error) {
      await place.remove();
      throw error;
    }
    return place;
  }

  async #target(kind: ServerKind): Promise<Target> {
    const [xfs = "", ext4 = ""] = this.#images.map(({ path }) => join(path, kind));
    const client = join(this.#folder, `client-${kind}`);
    for (const folder of [xfs, ext4, client]) mkdirSync(folder);
    const start = (names: Readonly<Record<string, string>>): Promise<RunningServer> => {
      this.#started += 1;
      return startServer(kind, {
        shares: Object.entries(names).map(([name, path]) => ({ name, path })),
        workDir: join(this.#folder, `${kind}-${this.#started}`),
        profile: "bench",
        limits: LIMITS,
        ...(this.#profiler === undefined
          ? {}
          : { nodeArguments: this.#profiler.nodeArguments, env: this.#profiler.env }),
      });
    };
    return { server: await start({ xfs, ext4 }), xfs, ext4, client, startFresh: () => start({ xfs }) };
  }

  async remove(): Promise<void> {
    for (const { server } of this.targets) await server.stop();
    for (const image of this.#images) await image.unmount();
    this.#release();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
