// SPDX-License-Identifier: Apache-2.0
/**
 * Offloaded copies of the project's own client, since no other one runs on Linux, as tshark reads them: every field of every
 * FSCTL_OFFLOAD_READ and FSCTL_OFFLOAD_WRITE must be what the client meant and understood (MS-FSCC 2.3.41 to 2.3.44).
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { NtStatus } from "../../src/nt/status.ts";
import { FileInformationClass } from "../../src/smb2/wire/fscc/classes.ts";
import { OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE } from "../../src/smb2/wire/fscc/offload.ts";
import { Fsctl } from "../../src/smb2/wire/fsctl.ts";
import { offloadRead, offloadWrite, type ReadRange, type WriteRange } from "../../test/support/offload-client.ts";
import type { SmbFile } from "../../test/support/smb-client.ts";
import { StatusError } from "../../test/support/smb-connection.ts";
import { mountTcp } from "../../test/support/tcp-client.ts";
import { startRecordingProxy } from "../lib/pcap.ts";
import { expect, type Report } from "../lib/report.ts";
import type { RunningServer } from "../lib/server.ts";
import { decode } from "./decode.ts";

const KIB = 1024;
const sourceBytes = 300 * KIB + 100;
const sector = 512;
const AES_CMAC = 1;

/** The fields of a frame by tshark's names, numbers in decimal and bytes in hexadecimal. */
type Fields = Record<string, string>;

const odx = (name: string) => `smb2.fsctl.odx.${name}`;

const fieldNames = [
  ...["size", "flags", "token_ttl", "file_offset", "copy_length", "xfer_length", "token_offset"].map(odx),
  ...["token.type", "token.idlen", "token.id"].map(odx),
] as const;

function tokenFields(token: Buffer): Fields {
  return {
    [odx("token.type")]: String(token.readUInt32BE(0)),
    [odx("token.idlen")]: String(token.readUInt16BE(6)),
    [odx("token.id")]: token.toString("hex", 8, 8 + token.readUInt16BE(6)),
  };
}

/** A request with its answer. */
interface Exchange {
  readonly code: number;
  readonly request: Fields;
  readonly status: number;
  /** Empty where the request was refused. */
  readonly response: Fields;
}

/** A client that writes down what it has sent and what it has understood. */
class Diary {
  readonly exchanges: Exchange[] = [];

  async read(file: SmbFile, range: ReadRange): Promise<Buffer> {
    const request = {
      [odx("size")]: "32",
      [odx("flags")]: "0",
      [odx("token_ttl")]: String(range.timeToLive ?? 0),
      [odx("file_offset")]: String(range.offset ?? 0),
      [odx("copy_length")]: String(range.length),
    };
    return this.#note(Fsctl.OFFLOAD_READ, request, async () => {
      const { token, flags, transferLength } = await offloadRead(file, range);
      const fields = {
        [odx("size")]: "528",
        [odx("flags")]: String(flags),
        [odx("xfer_length")]: String(transferLength),
      };
      return { value: token, response: { ...fields, ...tokenFields(token) } };
    });
  }

  async write(file: SmbFile, token: Buffer, range: WriteRange): Promise<number> {
    const request = {
      [odx("size")]: "544",
      [odx("flags")]: "0",
      [odx("file_offset")]: String(range.offset ?? 0),
      [odx("copy_length")]: String(range.length),
      [odx("token_offset")]: String(range.transferOffset ?? 0),
      ...tokenFields(token),
    };
    return this.#note(Fsctl.OFFLOAD_WRITE, request, async () => {
      const written = await offloadWrite(file, token, range);
      return {
        value: written,
        response: { [odx("size")]: "16", [odx("flags")]: "0", [odx("xfer_length")]: String(written) },
      };
    });
  }

  /** Runs an exchange that must be refused with this status. */
  async refused(status: number, exchange: Promise<unknown>): Promise<void> {
    let found: number = NtStatus.SUCCESS;
    try {
      await exchange;
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      found = error.status;
    }
    expect(found === status, `refused with ${found.toString(16)}, not ${status.toString(16)}`);
  }

  async #note<T>(code: number, request: Fields, run: () => Promise<{ value: T; response: Fields }>): Promise<T> {
    try {
      const { value, response } = await run();
      this.exchanges.push({ code, request, status: NtStatus.SUCCESS, response });
      return value;
    } catch (error) {
      if (error instanceof StatusError) this.exchanges.push({ code, request, status: error.status, response: {} });
      throw error;
    }
  }
}

