// SPDX-License-Identifier: Apache-2.0
/** Files behind the shares, made past the servers. Samba's users are not those of this process. */
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function openToAll(file: string): void {
  chmodSync(file, 0o666);
}

/** A new, empty folder that the servers' users may write to. */
export function freshFolder(path: string): string {
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  chmodSync(path, 0o777);
  return path;
}

/** A file with a few bytes. */
export function smallFile(folder: string, name: string): void {
  const file = join(folder, name);
  writeFileSync(file, "a few bytes\n");
  openToAll(file);
}

/** A folder with so many empty files. */
export function manyFiles(path: string, count: number): void {
  freshFolder(path);
  for (let index = 0; index < count; index += 1) writeFileSync(join(path, `file-${index}.txt`), "");
}
