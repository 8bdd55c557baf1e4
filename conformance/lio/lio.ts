// SPDX-License-Identifier: Apache-2.0
/** The Linux kernel's own iSCSI target (LIO), in a QEMU guest whose ports lead here. */
import { fileURLToPath } from "node:url";
import { buildInitramfs, RunningGuest } from "../lib/guest.ts";
import { guestKernel } from "../lib/guest-kernel.ts";
import { freePort } from "../lib/temp.ts";

const script = fileURLToPath(new URL("guest.sh", import.meta.url));

/** The target with its backends, the network card, and the checksum and hashes of digests and CHAP. */
const modules = [
  ...[
    "virtio_pci",
    "virtio_net",
    "configfs",
    "crc32c_generic",
    "crc32c_intel",
    "md5",
    "sha1_generic",
    "sha256_generic",
  ],
  ...["sha3_generic", "null_blk", "target_core_mod", "target_core_file", "target_core_iblock", "iscsi_target_mod"],
];

/** Milliseconds; emulation is slow. */
const BOOT = 120_000;
/** The longest work is a hash. */
const REPLY = 180_000;

export type Backend =
  | { readonly kind: "file"; readonly bytes: number; readonly blockSize?: number }
  /** Takes discards. */
  | { readonly kind: "disk"; readonly mebibytes: number; readonly blockSize?: number };

export interface LioTarget {
  readonly name: string;
  /** By which the guest knows what is behind LUN 0. */
  readonly backend: string;
}

export class Lio {
  /** Of two portals of one portal group. */
  readonly ports: readonly [number, number];
  readonly #guest: RunningGuest;
  #targets = 0;

  private constructor(guest: RunningGuest, ports: readonly [number, number]) {
    this.#guest = guest;
    this.ports = ports;
  }

  static async boot(folder: string): Promise<Lio> {
    const kernel = await guestKernel();
    const initramfs = await buildInitramfs({ folder, kernel, script, modules, programs: [], settings: {} });
    const ports = [await freePort(), await freePort()] as const;
    const guest = new RunningGuest(kernel, initramfs, [
      { host: ports[0], guest: 3260 },
      { host: ports[1], guest: 3261 },
    ]);
    try {
      await guest.line(/^GUEST kernel/m, BOOT);
    } catch (error) {
      await guest.stop();
      throw error;
    }
    return new Lio(guest, ports);
  }

  /**
   * Adds a target with one LUN, number 0.
   * @param settings of its portal group: files below `param/`, `attrib/` and `auth/`
   */
  async addTarget(
    topic: string,
    backend: Backend,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<LioTarget> {
    const number = this.#targets++;
    const name = `iqn.2026-01.test:${topic}`;
    const { blockSize = 512 } = backend;
    const id = backend.kind === "file" ? `file${number}` : `nullb${number}`;
    if (backend.kind === "file") await this.ask(`file ${id} ${backend.bytes} ${blockSize}`);
    else await this.ask(`disk ${id} ${backend.mebibytes} ${blockSize}`);
    const store = backend.kind === "file" ? `fileio_0/${id}` : `iblock_0/${id}`;
    const pairs = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    await this.ask(["target", name, store, ...pairs].join(" "));
    return { name, backend: id };
  }

  /** Gives back the memory of a target that is no longer needed. */
  async removeTarget({ name, backend }: LioTarget): Promise<void> {
    await this.ask(`remove ${name} ${backend}`);
  }

  /** SHA-256 of the first bytes of what is behind the LUN, in hexadecimal, as the guest sees it. */
  hash({ backend }: LioTarget, bytes: number): Promise<string> {
    return this.ask(`hash ${backend} ${bytes}`);
  }

  /** Names of the initiators that have a session with the target, once for each. */
  async sessions({ name }: LioTarget): Promise<string[]> {
    return (await this.ask(`sessions ${name}`)).split(" ").filter((initiator) => initiator !== "");
  }

  /** Has the guest run a command of its script. @returns what it says @throws Error where it fails */
  ask(command: string): Promise<string> {
    return this.#guest.ask(command, REPLY);
  }

  get console(): string {
    return this.#guest.console;
  }

  stop(): Promise<void> {
    return this.#guest.stop();
  }
}
