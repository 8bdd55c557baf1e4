// SPDX-License-Identifier: Apache-2.0

import { NtStatus } from "../../nt/status.ts";
import type { Operation } from "../interface.ts";
import { NdrError, type NdrReader, type NdrWriter } from "../ndr.ts";
import type { RpcEnvironment } from "../pipe.ts";
import { LSAP_LOOKUP_WKSTA, ReferencedDomains } from "./domains.ts";
import { PolicyAccess, readPolicyHandle } from "./policy.ts";

/** What is particular to a translation of names into SIDs, or of SIDs into names. */
export interface Translation<Item, Entry> {
  /** The request has LookupOptions and ClientRevision. */
  readonly extended: boolean;
  readonly read: (input: NdrReader) => readonly Item[];
  /** `undefined`: the request is not valid. */
  readonly translate: (environment: RpcEnvironment, domains: ReferencedDomains, item: Item) => Entry | undefined;
  readonly isMapped: (entry: Entry) => boolean;
  readonly write: (output: NdrWriter, entry: Entry) => void;
}

/** The outline that all translations share (MS-LSAT 3.1.4.5 to 3.1.4.11), at LsapLookupWksta. */
export function translation<Item, Entry>(parts: Translation<Item, Entry>): Operation {
  const { extended, read, translate, isMapped, write } = parts;
  return (call, input, output) => {
    const policy = readPolicyHandle(call, input);
    const items = read(input);
    readEmptyTranslation(input);
    const level = input.u16();
    input.u32();
    if (extended) {
      input.u32();
      input.u32();
    }
    if (!policy.allows(PolicyAccess.LOOKUP_NAMES)) return writeFailedTranslation(output, NtStatus.ACCESS_DENIED);
    if (level !== LSAP_LOOKUP_WKSTA) return writeFailedTranslation(output, NtStatus.INVALID_PARAMETER);
    const domains = new ReferencedDomains();
    const entries: Entry[] = [];
    for (const item of items) {
      const entry = translate(call.environment, domains, item);
      if (entry === undefined) return writeFailedTranslation(output, NtStatus.INVALID_PARAMETER);
      entries.push(entry);
    }
    const mapped = entries.filter(isMapped).length;

    domains.write(output);
    output.construct(() => {
      output.u32(entries.length);
      output.pointer(() => output.conformantArray(entries, (entry) => write(output, entry)));
    });
    output.u32(mapped);
    output.u32(statusOf(mapped, entries.length));
  };
}

/** What is translated is [in, out], and empty in a request. */
function readEmptyTranslation(input: NdrReader): void {
  input.u32();
  if (input.u32() !== 0) throw new NdrError("translated entries in a request");
}

/** The status of a translation of `total` items, `mapped` of them known (MS-LSAT 3.1.4.9). */
function statusOf(mapped: number, total: number): number {
  if (mapped === total) return NtStatus.SUCCESS;
  return mapped === 0 ? NtStatus.NONE_MAPPED : NtStatus.SOME_NOT_MAPPED;
}

/** No domains, no entries, none mapped, and the status. */
export function writeFailedTranslation(output: NdrWriter, status: number): void {
  output.u32(0);
  output.u32(0);
  output.u32(0);
  output.u32(0);
  output.u32(status);
}
