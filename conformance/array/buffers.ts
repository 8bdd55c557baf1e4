// SPDX-License-Identifier: Apache-2.0
/** Memory for the data of reads and writes. Whoever knows that nobody looks at a buffer any more may give it back. */
import { BufferPool } from "../../src/memory/buffer-pool.ts";

export const dataBuffers = new BufferPool();
