// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from "vitest";
import { rpcBind } from "../../../conformance/fuzz/templates.ts";
import { statusName } from "../../../src/nt/status.ts";
import { Reader } from "../../../src/smb2/wire/cursor.ts";
import { FileInformationClass } from "../../../src/smb2/wire/fscc/classes.ts";
import { decodePipePeek } from "../../../src/smb2/wire/fscc/pipe.ts";
import { decodeFilePipeLocalInformation, PipeState } from "../../../src/smb2/wire/fscc/pipe-info.ts";
import { Fsctl } from "../../../src/smb2/wire/fsctl.ts";
import { decodeIoctlResponse } from "../../../src/smb2/wire/ioctl.ts";
import { decodeReadResponse } from "../../../src/smb2/wire/read.ts";
import { ServerHarness, settle, statusOf } from "../../support/server-harness.ts";
import type { SmbFile, SmbTree } from "../../support/smb-client.ts";
import type { Call } from "../../support/smb-connection.ts";
import { requests } from "../../support/smb-requests.ts";

const status = async (call: Call) => statusName((await call.reply).status);

describe("a named pipe", () => {
  let harness: ServerHarness;
  let tree: SmbTree;
  let pipe: SmbFile;

  beforeEach(async () => {
    harness = await ServerHarness.start({ protocol: { maxAsyncPerConnection: 1 } });
    tree = await (await harness.logOn()).treeConnect("IPC$");
    pipe = await tree.create("srvsvc");
  });

  const read = (length = 4096) => pipe.submit(requests.read(pipe.fileId, 0, length));

  it("answers what is written to it", async () => {
    expect(await pipe.write(0, rpcBind())).toBe(rpcBind().length);
    const answer = await pipe.read(0, 4096);
    expect(answer.readUInt8(2)).toBe(12);
    expect((await pipe.ioctl(Fsctl.PIPE_TRANSCEIVE, rpcBind(), { maxOutputResponse: 4096 })).length).toBeGreaterThan(0);
  });

  it("gives a long answer in parts", async () => {
    await pipe.write(0, rpcBind());
    const first = await read(10).reply;
    expect(statusName(first.status)).toBe("STATUS_BUFFER_OVERFLOW");
    const rest = await read().reply;
    expect(statusName(rest.status)).toBe("STATUS_SUCCESS");
    const whole = Buffer.concat([decodeReadResponse(first.reader).data, decodeReadResponse(rest.reader).data]);
    expect(whole.readUInt16LE(8)).toBe(whole.length);
  });

  const peek = async (maxOutputResponse: number) => {
    const reply = await pipe.exchange(requests.ioctl(Fsctl.PIPE_PEEK, pipe.fileId, { maxOutputResponse }));
    return { status: statusName(reply.status), output: decodeIoctlResponse(reply.reader).output };
  };

  it("lets answers be looked at", async () => {
    const nothing = { namedPipeState: PipeState.CONNECTED, readDataAvailable: 0, numberOfMessages: 0 };
    expect(decodePipePeek(new Reader((await peek(4096)).output))).toMatchObject(nothing);
    await pipe.write(0, rpcBind());
    const short = await peek(20);
    expect(short.status).toBe("STATUS_BUFFER_OVERFLOW");
    expect(short.output.length).toBe(20);
    const { status, output } = await peek(4096);
    expect(status).toBe("STATUS_SUCCESS");
    const seen = decodePipePeek(new Reader(output));
    const local = await pipe.queryInfo(FileInformationClass.FilePipeLocalInformation);
    const answer = await pipe.read(0, 4096);
    expect(seen).toMatchObject({ readDataAvailable: answer.length, numberOfMessages: 1, messageLength: answer.length });
    expect(seen.data).toEqual(answer);
    expect(decodeFilePipeLocalInformation(new Reader(local)).readDataAvailable).toBe(answer.length);
    expect(decodePipePeek(new Reader((await peek(4096)).output))).toMatchObject(nothing);
    expect((await peek(0)).status).toBe("STATUS_BUFFER_OVERFLOW");
  });

  it("lets a transceive wait until the request is whole", async () => {
    const transceive = pipe.submit(
      requests.ioctl(Fsctl.PIPE_TRANSCEIVE, pipe.fileId, { input: rpcBind().subarray(0, 30), maxOutputResponse: 4096 }),
    );
    await transceive.pending;
    await pipe.write(0, rpcBind().subarray(30));
    expect(decodeIoctlResponse((await transceive.reply).reader).output.readUInt8(2)).toBe(12);
  });

  it("lets a reader wait for its answer", async () => {
    const waiting = read();
    await waiting.pending;
    await pipe.write(0, rpcBind());
    expect(await status(waiting)).toBe("STATUS_SUCCESS");
  });

  it("tells a reader that no answer will come", async () => {
    const waiting = read();
    await waiting.pending;
    expect(await statusOf(pipe.write(0, Buffer.alloc(16)))).toBe("STATUS_INVALID_PARAMETER");
    expect(await status(waiting)).toBe("STATUS_PIPE_DISCONNECTED");
  });

  it("lets a reader give up", async () => {
    const waiting = read();
    await waiting.pending;
    tree.session.connection.cancel(waiting);
    expect(await status(waiting)).toBe("STATUS_CANCELLED");
    await pipe.write(0, rpcBind());
    expect(await status(read())).toBe("STATUS_SUCCESS");
  });

  it("ends the wait when it is closed", async () => {
    const waiting = read();
    await waiting.pending;
    await pipe.close();
    expect(await status(waiting)).toBe("STATUS_PIPE_DISCONNECTED");
  });

  it("keeps no reader that was refused the wait, and no answer from those that follow", async () => {
    const waiting = read();
    await waiting.pending;
    expect(await status(read())).toBe("STATUS_INSUFFICIENT_RESOURCES");
    await pipe.write(0, rpcBind());
    expect(await status(waiting)).toBe("STATUS_SUCCESS");
    await pipe.write(0, rpcBind());
    expect(await status(read())).toBe("STATUS_SUCCESS");
  });

  it("leaves nothing behind when the connection ends", async () => {
    await read().pending;
    tree.session.connection.close();
    await settle();
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.errors).toEqual([]);
  });

  it("is found without regard to case, or not at all", async () => {
    expect(await statusOf(tree.create("SRVSVC"))).toBe("STATUS_SUCCESS");
    for (const name of ["nothing", "", "srvsvc\\x"]) {
      expect(await statusOf(tree.create(name))).toBe("STATUS_OBJECT_NAME_NOT_FOUND");
    }
  });

  it("is no file", async () => {
    expect(await statusOf(pipe.lock(0, 1))).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await statusOf(pipe.queryDirectory({ fileInformationClass: 37 }))).toBe("STATUS_INVALID_DEVICE_REQUEST");
    expect(await statusOf(pipe.flush())).toBe("STATUS_SUCCESS");
  });
});
