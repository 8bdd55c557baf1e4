// SPDX-License-Identifier: Apache-2.0

/** The call ends with a fault PDU of this status instead of an answer of its own. */
export class RpcFault extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`fault 0x${status.toString(16)}`);
    this.name = "RpcFault";
    this.status = status;
  }
}
