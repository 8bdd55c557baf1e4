// SPDX-License-Identifier: Apache-2.0
/** The Debian kernel that the guest boots: downloaded once, unpacked into the user's cache folder. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { basename, join } from "node:path";
import { must } from "./process.ts";

const metaPackage = "linux-image-amd64";

export interface GuestKernel {
  /** The compressed kernel. */
  readonly image: string;
  /** `/lib/modules/VERSION` of the unpacked package. */
  readonly modules: string;
}

function locate(root: string): GuestKernel | undefined {
  const boot = join(root, "boot");
  if (!existsSync(boot)) return undefined;
  const image = readdirSync(boot).find((name) => name.startsWith("vmlinuz-"));
  if (image === undefined) return undefined;
  return { image: join(boot, image), modules: join(root, "lib", "modules", image.slice("vmlinuz-".length)) };
}

/** The SMB client, the network card, and the ciphers that cifs asks for by name; those of the processor only save time. */
export const smbClientModules: readonly string[] = [
  ...["virtio_pci", "virtio_net", "nls_utf8", "cmac", "ccm", "gcm", "ctr", "ghash_generic", "md4", "ecb"],
  ...["sha512_generic", "sha512_ssse3", "aesni_intel", "ghash_clmulni_intel", "cifs"],
];

/** Finds the kernel in the cache, or downloads the current one with apt-get. */
export async function guestKernel(): Promise<GuestKernel> {
  const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "tessera-conformance");
  const root = join(cache, "linux");
  const cached = locate(root);
  if (cached !== undefined) return cached;
  const depends = (await must("apt-cache", ["depends", metaPackage])).stdout;
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error(`apt-cache knows no ${metaPackage}; run apt-get update`);
  const partial = `${root}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  await must("apt-get", ["download", "-q", name], { cwd: partial, timeout: 600_000 });
  const archive = readdirSync(partial).find((file) => file.endsWith(".deb"));
  if (archive === undefined) throw new Error(`apt-get download ${name} left no package`);
  await must("dpkg-deb", ["-x", archive, "."], { cwd: partial, timeout: 300_000 });
  rmSync(join(partial, archive));
  rmSync(root, { recursive: true, force: true });
  renameSync(partial, root);
  const kernel = locate(root);
  if (kernel === undefined) throw new Error(`${name} holds no kernel image`);
  return kernel;
}

/** Every module of the kernel by its name as `depends=` gives it, with underscores. */
function moduleFiles(folder: string): Map<string, string> {
  const files = new Map<string, string>();
  for (const entry of readdirSync(join(folder, "kernel"), { recursive: true, encoding: "utf8" })) {
    if (entry.endsWith(".ko")) files.set(basename(entry, ".ko").replaceAll("-", "_"), join(folder, "kernel", entry));
  }
  return files;
}

/**
 * The files of these modules and of all they depend on, in an order in which insmod can load them. A name that does not
 * exist is built into this kernel or absent from it.
 */
export function loadOrder(kernel: GuestKernel, names: readonly string[]): string[] {
  const files = moduleFiles(kernel.modules);
  const order: string[] = [];
  const visit = (name: string) => {
    const file = files.get(name);
    if (file === undefined || order.includes(file)) return;
    // The .modinfo section holds NUL-terminated key=value strings.
    const depends = /\0depends=([^\0]*)\0/.exec(readFileSync(file, "latin1"))?.[1] ?? "";
    for (const dependency of depends.split(",")) visit(dependency.replaceAll("-", "_"));
    order.push(file);
  };
  for (const name of names) visit(name);
  return order;
}
