// SPDX-License-Identifier: Apache-2.0
/** Temporary folders, free ports, test data and its hashes. */
import { createHash, randomBytes } from "node:crypto";
import { chmodSync, createReadStream, mkdtempSync, rmSync } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, connect as tcpConnect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onExit } from "./process.ts";

export interface TempDir {
  readonly path: string;
  readonly remove: () => void;
}

/** A new folder under the system's temporary folder, removed at the latest when the program ends. */
export function tempDir(topic: string): TempDir {
  const path = mkdtempSync(join(tmpdir(), `tessera-${topic}-`));
  // The servers under test reach their shares as other users.
  chmodSync(path, 0o755);
  const erase = () => rmSync(path, { recursive: true, force: true });
  const release = onExit(erase);
  return {
    path,
    remove: () => {
      release();
      erase();
    },
  };
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("no port"));
      });
    });
  });
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect({ host: "127.0.0.1", port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

/** Waits until something accepts connections on the port; rejects after `timeoutMs` or once `alive` says no. */
export async function waitForPort(port: number, timeoutMs: number, alive: () => boolean): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await accepts(port))) {
    if (!alive()) throw new Error("the server ended before it listened");
    if (performance.now() > deadline) throw new Error(`nothing listens on port ${port} after ${timeoutMs} ms`);
    await delay(50);
  }
}

/** Resolves after `ms` milliseconds. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Writes `bytes` random bytes; no two blocks are alike, so that a misplaced block changes the hash. */
export async function writeRandomFile(path: string, bytes: number): Promise<void> {
  const file: FileHandle = await open(path, "w");
  try {
    for (let left = bytes; left > 0; ) {
      const block = randomBytes(Math.min(left, 8 * 1024 * 1024));
      await file.write(block);
      left -= block.length;
    }
  } finally {
    await file.close();
  }
}

/** SHA-256 of a file, in hexadecimal. */
export function sha256(path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const hash = createHash("sha256");
    createReadStream(path, { highWaterMark: 1024 * 1024 })
      .on("data", (chunk) => hash.update(chunk))
      .once("error", reject)
      .once("end", () => resolve(hash.digest("hex")));
  });
}