async function converse(server: RunningServer, share: string, file: string): Promise<Diary> {
  const diary = new Diary();
  const content = Buffer.alloc(sourceBytes);
  for (let at = 0; at < content.length; at += 1) content[at] = (at * 31 + (at >> 9)) & 0xff;
  writeFileSync(join(share, "odx-source"), content, { mode: 0o666 });
  const proxy = await startRecordingProxy(server.port, file);
  try {
    const account = { userName: server.account.name, password: server.account.password };
    // tshark 4.0 cannot verify AES-GMAC.
    const { tree, close } = await mountTcp(proxy.port, account, "data", {
      sign: true,
      negotiate: { signingAlgorithms: [AES_CMAC], ciphers: [] },
    });
    try {
      const source = await tree.create("odx-source");
      const target = await tree.createFile("odx-target");
      const whole = Math.ceil(sourceBytes / sector) * sector;

      // The whole file, with more asked for than there is; then its second half once more, to another place.
      const token = await diary.read(source, { length: 1024 * KIB, timeToLive: 120_000 });
      expect((await diary.write(target, token, { length: whole })) === whole, "not all was written");
      const half = 128 * KIB;
      await diary.write(target, token, { offset: 512 * KIB, length: half, transferOffset: half });
      const copy = await tree.get("odx-target");
      expect(copy.subarray(0, sourceBytes).equals(content), "the copy differs");
      expect(copy.subarray(512 * KIB).equals(content.subarray(half, 2 * half)), "the second copy differs");

      // A hole gives the token that stands for zeros; it needs no earlier read.
      const sparse = await tree.createFile("odx-sparse");
      await sparse.ioctl(Fsctl.SET_SPARSE);
      const size = Buffer.alloc(8);
      size.writeBigUInt64LE(BigInt(1024 * KIB));
      await sparse.setInfo(FileInformationClass.FileEndOfFileInformation, size);
      const zeros = await diary.read(sparse, { offset: 64 * KIB, length: 64 * KIB });
      expect(zeros.readUInt32BE(0) === 0xffff0001, "the token of a hole is not the zero token");
      await diary.write(target, zeros, { length: 64 * KIB });
      expect((await target.read(0, 64 * KIB)).equals(Buffer.alloc(64 * KIB)), "no zeros were written");

      // Refusals have no payload.
      await diary.read(source, { length: 0 });
      const forged = Buffer.from(token);
      forged[100] = (forged[100] ?? 0) ^ 1;
      await diary.refused(NtStatus.INVALID_TOKEN, diary.write(target, forged, { length: sector }));
      await diary.refused(NtStatus.INVALID_PARAMETER, diary.read(source, { offset: 1, length: sector }));
      await diary.refused(NtStatus.END_OF_FILE, diary.read(source, { offset: 1024 * KIB, length: sector }));
      for (const handle of [source, target, sparse]) await handle.close();
    } finally {
      close();
    }
  } finally {
    await proxy.stop();
  }
  return diary;
}

/** One value of each field that a frame has. */
function valuesOf(frame: Readonly<Record<string, readonly string[]>>): Fields {
  const values: Fields = {};
  for (const name of fieldNames) {
    const value = frame[name]?.[0];
    if (value === undefined) continue;
    // tshark's word for a token without an id.
    values[name] =
      value === "<MISSING>" ? "" : name.endsWith(".id") ? value.replaceAll(":", "") : String(Number(value));
  }
  return values;
}

