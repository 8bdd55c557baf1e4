// SPDX-License-Identifier: Apache-2.0

import type { Identity } from "../auth/auth.ts";
import { WellKnownSid } from "../nt/sid.ts";
import type { SyntaxId } from "./dcerpc.ts";
import type { HandleTable } from "./handles.ts";
import type { NdrReader, NdrWriter } from "./ndr.ts";
import type { RpcEnvironment } from "./pipe.ts";

/** What an operation may use. */
export interface RpcCall {
  readonly caller: Identity;
  readonly environment: RpcEnvironment;
  /** Context handles of the caller's association. */
  readonly handles: HandleTable;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Reads the [in] parameters, writes the [out] ones and the return value.
 * @throws NdrError for a stub that does not decode, RpcFault
 */
export type Operation = (call: RpcCall, input: NdrReader, output: NdrWriter) => void;

export interface RpcInterface {
  readonly syntax: SyntaxId;
  /** By opnum; one that is missing is answered with nca_op_rng_error. */
  readonly operations: ReadonlyMap<number, Operation>;
}

export function isAdministrator(caller: Identity): boolean {
  return caller.groups.includes(WellKnownSid.BUILTIN_ADMINISTRATORS);
}

/** Guests count: whoever let them in decided so. */
export function isAuthenticated(caller: Identity): boolean {
  return caller.kind !== "anonymous";
}
