// SPDX-License-Identifier: Apache-2.0
/** Tables of cases as CSV (RFC 4180): `case,expected,reason` and `case,status,detail`. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { Status } from "./report.ts";

export interface Row {
  readonly name: string;
  readonly status: Status;
  /** Why a case is not expected to pass, or what the suite said. */
  readonly text: string;
}

function fields(line: string): string[] {
  const found = [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)];
  return found.map((match) => match[2] ?? (match[1] ?? "").replaceAll('""', '"'));
}

function quoted(field: string): string {
  return /[",\n]/.test(field) ? `"${field.replaceAll('"', '""').replaceAll("\n", " ")}"` : field;
}

/** Reads a table; a missing file is an empty one. Throws on a status that does not exist. */
export function readTable(file: string): Map<string, Row> {
  const rows = new Map<string, Row>();
  if (!existsSync(file)) return rows;
  for (const [index, line] of readFileSync(file, "utf8").split("\n").slice(1).entries()) {
    if (line === "") continue;
    const [name = "", status = "", text = ""] = fields(line);
    if (status !== "pass" && status !== "fail" && status !== "skip") {
      throw new Error(`${file}:${index + 2}: ${status} is not a status`);
    }
    rows.set(name, { name, status, text });
  }
  return rows;
}

export function writeTable(file: string, header: string, rows: readonly Row[]): void {
  const lines = rows.map(({ name, status, text }) => [name, status, text].map(quoted).join(","));
  writeFileSync(file, `${[header, ...lines].join("\n")}\n`);
}
