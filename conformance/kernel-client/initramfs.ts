// SPDX-License-Identifier: Apache-2.0
/** The guest's root: a static busybox, coreutils' cp, flock and xfs_io with their libraries, the kernel's modules and the test script. */
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { must } from "../lib/process.ts";
import { findTool } from "../lib/tools.ts";
import { type GuestKernel, loadOrder } from "./kernel.ts";

const script = fileURLToPath(new URL("guest.sh", import.meta.url));

/** The client, the network card, and the ciphers that cifs asks for by name; the last ones only save time. */
const modules = [
  ...["virtio_pci", "virtio_net", "nls_utf8", "cmac", "ccm", "gcm", "ctr", "ghash_generic", "md4", "ecb"],
  ...["sha512_generic", "sha512_ssse3", "aesni_intel", "ghash_clmulni_intel", "cifs"],
];

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

/** Builds the initramfs `root.cpio` in `folder`; `settings` become shell variables of the script. */
export async function buildInitramfs(
  folder: string,
  kernel: GuestKernel,
  settings: Readonly<Record<string, string>>,
): Promise<string> {
  const root = join(folder, "root");
  for (const name of ["bin", "dev", "proc", "sys", "mnt", "tmp", "modules"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  const busybox = findTool("busybox");
  const cp = findTool("cp");
  const flock = findTool("flock");
  const xfsIo = findTool("xfs_io");
  if (busybox === undefined || cp === undefined || flock === undefined || xfsIo === undefined)
    throw new Error("busybox, cp, flock or xfs_io is missing");
  copyFileSync(busybox, join(root, "bin", "busybox"));
  symlinkSync("busybox", join(root, "bin", "sh"));
  for (const program of [cp, flock, xfsIo]) await addProgram(root, program);
  const order = loadOrder(kernel, modules).map((file, index) => {
    const name = `${String(index).padStart(2, "0")}-${basename(file)}`;
    copyFileSync(file, join(root, "modules", name));
    return name;
  });
  const variables = Object.entries({ ...settings, COREUTILS_CP: cp, XFS_IO: xfsIo, MODULES: order.join(" ") });
  writeFileSync(join(root, "settings"), variables.map(([name, value]) => `${name}='${value}'\n`).join(""));
  writeFileSync(join(root, "init"), readFileSync(script), { mode: 0o755 });
  const archive = join(folder, "root.cpio");
  await must("sh", ["-c", `find . | cpio --quiet -o -H newc > '${archive}'`], { cwd: root });
  return archive;
}
