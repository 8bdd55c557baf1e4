// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { statusName } from "../../../src/nt/status.ts";
import { fsctlTable } from "../../../src/smb2/commands/fsctl/table.ts";
import { Dialect } from "../../../src/smb2/wire/constants.ts";
import { NO_FILE_ID } from "../../../src/smb2/wire/file-id.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse, type IoctlRequest } from "../../../src/smb2/wire/ioctl.ts";
import { ServerHarness } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import { rawBody, requests } from "../../support/smb-requests.ts";

describe("IOCTL", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let file: SmbFile;

  beforeEach(async () => {
    const networkInterfaces = [
      { index: 3, address: Buffer.from([192, 0, 2, 1]), linkSpeed: 10e9, receiveSideScaling: true },
    ];
    harness = await ServerHarness.start({ networkInterfaces });
    tree = await harness.mount();
    file = await tree.createFile("file");
  });

  const status = async (target: SmbFile, code: number, options: Partial<IoctlRequest> = {}) =>
    statusName((await target.exchange(requests.ioctl(code, target.fileId, options))).status).replace("STATUS_", "");
  const withoutHandle = async (code: number, options: Partial<IoctlRequest> = {}) =>
    statusName((await tree.exchange(requests.ioctl(code, NO_FILE_ID, options))).status).replace("STATUS_", "");

  it("is for FSCTLs alone", async () => {
    for (const flags of [0, 2, 3]) expect(await status(file, Fsctl.SET_SPARSE, { flags })).toBe("NOT_SUPPORTED");
  });

  it("bounds what is sent and asked for", async () => {
    const most = harness.server.context.options.maxTransactSize;
    tree.session.connection.creditsAsked = 1000;
    await tree.exchange(requests.echo());
    expect(await status(file, Fsctl.SET_SPARSE, { maxOutputResponse: most })).toBe("SUCCESS");
    expect(await status(file, Fsctl.SET_SPARSE, { maxOutputResponse: most + 1 })).toBe("INVALID_PARAMETER");
    expect(await status(file, Fsctl.SET_SPARSE, { maxInputResponse: most + 1 })).toBe("INVALID_PARAMETER");
  });

  it("is charged for the greater of input and output", async () => {
    const header = { creditCharge: 1 };
    const ask = (options: Partial<IoctlRequest>) =>
      file.exchange(requests.ioctl(Fsctl.SET_SPARSE, file.fileId, options), { header });
    expect(statusName((await ask({ maxOutputResponse: 65_536 })).status)).toBe("STATUS_SUCCESS");
    expect(statusName((await ask({ maxOutputResponse: 65_536, maxInputResponse: 1 })).status)).toBe(
      "STATUS_INVALID_PARAMETER",
    );
    expect(statusName((await ask({ outputCount: 65_537 })).status)).toBe("STATUS_INVALID_PARAMETER");
  });

  it.each([
    [Fsctl.DFS_GET_REFERRALS, "FS_DRIVER_REQUIRED"],
    [Fsctl.DFS_GET_REFERRALS_EX, "FS_DRIVER_REQUIRED"],
  ])("0x%s without a handle: %s", async (code, expected) => {
    expect(await withoutHandle(code)).toBe(expected);
  });

  it("tells unknown codes of the file system from all others", async () => {
    expect(await status(file, 0x0009_fffc)).toBe("INVALID_DEVICE_REQUEST");
    expect(await status(file, 0x0014_fffc)).toBe("NOT_SUPPORTED");
    expect(await status(file, 0xffff_fffc)).toBe("NOT_SUPPORTED");
  });

  it.each([Fsctl.QUERY_NETWORK_INTERFACE_INFO, Fsctl.PIPE_WAIT, Fsctl.DFS_GET_REFERRALS])(
    "refuses a handle where none belongs: 0x%s",
    async (code) => {
      expect(await status(file, code, { input: Buffer.alloc(14) })).toBe("INVALID_PARAMETER");
    },
  );

  it("refuses input that lies outside of the message or is misaligned", async () => {
    const good = Buffer.alloc(56);
    good.writeUInt16LE(57, 0);
    good.writeUInt32LE(Fsctl.SET_SPARSE, 4);
    good.writeBigUInt64LE(file.fileId.persistent, 8);
    good.writeBigUInt64LE(file.fileId.volatile, 16);
    good.writeUInt32LE(1, 48);
    for (const [offset, count] of [
      [124, 1],
      [128, 1],
      [120, 100],
      [64, 8],
      [0xffff_fff8, 8],
      [120, 0xffff_ffff],
    ] as const) {
      const bytes = Buffer.from(good);
      bytes.writeUInt32LE(offset, 24);
      bytes.writeUInt32LE(count, 28);
      const reply = await file.exchange(rawBody(11, bytes));
      expect(statusName(reply.status)).toBe("STATUS_INVALID_PARAMETER");
    }
  });

  it("says which code and handle it answers", async () => {
    const reply = await file.exchange(requests.ioctl(Fsctl.SRV_REQUEST_RESUME_KEY, file.fileId));
    expect(decodeIoctlResponse(reply.reader)).toMatchObject({
      ctlCode: Fsctl.SRV_REQUEST_RESUME_KEY,
      fileId: file.fileId,
      input: Buffer.alloc(0),
    });
  });

  describe("each row of the table", () => {
    const SINGLE_RIGHTS = Array.from({ length: 9 }, (_, bit) => 1 << bit);
    const rows = [...fsctlTable.entries()].map(([code, row]) => ({ code, name: row.name, row }));

    it.each(rows.filter(({ row }) => row.access !== undefined || row.anyAccess !== undefined))(
      "$name lets no handle pass that lacks the right",
      async ({ code, row }) => {
        const input = Buffer.alloc(Math.max(row.minimumInput ?? 0, 64));
        for (const right of SINGLE_RIGHTS) {
          const handle = await tree.create("file", { desiredAccess: right });
          const all = (right & (row.access ?? 0)) === (row.access ?? 0);
          const some = row.anyAccess === undefined || (right & row.anyAccess) !== 0;
          const found = await status(handle, code, { input });
          if (all && some) expect(found).not.toBe("ACCESS_DENIED");
          else expect(found).toBe("ACCESS_DENIED");
          await handle.close();
        }
      },
    );

    it.each(rows.filter(({ row }) => row.target === "file"))("$name is not for pipes", async ({ code }) => {
      const pipe = await (await tree.session.treeConnect("IPC$")).create("srvsvc");
      expect(await status(pipe, code, { input: Buffer.alloc(64) })).toBe("INVALID_DEVICE_REQUEST");
    });

    it.each(rows.filter(({ row }) => row.target === "pipe"))("$name is not for files", async ({ code }) => {
      expect(await status(file, code, { input: Buffer.alloc(64) })).toBe("INVALID_DEVICE_REQUEST");
    });

    it.each(rows.filter(({ row }) => (row.minimumInput ?? 0) > 0))(
      "$name refuses short input",
      async ({ code, row }) => {
        const input = Buffer.alloc((row.minimumInput ?? 0) - 1);
        const found =
          row.target === "none" ? await withoutHandle(code, { input }) : await status(file, code, { input });
        expect(found).toBe("INVALID_PARAMETER");
      },
    );

    it.each(rows.filter(({ row }) => (row.minimumOutput ?? 0) > 0))(
      "$name refuses a short answer",
      async ({ code, row }) => {
        const options = { input: Buffer.alloc(64), maxOutputResponse: (row.minimumOutput ?? 0) - 1 };
        expect(await status(file, code, options)).toBe("INVALID_PARAMETER");
      },
    );

    it.each(rows.filter(({ code }) => code !== Fsctl.VALIDATE_NEGOTIATE_INFO))(
      "$name copes with input of every length",
      async ({ code, row }) => {
        for (let length = 0; length <= 80; length += 1) {
          const options = { input: Buffer.alloc(length, 0xff), maxOutputResponse: length };
          if (row.target === "none") await withoutHandle(code, options);
          else await status(file, code, options);
        }
        expect(harness.errors).toEqual([]);
      },
    );
  });

  describe("QUERY_NETWORK_INTERFACE_INFO", () => {
    it("lists the interfaces from 3.0 on", async () => {
      const { output } = await tree.ioctl(Fsctl.QUERY_NETWORK_INTERFACE_INFO);
      expect(output).toHaveLength(152);
      expect(output.readUInt32LE(4)).toBe(3);
      expect(output.subarray(28, 32)).toEqual(Buffer.from([192, 0, 2, 1]));
      const old = await harness.mount("data", { negotiate: { dialects: [Dialect.SMB_2_1] } });
      const reply = await old.exchange(requests.ioctl(Fsctl.QUERY_NETWORK_INTERFACE_INFO, NO_FILE_ID));
      expect(statusName(reply.status)).toBe("STATUS_NOT_SUPPORTED");
    });

    it("needs room", async () => {
      expect(await withoutHandle(Fsctl.QUERY_NETWORK_INTERFACE_INFO, { maxOutputResponse: 151 })).toBe(
        "BUFFER_TOO_SMALL",
      );
    });
  });
});
