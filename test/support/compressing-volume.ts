// SPDX-License-Identifier: Apache-2.0

import { FileAttribute, FileSystemAttribute } from "../../src/nt/attributes.ts";
import { MemoryVolume } from "../../src/vfs/memory/memory-volume.ts";
import type { CreateOptions, NtPath, OpenedFile, VolumeFile, VolumeInfo } from "../../src/vfs/volume.ts";

/** A memory volume whose files can be marked as compressed: for tests of what the protocol makes of that. */
export class CompressingVolume extends MemoryVolume {
  declare readonly info: VolumeInfo;
  readonly #compressed = new Set<bigint>();

  constructor(readOnly = false) {
    super();
    const attributes = this.info.attributes | FileSystemAttribute.FILE_COMPRESSION;
    this.info = { ...this.info, attributes, readOnly };
  }

  override open(path: NtPath): OpenedFile | undefined {
    const opened = super.open(path);
    return opened === undefined ? undefined : { ...opened, file: this.#marked(opened.file) };
  }

  /** What is made in a compressed directory is compressed. */
  override create(path: NtPath, options: CreateOptions): OpenedFile {
    const opened = super.create(path, options);
    const parent = super.open(path.slice(0, -1));
    if (parent !== undefined && this.#compressed.has(parent.file.fileId)) this.#compressed.add(opened.file.fileId);
    void parent?.file.close();
    return { ...opened, file: this.#marked(opened.file) };
  }

  #marked(file: VolumeFile): VolumeFile {
    const stat = file.stat.bind(file);
    return Object.assign(file, {
      stat: async () => {
        const facts = await stat();
        const compressed = this.#compressed.has(file.fileId) ? FileAttribute.COMPRESSED : 0;
        return { ...facts, attributes: facts.attributes | compressed };
      },
      setCompressed: (compressed: boolean) => {
        if (compressed) this.#compressed.add(file.fileId);
        else this.#compressed.delete(file.fileId);
      },
    });
  }
}
