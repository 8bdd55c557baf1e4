// SPDX-License-Identifier: Apache-2.0

import { md4 } from "hash-wasm";

/** NTOWFv1: MD4 of the password in UTF-16LE (MS-NLMP 3.3.1). 16 bytes that are worth as much as the password. */
export async function ntHashOfPassword(password: string): Promise<Buffer> {
  return Buffer.from(await md4(Buffer.from(password, "utf16le")), "hex");
}
