// SPDX-License-Identifier: Apache-2.0
/** Which external programs a suite needs, and the Debian package that brings each. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const packages: Readonly<Record<string, string>> = {
  smbclient: "smbclient",
  smbd: "samba",
  smbpasswd: "samba-common-bin",
  smbtorture: "samba-testsuite",
  rclone: "rclone",
  tshark: "tshark",
  nmap: "nmap",
  tgtd: "tgt",
  tgtadm: "tgt",
  "qemu-system-x86_64": "qemu-system-x86",
  "qemu-img": "qemu-utils",
  "qemu-io": "qemu-utils",
  "iscsi-test-cu": "libiscsi-bin",
  "iscsi-ls": "libiscsi-bin",
  "iscsi-inq": "libiscsi-bin",
  "iscsi-readcapacity16": "libiscsi-bin",
  iscsistart: "open-iscsi",
  sg_raw: "sg3-utils",
  sg_vpd: "sg3-utils",
  sg_readcap: "sg3-utils",
  busybox: "busybox-static",
  cpio: "cpio",
  fio: "fio",
  "mkfs.xfs": "xfsprogs",
  xfs_io: "xfsprogs",
  "mkfs.btrfs": "btrfs-progs",
  "mkfs.ext4": "e2fsprogs",
  filefrag: "e2fsprogs",
  tune2fs: "e2fsprogs",
  unshare: "util-linux",
  ip: "iproute2",
  iptables: "iptables",
  setfattr: "attr",
  getfattr: "attr",
};

/** The path of a program, looked up as the shell does and in the system folders; undefined where it is missing. */
export function findTool(name: string): string | undefined {
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
  for (const folder of folders) {
    if (folder === "") continue;
    const candidate = join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here.
    }
  }
  return undefined;
}

/** One line for each program that is missing; empty when everything is there. */
export function missingTools(names: readonly string[]): string[] {
  return names
    .filter((name) => findTool(name) === undefined)
    .map((name) => `${name} (Debian package ${packages[name] ?? name})`);
}
