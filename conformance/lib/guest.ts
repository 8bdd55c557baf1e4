// SPDX-License-Identifier: Apache-2.0
/** A QEMU guest made from nothing but a kernel, a static busybox, some programs of this machine and a script. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type GuestKernel, loadOrder } from "./guest-kernel.ts";
import { must, type RunResult, run } from "./process.ts";
import { findTool } from "./tools.ts";

export interface GuestRoot {
  /** Where it is built. */
  readonly folder: string;
  readonly kernel: GuestKernel;
  /** Path of the script that becomes /init. */
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
  writeFileSync(join(root, "init"), readFileSync(guest.script), { mode: 0o755 });
  const archive = join(guest.folder, "root.cpio");
  await must("sh", ["-c", `find . | cpio --quiet -o -H newc > '${archive}'`], { cwd: root });
  return archive;
}

/** Boots the guest, with 10.0.2.2 as its way to this machine's loopback, and waits for its power-off. */
export function bootGuest(kernel: GuestKernel, initramfs: string, timeout: number): Promise<RunResult> {
  return run(
    "qemu-system-x86_64",
    [
      // Emulation works everywhere; a host with KVM can say so.
      ...["-accel", process.env["QEMU_ACCEL"] ?? "tcg", "-cpu", "max", "-m", "1024", "-nographic", "-no-reboot"],
      ...["-kernel", kernel.image, "-initrd", initramfs, "-append", "console=ttyS0 quiet panic=1"],
      ...["-netdev", "user,id=n0", "-device", "virtio-net-pci,netdev=n0,romfile="],
    ],
    { timeout },
  );
}
