// SPDX-License-Identifier: Apache-2.0

import { Reader, Writer } from "../../src/smb2/wire/cursor.ts";
import {
  decodeFileBasicInformation,
  encodeFileBasicChange,
  type FileBasicInformation,
} from "../../src/smb2/wire/fscc/basic-info.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import type { SmbFile } from "./smb-client.ts";

const KEEP: FileBasicInformation = {
  creationTime: 0n,
  lastAccessTime: 0n,
  lastWriteTime: 0n,
  changeTime: 0n,
  attributes: 0,
};

/** Sets what `change` names and keeps the rest. @throws StatusError */
export function setBasic(file: SmbFile, change: Partial<FileBasicInformation>): Promise<void> {
  const writer = new Writer();
  encodeFileBasicChange(writer, { ...KEEP, ...change });
  return file.setInfo(FileInformationClass.FileBasicInformation, writer.view());
}

/** @throws StatusError */
export async function basic(file: SmbFile): Promise<FileBasicInformation> {
  return decodeFileBasicInformation(new Reader(await file.queryInfo(FileInformationClass.FileBasicInformation)));
}
