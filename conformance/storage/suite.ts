// SPDX-License-Identifier: Apache-2.0
/**
 * The unit tests of folders, tokens and clones once more, on file systems with and without reflinks in loop-mounted images; and
 * copies on a disk that gets full.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FileSystem, mountImage } from "../lib/image.ts";
import { run } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { fullDiskCases } from "./full-disk.ts";

const TESTS = ["test/vfs/posix", "test/smb2/commands/fsctl"];
const IMAGE_MIB = 4096;
const TIMEOUT = 240_000;

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** @param plain a folder on a file system without reflinks: where tests make their files, as a rule */
async function runTests(fileSystem: FileSystem, plain: string, workDir: string): Promise<void> {
  const image = await mountImage(fileSystem, workDir, IMAGE_MIB);
  try {
    const outputFile = join(workDir, `${fileSystem}.json`);
    const { stdout, stderr } = await run(
      "npx",
      ["vitest", "run", ...TESTS, "--reporter=json", `--outputFile=${outputFile}`],
      { env: { TMPDIR: plain, TESSERA_REFLINK_FOLDER: image.path }, timeout: TIMEOUT },
    );
    let report: VitestReport;
    try {
      report = JSON.parse(readFileSync(outputFile, "utf8")) as VitestReport;
    } catch {
      throw new Error(`vitest left no report\n${stdout}\n${stderr}`);
    }
    const failed = report.testResults
      .flatMap(({ assertionResults }) => assertionResults)
      .filter(({ status }) => status === "failed")
      .map(({ fullName }) => fullName);
    expect(report.numFailedTests === 0, `failed: ${failed.join("; ")}`);
    expect(report.numPassedTests > 500, `only ${report.numPassedTests} tests ran`);
  } finally {
    await image.unmount();
  }
}

async function unitTests({ report, workDir }: SuiteContext): Promise<void> {
  const plain = await mountImage("ext4", workDir, IMAGE_MIB);
  try {
    for (const fileSystem of ["xfs", "btrfs"] as const) {
      await report.check(`storage.ext4-and-${fileSystem}`, () => runTests(fileSystem, plain.path, workDir));
    }
  } finally {
    await plain.unmount();
  }
}

const parts: Readonly<Record<string, (context: SuiteContext) => Promise<void>>> = {
  "full-disk": fullDiskCases,
  "unit-tests": unitTests,
};

export const storageSuite = {
  name: "storage",
  tools: ["mkfs.xfs", "mkfs.btrfs", "mkfs.ext4", "tune2fs", "filefrag"],
  /** Runs all parts, or those that are named. */
  run: async (context: SuiteContext): Promise<void> => {
    for (const [name, part] of Object.entries(parts)) {
      if (context.args.length === 0 || context.args.includes(name)) await part(context);
    }
  },
};
