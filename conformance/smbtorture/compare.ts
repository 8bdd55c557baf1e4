// SPDX-License-Identifier: Apache-2.0
/**
 * Two result files side by side, as Markdown: `npx tsx conformance/smbtorture/compare.ts [ORACLE.csv] TESSERA.csv`.
 * A result file is what `--results FILE` writes; the oracle defaults to the results of Samba 4.17 kept here.
 */
import { fileURLToPath } from "node:url";
import type { Status } from "../lib/report.ts";
import { type Row, readTable } from "../lib/table.ts";
import { suiteOf } from "./catalogue.ts";

const statuses: readonly Status[] = ["pass", "fail", "skip"];

function counts(rows: readonly Row[]): string {
  return statuses.map((status) => rows.filter((row) => row.status === status).length).join(" / ");
}

function main(args: readonly string[]): number {
  const tesseraFile = args[args.length - 1];
  if (tesseraFile === undefined || args.length > 2) {
    process.stderr.write("usage: compare.ts [ORACLE.csv] TESSERA.csv\n");
    return 2;
  }
  const oracleFile = args.length === 2 ? args[0] : fileURLToPath(new URL("samba-4.17.csv", import.meta.url));
  const oracle = readTable(oracleFile ?? "");
  const tessera = readTable(tesseraFile);
  const all = [...new Set([...oracle.keys(), ...tessera.keys()])];
  const lines = ["| suite | Samba pass / fail / skip | Tessera pass / fail / skip |", "|---|---|---|"];
  const row = (title: string, of: (name: string) => boolean) => {
    const pick = (table: Map<string, Row>) => [...table.values()].filter(({ name }) => of(name));
    lines.push(`| ${title} | ${counts(pick(oracle))} | ${counts(pick(tessera))} |`);
  };
  for (const suite of new Set(all.map(suiteOf))) row(suite, (name) => suiteOf(name) === suite);
  row("all", () => true);
  lines.push("", "| case | Samba | Tessera | what Tessera's run said |", "|---|---|---|---|");
  for (const name of all) {
    const ours = tessera.get(name);
    if (oracle.get(name)?.status === ours?.status) continue;
    const said = (ours?.text ?? "")
      .replace(/\S*source4\/torture\//g, "")
      .replaceAll("|", "\\|")
      .slice(0, 160);
    lines.push(`| ${name} | ${oracle.get(name)?.status ?? "-"} | ${ours?.status ?? "-"} | ${said} |`);
  }
  process.stdout.write(`${lines.join("\n")}\n`);
  return 0;
}

process.exit(main(process.argv.slice(2)));
