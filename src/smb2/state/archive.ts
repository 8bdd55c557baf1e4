// SPDX-License-Identifier: Apache-2.0

import { FileAttribute } from "../../nt/attributes.ts";
import { type Awaitable, chain } from "../../nt/awaitable.ts";
import { CompletionFilter } from "../wire/constants.ts";
import type { SharedFile } from "./shared-file.ts";

/** Gives a file its ARCHIVE attribute; watchers hear of it when a handle closes. @param attributes those that it has */
export function archiveWith(file: SharedFile, attributes: number): Awaitable<void> {
  if ((attributes & FileAttribute.ARCHIVE) !== 0) return;
  file.pendingNotifications |= CompletionFilter.ATTRIBUTES;
  return file.node.setBasic({ attributes: attributes | FileAttribute.ARCHIVE });
}

/**
 * Marks a file whose name, descriptor or extended attributes have changed for the next backup (MS-FSA 2.1.5.15.6, 2.1.5.15.7,
 * 2.1.5.15.12, 2.1.5.17). Directories are not marked.
 */
export function archive(file: SharedFile): Awaitable<void> {
  if (file.node.directory) return;
  return chain(file.node.stat(), ({ attributes }) => archiveWith(file, attributes));
}
