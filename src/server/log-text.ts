// SPDX-License-Identifier: Apache-2.0

/** Text from a client may hold anything; a log line holds none of what moves a terminal's cursor or fakes a line. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;
  });
}

function formatValue(value: unknown): string {
  const bare = typeof value === "string" && value !== "" && !/[\s="]/.test(value);
  return printable(bare ? value : JSON.stringify(value));
}

/** One JSON log line as a line for people: time, level, message, then the fields as `name=value`. */
export function formatLogLine(json: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const clock = typeof time === "string" ? time.slice(11, 23) : "";
  const parts = [clock, String(level).toUpperCase().padEnd(5), printable(String(msg ?? ""))];
  for (const [name, value] of Object.entries(fields)) {
    parts.push(`${name}=${formatValue(value)}`);
  }
  const lines = [parts.join(" ")];
  if (typeof err === "object" && err !== null && "stack" in err && typeof err.stack === "string") {
    lines.push(...err.stack.split("\n").map((line) => `    ${printable(line)}`));
  }
  return `${lines.join("\n")}\n`;
}
