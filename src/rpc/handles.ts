// SPDX-License-Identifier: Apache-2.0

import { FaultStatus, uuidToBytes } from "./dcerpc.ts";
import { RpcFault } from "./fault.ts";

/** A context handle on the wire: attributes, then a UUID (C706 appendix N, ndr_context_handle). */
export const CONTEXT_HANDLE_SIZE = 20;
export const NULL_CONTEXT_HANDLE: Buffer = Buffer.alloc(CONTEXT_HANDLE_SIZE);

/** More than any client keeps open in one association. */
const MAX_HANDLES = 256;

/** The context handles of one association; the last pipe of the association takes them with it. */
export class HandleTable {
  readonly #values = new Map<string, object>();
  readonly #randomUuid: () => string;

  constructor(randomUuid: () => string) {
    this.#randomUuid = randomUuid;
  }

  get size(): number {
    return this.#values.size;
  }

  /** `undefined` when the association holds as many as it may. */
  open(value: object): Buffer | undefined {
    if (this.#values.size >= MAX_HANDLES) return undefined;
    const handle = Buffer.concat([Buffer.alloc(4), uuidToBytes(this.#randomUuid())]);
    this.#values.set(handle.toString("hex"), value);
    return handle;
  }

  /** @throws RpcFault nca_s_fault_context_mismatch for a handle that is unknown or of another kind */
  get<T extends object>(handle: Buffer, kind: new (...parameters: never[]) => T): T {
    const value = this.#values.get(handle.toString("hex"));
    if (!(value instanceof kind)) throw new RpcFault(FaultStatus.NCA_FAULT_CONTEXT_MISMATCH);
    return value;
  }

  /** @throws RpcFault nca_s_fault_context_mismatch for a handle that is not open */
  close(handle: Buffer): void {
    if (!this.#values.delete(handle.toString("hex"))) throw new RpcFault(FaultStatus.NCA_FAULT_CONTEXT_MISMATCH);
  }
}
