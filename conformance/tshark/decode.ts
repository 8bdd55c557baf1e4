// SPDX-License-Identifier: Apache-2.0
/** Asks tshark what a recording holds. */
import { must } from "../lib/process.ts";

/** One frame; a field that occurs several times (compounds) has several values, one that is absent none. */
export type Frame<F extends string> = Readonly<Record<F, readonly string[]>>;

const separator = "\u0001";
const aggregator = "\u0002";

/** The fields of all frames that pass the display filter, decrypted and verified with the user's password. */
export async function decode<F extends string>(
  file: string,
  password: string,
  filter: string,
  fields: readonly F[],
): Promise<Frame<F>[]> {
  const { stdout } = await must("tshark", [
    ...["-n", "-r", file, "-o", `ntlmssp.nt_password:${password}`, "-o", "smb2.verify_signatures:TRUE"],
    // Reads of pipes and large writes arrive in many segments.
    ...["-o", "tcp.desegment_tcp_streams:TRUE", "-Y", filter, "-T", "fields"],
    ...["-E", `separator=${separator}`, "-E", `aggregator=${aggregator}`, "-E", "occurrence=a"],
    ...fields.flatMap((field) => ["-e", field]),
  ]);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const columns = line.split(separator);
      const entries = fields.map((field, index) => {
        const column = columns[index] ?? "";
        return [field, column === "" ? [] : column.split(aggregator)] as const;
      });
      return Object.fromEntries(entries) as Record<F, string[]>;
    });
}
