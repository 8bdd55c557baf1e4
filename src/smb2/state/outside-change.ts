// SPDX-License-Identifier: Apache-2.0

import type { NtPath } from "../../vfs/volume.ts";
import { STRANGER } from "./oplock.ts";
import type { FileTable } from "./shared-file.ts";

/**
 * Somebody outside of the server has changed a file: clients give up what they cache of it, and of the directory that shows
 * it. It has happened already, so that nothing waits for them.
 * @param path where it is, or was
 * @param fileId the file, where it is known, whose data may be others now
 */
export function breakForOutsideChange(files: FileTable, path: NtPath, fileId: bigint | undefined): void {
  files.directoryLeases.changed(path, undefined);
  const file = fileId === undefined ? undefined : files.find(fileId);
  if (file === undefined) return;
  for (const { oplock } of file.streams.values()) void oplock.breakForChange(STRANGER);
}
