// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { zeroToken } from "../../../src/offload/token-seal.ts";
import { CreateOption } from "../../../src/smb2/wire/constants.ts";
import { Writer } from "../../../src/smb2/wire/cursor.ts";
import { encodeDuplicateExtentsData } from "../../../src/smb2/wire/fscc/duplicate-extents.ts";
import { encodeSetZeroData } from "../../../src/smb2/wire/fscc/sparse.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import { CloningVolume } from "../../support/cloning-volume.ts";
import { chunk, copyInput, keyOf } from "../../support/copychunk-client.ts";
import { offloadRead, offloadWriteInput } from "../../support/offload-client.ts";
import { ServerHarness } from "../../support/server-harness.ts";
import { Gate, slowVolume } from "../../support/slow-volume.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import { requests } from "../../support/smb-requests.ts";

const LENGTH = 8192;

type Ask = (source: SmbFile, target: SmbFile) => Promise<{ code: number; input: Buffer; maxOutputResponse?: number }>;

const asked: readonly (readonly [string, Ask])[] = [
  [
    "SRV_COPYCHUNK",
    async (source) => ({
      code: Fsctl.SRV_COPYCHUNK,
      input: copyInput(await keyOf(source), [chunk(0, 0, LENGTH)]),
      maxOutputResponse: 12,
    }),
  ],
  [
    "OFFLOAD_WRITE",
    async (source) => ({
      code: Fsctl.OFFLOAD_WRITE,
      input: offloadWriteInput((await offloadRead(source, { length: LENGTH })).token, { length: LENGTH }),
      maxOutputResponse: 16,
    }),
  ],
  [
    "OFFLOAD_WRITE of the zero token",
    async () => ({
      code: Fsctl.OFFLOAD_WRITE,
      input: offloadWriteInput(zeroToken(), { length: LENGTH }),
      maxOutputResponse: 16,
    }),
  ],
  [
    "DUPLICATE_EXTENTS_TO_FILE",
    async (source) => {
      const writer = new Writer();
      const range = { sourceFileOffset: 0n, targetFileOffset: 0n, byteCount: BigInt(LENGTH) };
      encodeDuplicateExtentsData(writer, { sourceFileId: source.fileId, ...range });
      return { code: Fsctl.DUPLICATE_EXTENTS_TO_FILE, input: writer.view() };
    },
  ],
  [
    "SET_ZERO_DATA",
    async () => {
      const writer = new Writer();
      encodeSetZeroData(writer, { fileOffset: 0n, beyondFinalZero: BigInt(LENGTH) });
      return { code: Fsctl.SET_ZERO_DATA, input: writer.view() };
    },
  ],
];

describe.each(asked)("%s", (_, ask) => {
  let gate: Gate;
  let tree: SmbTree;
  let source: SmbFile;

  beforeEach(async () => {
    gate = new Gate();
    tree = await (await ServerHarness.start({ volume: slowVolume(new CloningVolume(), gate) })).mount();
    source = await tree.createFile("source");
    await source.write(0, Buffer.alloc(LENGTH, 7));
  });

  const begin = async (createOptions: number) => {
    const target = await tree.createFile("target", { createOptions });
    await target.write(0, Buffer.alloc(LENGTH, 8));
    const { code, ...rest } = await ask(source, target);
    gate.hold("flush");
    return target.submit(requests.ioctl(code, target.fileId, rest));
  };

  it("is on the disk when a handle with FILE_WRITE_THROUGH hears of it", async () => {
    const call = await begin(CreateOption.WRITE_THROUGH);
    await gate.arrival("flush");
    gate.release();
    expect(statusName((await call.reply).status)).toBe("STATUS_SUCCESS");
  });

  it("is left to the storage for any other handle", async () => {
    const call = await begin(0);
    expect(statusName((await call.reply).status)).toBe("STATUS_SUCCESS");
    expect(gate.waiting).toBe(0);
  });
});
