// SPDX-License-Identifier: Apache-2.0
/** A QEMU guest whose Linux kernel is the client, of both servers in one boot. */
import { fileURLToPath } from "node:url";
import { buildInitramfs, guestProgram, RunningGuest } from "../conformance/lib/guest.ts";
import { guestKernel, smbClientModules } from "../conformance/lib/guest-kernel.ts";
import { cpuSeconds } from "../conformance/lib/server.ts";
import { type TempDir, tempDir } from "../conformance/lib/temp.ts";
import type { Sample, Target } from "./benchmark.ts";
import { machineClock } from "./load/machine-clock.ts";

const script = fileURLToPath(new URL("kernel-guest.sh", import.meta.url));

/** Milliseconds; emulation is slow. */
const BOOT = 180_000;
const COMMAND = 300_000;

export type GuestShare = "xfs" | "ext4";

/** A share that the guest has mounted. */
export interface Mounted {
  /** Where: the argument of the script's commands. */
  readonly point: string;
  readonly unmount: () => Promise<void>;
}

export class KernelGuest {
  readonly #guest: RunningGuest;
  readonly #folder: TempDir;
  /** Arguments of what the script has made, by its command. */
  readonly #made = new Map<string, string>();
  #mounts = 0;

  private constructor(guest: RunningGuest, folder: TempDir) {
    this.#guest = guest;
    this.#folder = folder;
  }

  static async boot(): Promise<KernelGuest> {
    const folder = tempDir("bench-guest");
    try {
      const kernel = await guestKernel();
      const initramfs = await buildInitramfs({
        folder: folder.path,
        kernel,
        script,
        modules: smbClientModules,
        programs: [guestProgram("xfs_io")],
        settings: { XFS_IO: guestProgram("xfs_io") },
      });
      const guest = new RunningGuest(kernel, initramfs);
      const booted = new KernelGuest(guest, folder);
      try {
        await guest.line(/^GUEST kernel/m, BOOT);
        return booted;
      } catch (error) {
        await guest.stop();
        throw error;
      }
    } catch (error) {
      folder.remove();
      throw error;
    }
  }

  /** @param options of mount.cifs that say how the session is protected */
  async mount({ server }: Target, share: GuestShare, options: string): Promise<Mounted> {
    this.#mounts += 1;
    const point = `/mnt/${server.kind}-${this.#mounts}`;
    const { name, password } = server.account;
    await this.ask(`mount_share ${point} ${server.port} ${share} ${name} ${password} ${options}`);
    return { point, unmount: () => this.ask(`umount ${point}`) };
  }

  /** Has the script make something that is not there yet. */
  async make(what: "make_source" | "make_tree", ...amounts: readonly number[]): Promise<void> {
    const wanted = amounts.join(" ");
    if (this.#made.get(what) === wanted) return;
    await this.ask(`${what} ${wanted}`);
    this.#made.set(what, wanted);
  }

  async ask(command: string): Promise<void> {
    await this.#guest.ask(command, COMMAND);
  }

  /**
   * What a command takes.
   * @param things of what `Sample.value` is a rate
   * @param costs of what `Sample.cost` is for one
   */
  async timed(server: Target["server"], command: string, things: number, costs: number): Promise<Sample> {
    const clocks = () => ({
      time: performance.now() / 1000,
      server: cpuSeconds(server.pid),
      client: cpuSeconds(this.#guest.pid),
      machine: machineClock(),
    });
    const before = clocks();
    await this.ask(command);
    const after = clocks();
    const seconds = after.time - before.time;
    const [serverCpu, clientCpu] = [after.server - before.server, after.client - before.client];
    const busy = after.machine.busy - before.machine.busy;
    return {
      value: things / seconds,
      cost: serverCpu / costs,
      serverShare: serverCpu / seconds,
      clientShare: clientCpu / seconds,
      idleShare: (after.machine.idle - before.machine.idle) / seconds,
      foreignShare: (busy - serverCpu - clientCpu) / seconds,
    };
  }

  async stop(): Promise<void> {
    await this.#guest.stop();
    this.#folder.remove();
  }
}