function difference(found: Fields, expected: Fields): string {
  const names = new Set([...Object.keys(found), ...Object.keys(expected)]);
  return [...names]
    .filter((name) => found[name] !== expected[name])
    .map((name) => `${name}: tshark reads ${found[name] ?? "nothing"}, the client means ${expected[name] ?? "nothing"}`)
    .join("\n");
}

/** Records a conversation in `file` and compares every field. */
export async function checkOffload(report: Report, server: RunningServer, share: string, file: string): Promise<void> {
  const name = "tshark.odx";
  let diary: Diary | undefined;
  await report.check(`${name}.conversation`, async () => {
    diary = await converse(server, share, file);
  });
  if (diary === undefined) return;
  const { exchanges } = diary;
  const { password } = server.account;

  await report.check(`${name}.no-malformed-packet`, async () => {
    const broken = await decode(file, password, "_ws.malformed || _ws.short", ["frame.number", "smb2.cmd"]);
    expect(broken.length === 0, `frames ${broken.map((frame) => frame["frame.number"]).join(", ")}`);
  });

  await report.check(`${name}.signatures`, async () => {
    const bad = await decode(file, password, "smb2.bad_signature || smb2.invalid_signature", ["frame.number"]);
    expect(bad.length === 0, `bad signatures in frames ${bad.map((frame) => frame["frame.number"]).join(", ")}`);
  });

  const codes = `smb2.ioctl.function in {${Fsctl.OFFLOAD_READ}, ${Fsctl.OFFLOAD_WRITE}}`;
  const columns: readonly string[] = ["smb2.ioctl.function", ...fieldNames];
  const compare = async (direction: "request" | "response", expected: readonly Exchange[]) => {
    const filter = `${codes} && smb2.flags.response == ${direction === "request" ? 0 : 1}`;
    const frames = await decode(file, password, filter, columns);
    await report.check(`${name}.${direction}s`, () => {
      expect(frames.length === expected.length, `${frames.length} frames for ${expected.length} exchanges`);
    });
    for (const [index, exchange] of expected.entries()) {
      const frame = frames[index];
      if (frame === undefined) break;
      const kind = exchange.code === Fsctl.OFFLOAD_READ ? "read" : "write";
      await report.check(`${name}.${direction}-${index + 1}-${kind}`, () => {
        const code = Number(frame["smb2.ioctl.function"]?.[0]);
        expect(code === exchange.code, `control code ${code.toString(16)}`);
        const wrong = difference(valuesOf(frame), exchange[direction]);
        expect(wrong === "", wrong);
      });
    }
  };
  await compare("request", exchanges);
  // An error response names no control code.
  await compare(
    "response",
    exchanges.filter(({ status }) => status === NtStatus.SUCCESS),
  );
  await report.check(`${name}.refusals`, async () => {
    const filter = "smb2.cmd == 11 && smb2.flags.response == 1";
    const frames = await decode(file, password, filter, ["smb2.nt_status"]);
    const announced: readonly number[] = [NtStatus.SUCCESS, NtStatus.PENDING];
    const found = frames.flatMap((frame) => frame["smb2.nt_status"].map(Number)).filter((s) => !announced.includes(s));
    const expected = exchanges.map(({ status }) => status).filter((s) => s !== NtStatus.SUCCESS);
    expect(found.join() === expected.join(), `statuses ${found}, expected ${expected}`);
  });
  await report.check(`${name}.zero-beyond`, () => {
    const [first] = exchanges;
    const flags = Number(first?.response[odx("flags")]);
    expect(flags === OFFLOAD_READ_FLAG_ALL_ZERO_BEYOND_CURRENT_RANGE, "the end of the file was not told");
  });
}
