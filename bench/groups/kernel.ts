// SPDX-License-Identifier: Apache-2.0
/** The Linux kernel's client (cifs), in a QEMU guest: a long file, a server-side copy, a tree of small files. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { writeRandomFile } from "../../conformance/lib/temp.ts";
import type { Benchmark, Group, Target } from "../benchmark.ts";
import { type GuestShare, KernelGuest } from "../kernel-guest.ts";
import type { Scale } from "../scale.ts";
import { openToAll } from "../share-files.ts";

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const FILES_IN_FOLDER = 50;
/** One alone is over too soon to be timed. */
const COPIES = 4;

/** The guest of all measurements, from the first on. */
let booting: Promise<KernelGuest> | undefined;

function guestOfAll(): Promise<KernelGuest> {
  booting ??= KernelGuest.boot();
  return booting;
}

async function stopGuest(): Promise<void> {
  const started = booting;
  booting = undefined;
  // One that did not boot has failed each measurement already.
  await (await started?.catch(() => undefined))?.stop();
}

const protections = [
  { name: "unprotected", options: "sec=ntlmssp" },
  { name: "signed", options: "sec=ntlmsspi" },
  { name: "encrypted", options: "sec=ntlmssp,seal" },
] as const;

type GuestProtection = (typeof protections)[number];

const [unprotected] = protections;

async function streamFile(folder: string, bytes: number): Promise<void> {
  const file = join(folder, "stream");
  if (!existsSync(file)) await writeRandomFile(file, bytes);
  openToAll(file);
}

interface Work {
  readonly share?: GuestShare;
  readonly protection?: GuestProtection;
  /** Commands of the guest's script; the point of the mount follows each of them. */
  readonly prepare: readonly string[];
  readonly measured: string;
  /** A further argument of the measured one. */
  readonly amount?: number;
  /** What one run moves, and how much of it `Sample.cost` is of. */
  readonly things: number;
  readonly costs: number;
  readonly setUp: (guest: KernelGuest, target: Target) => Promise<void>;
}

function benchmark(about: Omit<Benchmark, "setUp">, work: Work): Benchmark {
  const { share = "xfs", protection = unprotected } = work;
  return {
    ...about,
    setUp: async (target) => {
      const guest = await guestOfAll();
      await work.setUp(guest, target);
      const { point, unmount } = await guest.mount(target, share, protection.options);
      return {
        measure: async () => {
          for (const command of work.prepare) await guest.ask(`${command} ${point}`);
          const command = `${work.measured} ${point} ${work.amount ?? ""}`;
          return guest.timed(target.server, command, work.things, work.costs);
        },
        tearDown: async () => {
          await guest.ask(`erase ${point}`);
          await unmount();
        },
      };
    },
  };
}

const ofBytes = { unit: "MB/s", better: "higher", cost: "GiB" } as const;
const ofFiles = { unit: "1/s", better: "higher", cost: "1,000" } as const;

function stream(what: "write" | "read", protection: GuestProtection, { guestMiB }: Scale): Benchmark {
  const bytes = guestMiB * MiB;
  return benchmark(
    { ...ofBytes, name: `kernel: ${what} ${guestMiB} MiB, ${protection.name}` },
    {
      protection,
      prepare: ["erase"],
      measured: `${what}_file`,
      things: bytes / 1e6,
      costs: bytes / GiB,
      setUp: (guest, { xfs }) => (what === "write" ? guest.make("make_source", guestMiB) : streamFile(xfs, bytes)),
    },
  );
}

function serverSideCopy(share: GuestShare, { guestMiB }: Scale): Benchmark {
  const bytes = guestMiB * MiB;
  return benchmark(
    { ...ofBytes, name: `kernel: copy_file_range of ${guestMiB} MiB on ${share === "xfs" ? "XFS" : "ext4"}` },
    {
      share,
      prepare: ["erase"],
      measured: "copy_file",
      amount: COPIES,
      things: (COPIES * bytes) / 1e6,
      costs: (COPIES * bytes) / GiB,
      setUp: (_guest, target) => streamFile(target[share], bytes),
    },
  );
}

function tree(title: string, measured: string, prepare: readonly string[], { guestFiles }: Scale): Benchmark {
  return benchmark(
    { ...ofFiles, name: `kernel: ${title} ${guestFiles} files of 4 KiB` },
    {
      prepare,
      measured,
      things: guestFiles,
      costs: guestFiles / 1000,
      setUp: (guest) => guest.make("make_tree", guestFiles / FILES_IN_FOLDER, FILES_IN_FOLDER),
    },
  );
}

/** A tree that the guest knows nothing of. */
const unknownTree = ["erase", "unpack", "settle"];

export const kernel: Group = {
  name: "kernel",
  about: "read, write, server-side copy and a tree of small files with the Linux kernel's client, in an emulated guest",
  tools: ["qemu-system-x86_64", "busybox", "cpio", "xfs_io"],
  benchmarks: (scale) => [
    ...protections.flatMap((protection) => [stream("read", protection, scale), stream("write", protection, scale)]),
    serverSideCopy("xfs", scale),
    serverSideCopy("ext4", scale),
    tree("unpack (tar)", "unpack", ["erase"], scale),
    tree("list (ls -lR)", "list", unknownTree, scale),
    tree("read (cat)", "read_tree", unknownTree, scale),
    tree("remove (rm -r)", "remove", unknownTree, scale),
  ],
  tearDown: stopGuest,
};
