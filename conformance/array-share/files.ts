// SPDX-License-Identifier: Apache-2.0
/** Files on shares, and what the checks do with them. */
import { createHash, randomBytes } from "node:crypto";
import { NtStatus } from "../../src/nt/status.ts";
import { offloadCopy } from "../../test/support/offload-client.ts";
import type { SmbFile, SmbTree } from "../../test/support/smb-client.ts";
import { StatusError } from "../../test/support/smb-connection.ts";
import { expect } from "../lib/report.ts";
import type { Gateway } from "./gateway.ts";

export const MiB = 1024 * 1024;
const CHUNK = 1024 * 1024;

/** Runs `use` with a share, on a connection of its own. */
export async function withTree<T>(gateway: Gateway, share: string, use: (tree: SmbTree) => Promise<T>): Promise<T> {
  const { tree, close } = await gateway.mount(share);
  try {
    return await use(tree);
  } finally {
    close();
  }
}

/** Makes a file of random bytes. */
export async function putRandom(tree: SmbTree, name: string, length: number): Promise<Buffer> {
  const data = randomBytes(length);
  await putData(tree, name, data);
  return data;
}

export async function putData(tree: SmbTree, name: string, data: Buffer): Promise<void> {
  const file = await tree.createFile(name);
  for (let offset = 0; offset < data.length; offset += CHUNK) {
    await file.write(offset, data.subarray(offset, offset + CHUNK));
  }
  await file.close();
}

async function readAll(file: SmbFile, take: (data: Buffer) => void): Promise<void> {
  const size = Number(file.response.endOfFile);
  for (let offset = 0; offset < size; ) {
    const data = await file.read(offset, Math.min(CHUNK, size - offset));
    take(data);
    offset += data.length;
  }
}

/** SHA-256 of a file's content, in hexadecimal. */
export async function hashOf(tree: SmbTree, name: string): Promise<string> {
  const hash = createHash("sha256");
  const file = await tree.create(name);
  await readAll(file, (data) => hash.update(data));
  await file.close();
  return hash.digest("hex");
}

export async function content(tree: SmbTree, name: string): Promise<Buffer> {
  const parts: Buffer[] = [];
  const file = await tree.create(name);
  await readAll(file, (data) => parts.push(Buffer.from(data)));
  await file.close();
  return Buffer.concat(parts);
}

export async function holds(tree: SmbTree, name: string, data: Buffer): Promise<void> {
  const found = await content(tree, name);
  expect(found.length === data.length, `${name} has ${found.length} bytes, not ${data.length}`);
  expect(found.equals(data), `${name} holds other data`);
}

/** Copies a whole file by tokens, from one share to another or within one. @throws StatusError */
export async function copyByToken(from: SmbTree, source: string, to: SmbTree, target: string): Promise<void> {
  const input = await from.create(source);
  const output = await to.create(target, { createDisposition: 3 });
  try {
    await offloadCopy(input, output, Number(input.response.endOfFile));
  } finally {
    await input.close();
    await output.close();
  }
}

/** The status with which an action fails. */
export async function statusOf(action: Promise<unknown>): Promise<number> {
  try {
    await action;
  } catch (error) {
    if (error instanceof StatusError) return error.status;
    throw error;
  }
  return NtStatus.SUCCESS;
}

/** Repeats an action until it does not throw. @throws the last error, after so many milliseconds */
export async function eventually<T>(milliseconds: number, action: () => Promise<T>): Promise<T> {
  const deadline = performance.now() + milliseconds;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}
