// SPDX-License-Identifier: Apache-2.0
/** The simulated array against libiscsi: its tools, its test suite with a table of expected results, and qemu-img. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { arrayTarget, launchArray, type RunningArray } from "../lib/array.ts";
import { must, run } from "../lib/process.ts";
import { expect, type Report, type SuiteContext } from "../lib/report.ts";
import { type Row, readTable, writeTable } from "../lib/table.ts";
import { sha256, writeRandomFile } from "../lib/temp.ts";
import { type CaseResult, runTestCu } from "./run-test-cu.ts";

const expectedFile = fileURLToPath(new URL("expected.csv", import.meta.url));

/** Milliseconds for one iscsi-test-cu. */
const timeLimit = 300_000;
const imageBytes = 256 * 1024 * 1024;
/** libiscsi puts the number into the field as it is: with the addressing method, flat space here (SAM-5 4.7.7.3). */
const flatSpace = 0x4000;
const Lun = { BLOCKS_512: 0, BLOCKS_4096: 1, READ_ONLY: 2, HUGE: flatSpace | 300 } as const;

/** What is run, and under which name its cases stand in the table. */
const runs: readonly {
  readonly prefix: string;
  readonly family: string;
  readonly urls: (a: RunningArray) => string[];
}[] = [
  { prefix: "512", family: "iSCSI", urls: (array) => [array.url(Lun.BLOCKS_512)] },
  { prefix: "512", family: "SCSI", urls: (array) => [array.url(Lun.BLOCKS_512)] },
  // What depends on the size of a block.
  ...["CompareAndWrite", "GetLBAStatus", "Inquiry", "ReadCapacity16", "Read16", "Unmap", "Write16", "WriteSame16"].map(
    (suite) => ({
      prefix: "4096",
      family: `SCSI.${suite}`,
      urls: (array: RunningArray) => [array.url(Lun.BLOCKS_4096)],
    }),
  ),
  { prefix: "read-only", family: "SCSI.ReadOnly", urls: (array) => [array.url(Lun.READ_ONLY)] },
  {
    prefix: "two-paths",
    family: "SCSI.MultipathIO",
    urls: (array) => [array.url(Lun.BLOCKS_512, 0), array.url(Lun.BLOCKS_512, 1)],
  },
];

function judge(report: Report, name: string, result: CaseResult, expected: Row | undefined): Row {
  const { status, detail } = result;
  const text = status === "pass" ? "" : (expected?.text ?? (status === "skip" ? detail : ""));
  if (expected === undefined) report.add(name, "fail", `${status}, and not in the table\n${detail}`);
  else if (expected.status !== status) {
    report.add(name, "fail", `${status}, expected ${expected.status} (${expected.text})\n${detail}`);
  } else if (status === "pass") report.add(name, "pass");
  else if (text === "") report.add(name, "fail", `expected ${status}, but the table gives no reason\n${detail}`);
  else report.add(name, "skip", `expected ${status}: ${text}`);
  return { name, status, text };
}

async function testCu(context: SuiteContext, array: RunningArray, update: boolean): Promise<void> {
  const table = readTable(expectedFile);
  const seen = new Map<string, Row>();
  for (const { prefix, family, urls } of runs) {
    const { results, finished, output } = await runTestCu(family, urls(array), timeLimit);
    for (const result of results) {
      // One LUN, one path: these want two, and have a run of their own.
      if (result.name.startsWith("SCSI.MultipathIO.") && prefix !== "two-paths") continue;
      const name = `libiscsi.${prefix}.${result.name}`;
      seen.set(name, judge(context.report, name, result, table.get(name)));
    }
    await context.report.check(`libiscsi.${prefix}.${family}.finished`, () =>
      expect(finished, `iscsi-test-cu did not finish\n${output.slice(-2000)}`),
    );
  }
  if (update) writeTable(expectedFile, "case,expected,reason", [...seen.values()]);
  else {
    for (const name of table.keys()) {
      if (!seen.has(name)) context.report.add(name, "fail", "the table names a case that was not run");
    }
  }
}

async function tools(report: Report, array: RunningArray): Promise<void> {
  await report.check("libiscsi.iscsi-ls", async () => {
    const { stdout } = await must("iscsi-ls", ["-s", `iscsi://127.0.0.1:${array.ports[0]}`]);
    expect(stdout.includes(`Target:${arrayTarget} Portal:127.0.0.1:${array.ports[0]},1`), stdout);
    expect(/Lun:0 .*Type:DIRECT_ACCESS/.test(stdout), stdout);
  });
  await report.check("libiscsi.iscsi-inq", async () => {
    const { stdout } = await must("iscsi-inq", [array.url(Lun.BLOCKS_512)]);
    expect(stdout.includes("3PC:1") && stdout.includes("CmdQue:1"), stdout);
  });
  await report.check("libiscsi.iscsi-readcapacity16", async () => {
    const { stdout } = await must("iscsi-readcapacity16", [array.url(Lun.BLOCKS_4096)]);
    expect(stdout.includes("LOGICAL BLOCK LENGTH IN BYTES:4096") && stdout.includes("LBPME:1"), stdout);
  });
  await report.check("libiscsi.flat-space-lun", async () => {
    const { stdout } = await must("iscsi-readcapacity16", [array.url(Lun.HUGE)]);
    expect(stdout.includes(`Total size:${2 ** 40}`), stdout);
  });
}

