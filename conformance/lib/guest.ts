// SPDX-License-Identifier: Apache-2.0
/** A QEMU guest made from nothing but a kernel, a static busybox, some programs of this machine and a script. */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GuestKernel, loadOrder } from "./guest-kernel.ts";
import { must, onExit, type RunResult, run } from "./process.ts";
import { findTool } from "./tools.ts";

const qemu = "qemu-system-x86_64";

/** What all scripts begin with. */
const start = fileURLToPath(new URL("guest-start.sh", import.meta.url));

export interface GuestRoot {
  /** Where it is built. */
  readonly folder: string;
  readonly kernel: GuestKernel;
  /** Path of the script that becomes /init, and reads /start (guest-start.sh) first. */
  readonly script: string;
  /** Kernel modules by name; what they depend on comes along. */
  readonly modules: readonly string[];
  /** Programs of this machine, copied with their libraries to the same paths. */
  readonly programs: readonly string[];
  /** Shell variables of the script, besides MODULES: file names in the order in which insmod takes them. */
  readonly settings: Readonly<Record<string, string>>;
}

/** Copies a program and the shared libraries that ldd names for it. */
async function addProgram(root: string, path: string): Promise<void> {
  const { stdout } = await must("ldd", [path]);
  const libraries = [...stdout.matchAll(/(\/\S+)\s+\(0x/g)].map((match) => match[1] ?? "");
  for (const file of [path, ...libraries]) {
    const target = join(root, file);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(file, target);
    chmodSync(target, 0o755);
  }
}

/** The path of a program that has to be there. */
export function guestProgram(name: string): string {
  const path = findTool(name);
  if (path === undefined) throw new Error(`${name} is missing`);
  return path;
}

/** Builds the initramfs `root.cpio` and gives its path. */
export async function buildInitramfs(guest: GuestRoot): Promise<string> {
  const root = join(guest.folder, "root");
  for (const name of ["bin", "dev", "proc", "sys", "mnt", "tmp", "modules"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  copyFileSync(guestProgram("busybox"), join(root, "bin", "busybox"));
  symlinkSync("busybox", join(root, "bin", "sh"));
  for (const path of guest.programs) await addProgram(root, path);
  const order = loadOrder(guest.kernel, guest.modules).map((file, index) => {
    const name = `${String(index).padStart(2, "0")}-${basename(file)}`;
    copyFileSync(file, join(root, "modules", name));
    return name;
  });
  const variables = Object.entries({ ...guest.settings, MODULES: order.join(" ") });
  writeFileSync(join(root, "settings"), variables.map(([name, value]) => `${name}='${value}'\n`).join(""));
  copyFileSync(start, join(root, "start"));
  writeFileSync(join(root, "init"), readFileSync(guest.script), { mode: 0o755 });
  const archive = join(guest.folder, "root.cpio");
  await must("sh", ["-c", `find . | cpio --quiet -o -H newc > '${archive}'`], { cwd: root });
  return archive;
}

/** A TCP port of this machine's loopback that leads to one of the guest. */
export interface Forward {
  readonly host: number;
  readonly guest: number;
}

function qemuArguments(kernel: GuestKernel, initramfs: string, forwards: readonly Forward[]): string[] {
  const forwarded = forwards.map(({ host, guest }) => `,hostfwd=tcp:127.0.0.1:${host}-10.0.2.15:${guest}`).join("");
  return [
    // Emulation works everywhere; a host with KVM can say so.
    ...["-accel", process.env["QEMU_ACCEL"] ?? "tcg", "-cpu", "max", "-m", "1024", "-nographic", "-no-reboot"],
    ...["-kernel", kernel.image, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=1"],
    ...["-netdev", `user,id=n0${forwarded}`, "-device", "virtio-net-pci,netdev=n0,romfile="],
  ];
}

/** Boots the guest, with 10.0.2.2 as its way to this machine's loopback, and waits for its power-off. */
export function bootGuest(kernel: GuestKernel, initramfs: string, timeout: number): Promise<RunResult> {
  return run(qemu, qemuArguments(kernel, initramfs, []), { timeout });
}

/** A guest that runs beside the suite, and is spoken to on its console. */
export class RunningGuest {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #release: () => void;
  readonly #ended: Promise<void>;
  #console = "";
  #asked = 0;
  #over = false;
  /** Told whenever the console has said something, and when the guest has ended. */
  #listener: (() => void) | undefined;

  constructor(kernel: GuestKernel, initramfs: string, forwards: readonly Forward[] = []) {
    this.#child = spawn(qemu, qemuArguments(kernel, initramfs, forwards));
    this.#release = onExit(() => this.#child.kill("SIGKILL"));
    const hear = (chunk: Buffer) => {
      this.#console += chunk.toString("utf8").replaceAll("\r", "");
      this.#listener?.();
    };
    this.#child.stdout.on("data", hear);
    this.#child.stderr.on("data", hear);
    this.#ended = new Promise((resolve) => {
      const end = () => {
        this.#over = true;
        this.#listener?.();
        resolve();
      };
      this.#child.once("error", end).once("close", end);
    });
  }

  /** Of QEMU's process. */
  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${qemu} cannot be started`);
    return pid;
  }

  /** All that its console has said. */
  get console(): string {
    return this.#console;
  }

  /** A whole line of the console, now or later. @throws Error it does not come in so many milliseconds, or the guest ends */
  async line(pattern: RegExp, timeout: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeout;
    let timer: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        const lines = this.#console.slice(0, this.#console.lastIndexOf("\n") + 1);
        const found = pattern.exec(lines);
        if (found !== null) return found;
        const left = deadline - performance.now();
        if (this.#over || left <= 0) {
          const what = this.#over ? "the guest has ended" : `the guest did not say ${pattern}`;
          throw new Error(`${what}\n${this.#console.slice(-3000)}`);
        }
        await new Promise<void>((resolve) => {
          this.#listener = resolve;
          timer = setTimeout(resolve, left);
        });
        clearTimeout(timer);
      }
    } finally {
      this.#listener = undefined;
    }
  }

  /** Has a script that obeys run a command. @returns what it says @throws Error it fails, or takes more than so many milliseconds */
  async ask(command: string, timeout: number): Promise<string> {
    const number = ++this.#asked;
    this.#child.stdin.write(`${command}\n`);
    const [, status, output = ""] = await this.line(new RegExp(`^REPLY ${number} (ok|failed) (.*)$`, "m"), timeout);
    if (status !== "ok") throw new Error(`${command}: ${output}`);
    return output.trim();
  }

  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#ended;
    this.#release();
  }
}