/** Hundreds of MiB through QEMU's initiator, written, compared and read back. */
async function qemuImg(report: Report, array: RunningArray, name: string, image: string, lun: number): Promise<void> {
  await report.check(`libiscsi.qemu-img.${name}`, async () => {
    const place = {
      driver: "raw",
      file: {
        driver: "iscsi",
        transport: "tcp",
        portal: `127.0.0.1:${array.ports[0]}`,
        target: arrayTarget,
        lun,
        "header-digest": name === "header-digest" ? "crc32c" : "none",
      },
    };
    const file = `json:${JSON.stringify(place)}`;
    const back = `${image}.back`;
    await must("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", image, file]);
    await must("qemu-img", ["compare", "-f", "raw", image, file]);
    await must("qemu-img", ["convert", "-O", "raw", file, back]);
    expect((await sha256(image)) === (await sha256(back)), "the image came back changed");
    expect(array.alive(), "the array died");
  });
}

const chap = { user: "alice", secret: "a secret of alice", target: "array", targetSecret: "a secret of the array" };

async function authentication(report: Report, array: RunningArray): Promise<void> {
  const url = (credentials: string, query = "") =>
    array.url(0).replace("iscsi://", `iscsi://${credentials}`).concat(query);
  const mutual = `?target_user=${chap.target}&target_password=`;
  await report.check("libiscsi.chap", async () => {
    await must("iscsi-readcapacity16", [url(`${chap.user}%${chap.secret}@`)]);
  });
  await report.check("libiscsi.mutual-chap", async () => {
    await must("iscsi-readcapacity16", [url(`${chap.user}%${chap.secret}@`, `${mutual}${chap.targetSecret}`)]);
  });
  for (const [name, wrong] of [
    ["no-chap-refused", url("")],
    ["wrong-secret-refused", url(`${chap.user}%another secret@`)],
    ["wrong-user-refused", url(`mallory%${chap.secret}@`)],
    ["wrong-target-secret-noticed", url(`${chap.user}%${chap.secret}@`, `${mutual}another secret`)],
  ] as const) {
    await report.check(`libiscsi.${name}`, async () => {
      const { status, output } = await run("iscsi-readcapacity16", [wrong], { timeout: 20_000 });
      expect(status !== 0, `the login succeeded\n${output}`);
    });
  }
}

/** Negotiations that send writes different ways: R2T only, immediate only, small bursts, with header digests. */
const negotiations: readonly { readonly name: string; readonly args: readonly string[] }[] = [
  { name: "unsolicited", args: [] },
  { name: "solicited", args: ["--initial-r2t", "--no-immediate-data"] },
  {
    name: "small-bursts",
    args: [
      ...["--max-burst-length", "16384", "--first-burst-length", "8192", "--max-outstanding-r2t", "1"],
      ...["--max-recv-data-segment-length", "4096", "--queue-depth", "4"],
    ],
  },
  { name: "header-digest", args: ["--header-digest", "CRC32C"] },
];

export const arrayLibiscsiSuite = {
  name: "array-libiscsi",
  tools: ["iscsi-test-cu", "iscsi-ls", "iscsi-inq", "iscsi-readcapacity16", "qemu-img"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir } = context;
    const { values } = parseArgs({ args: [...context.args], options: { update: { type: "boolean", default: false } } });
    mkdirSync(workDir, { recursive: true });
    const lun = (name: string, size: string) => ["--lun", `${join(workDir, name)}:${size}`];
    const array = await launchArray(workDir, 2, [
      ...lun("small", "128M"),
      ...lun("native", "128M,block=4096"),
      ...lun("locked", "16M,ro"),
      // LUN 300 needs the flat space addressing method.
      ...["--lun-number", "300", ...lun("huge", "1T")],
    ]);
    try {
      await tools(report, array);
      await testCu(context, array, values.update);
      await report.check("libiscsi.array-alive", () => expect(array.alive(), "the array died"));
    } finally {
      await array.stop();
    }
    const secured = await launchArray(workDir, 1, [
      ...["--chap", `${chap.user}:${chap.secret}`, "--mutual-chap", `${chap.target}:${chap.targetSecret}`],
      ...lun("secured", "16M"),
    ]);
    try {
      await authentication(report, secured);
    } finally {
      await secured.stop();
    }
    const image = join(workDir, "image");
    await writeRandomFile(image, imageBytes);
    for (const { name, args } of negotiations) {
      const one = await launchArray(workDir, 1, [...args, ...lun(name, `${imageBytes},block=4096`)]);
      try {
        await qemuImg(report, one, name, image, 0);
      } finally {
        await one.stop();
      }
    }
  },
};
