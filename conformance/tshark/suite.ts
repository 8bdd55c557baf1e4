// SPDX-License-Identifier: Apache-2.0
/** tshark as a second decoder: a recorded conversation of smbclient has no malformed packet and good signatures. */
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startRecordingProxy } from "../lib/pcap.ts";
import { must } from "../lib/process.ts";
import { expect, type Report, type SuiteContext } from "../lib/report.ts";
import { type RunningServer, startServer } from "../lib/server.ts";
import {
  type Dialect,
  dialects,
  type Protection,
  protections,
  smbclient,
  smbclientArgs,
  smbclientOk,
} from "../lib/smbclient.ts";
import { writeRandomFile } from "../lib/temp.ts";
import { decode } from "./decode.ts";
import { checkOffload } from "./odx.ts";

/** Two chunks of the size that smbclient copies with (1 MiB) and a rest. */
const copiedBytes = 2 * 1024 * 1024 + 4321;

const dialectCode: Readonly<Record<Dialect, number>> = {
  SMB2_02: 0x0202,
  SMB2_10: 0x0210,
  SMB3_00: 0x0300,
  SMB3_02: 0x0302,
  SMB3_11: 0x0311,
};

const fsctlValidateNegotiateInfo = 0x00140204;
const fsctlResumeKey = 0x00140078;
const fsctlCopychunkWrite = 0x001480f2;
const fsctlCopychunk = 0x001440f2;

/** Commands that the conversation must hold, each with an answer (MS-SMB2 2.2.1.2). */
const expectedCommands: Readonly<Record<string, number>> = {
  NEGOTIATE: 0,
  SESSION_SETUP: 1,
  TREE_CONNECT: 3,
  TREE_DISCONNECT: 4,
  CREATE: 5,
  CLOSE: 6,
  READ: 8,
  WRITE: 9,
  IOCTL: 11,
  QUERY_DIRECTORY: 14,
  QUERY_INFO: 16,
  SET_INFO: 17,
};

async function converse(server: RunningServer, file: string, dialect: Dialect, protection: Protection, cwd: string) {
  const proxy = await startRecordingProxy(server.port, file);
  try {
    // tshark 4.0 cannot verify AES-GMAC; smbclient itself does so in its own suite.
    const extra = dialect === "SMB3_11" ? ["--option=client smb3 signing algorithms=AES-128-CMAC"] : [];
    const options = { dialect, protection, cwd, port: proxy.port, extra };
    await must("smbclient", ["-L", "127.0.0.1", ...smbclientArgs(server, options)]);
    const commands = [
      ...["put data.bin one.bin", "scopy one.bin two.bin", "allinfo one.bin", "get two.bin back.bin", "mkdir folder"],
      ...[
        "rename two.bin folder\\three.bin",
        "ls folder\\*",
        "setmode one.bin +h",
        "put note.txt one.bin:stream",
        "volume",
        "du",
      ],
      ...["del folder\\three.bin", "rmdir folder", "del one.bin"],
    ];
    await smbclientOk(server, "data", commands.join(";"), options);
    await smbclient(server, "nowhere", "ls", options);
  } finally {
    await proxy.stop();
  }
}

async function inspect(
  report: Report,
  name: string,
  file: string,
  dialect: Dialect,
  protection: Protection,
  password: string,
) {
  await report.check(`${name}.no-malformed-packet`, async () => {
    const filter = "_ws.malformed || _ws.short || (smb2 && _ws.expert.severity == error)";
    const broken = await decode(file, password, filter, ["frame.number", "smb2.cmd", "_ws.expert.message"]);
    const list = broken.map(
      (frame) => `frame ${frame["frame.number"]}: command ${frame["smb2.cmd"]} ${frame["_ws.expert.message"]}`,
    );
    expect(broken.length === 0, list.slice(0, 20).join("\n"));
  });

  await report.check(`${name}.commands-answered`, async () => {
    const frames = await decode(file, password, "smb2", ["smb2.cmd", "smb2.flags.response"]);
    const answered = new Set(
      frames.flatMap((frame) =>
        frame["smb2.cmd"].filter((_, index) => /^(1|True)$/i.test(frame["smb2.flags.response"][index] ?? "")),
      ),
    );
    const absent = Object.entries(expectedCommands).filter(([, code]) => !answered.has(String(code)));
    expect(absent.length === 0, `no response to ${absent.map(([command]) => command).join(", ")}`);
  });

  await report.check(`${name}.dialect`, async () => {
    const frames = await decode(file, password, "smb2.cmd == 0 && smb2.flags.response == 1", ["smb2.dialect"]);
    const last = frames[frames.length - 1]?.["smb2.dialect"].map(Number);
    expect(last?.[0] === dialectCode[dialect], `the server answered dialect ${last}`);
  });

  await report.check(`${name}.signatures`, async () => {
    const bad = await decode(file, password, "smb2.bad_signature || smb2.invalid_signature", [
      "frame.number",
      "smb2.cmd",
    ]);
    expect(bad.length === 0, `bad signatures: ${bad.map((frame) => `frame ${frame["frame.number"]}`).join(", ")}`);
    const good = await decode(file, password, "smb2.good_signature && smb2.flags.response == 1", ["frame.number"]);
    const least = protection === "sign" ? 30 : 0;
    expect(good.length >= least, `${good.length} good signatures of responses, expected at least ${least}`);
  });

  await report.check(`${name}.encryption`, async () => {
    const encrypted = await decode(file, password, "smb2.header.transform.msg_size", ["smb2.cmd"]);
    if (protection !== "encrypt") return expect(encrypted.length === 0, `${encrypted.length} frames are encrypted`);
    expect(encrypted.length >= 30, `only ${encrypted.length} frames are encrypted`);
    const undecoded = encrypted.filter((frame) => frame["smb2.cmd"].length === 0);
    expect(undecoded.length === 0, `${undecoded.length} encrypted frames could not be decrypted`);
  });

  await report.check(`${name}.copychunk`, async () => {
    const filter = "smb2.fsctl.cchunk.total_written && smb2.nt_status == 0";
    const answers = await decode(file, password, filter, [
      "smb2.fsctl.cchunk.total_written",
      "smb2.fsctl.cchunk.chunks_written",
    ]);
    const total = answers.reduce((sum, frame) => sum + Number(frame["smb2.fsctl.cchunk.total_written"][0]), 0);
    expect(total === copiedBytes, `${total} bytes reported as copied, ${copiedBytes} expected`);
    const ioctl = await decode(file, password, "smb2.ioctl.function", ["smb2.ioctl.function"]);
    const functions = new Set(ioctl.flatMap((frame) => frame["smb2.ioctl.function"].map(Number)));
    expect(functions.has(fsctlResumeKey), "no resume key was asked for");
    expect(functions.has(fsctlCopychunkWrite) || functions.has(fsctlCopychunk), "no copychunk was sent");
  });

  if (dialect === "SMB3_00" || dialect === "SMB3_02") {
    await report.check(`${name}.validate-negotiate-info`, async () => {
      const filter = `smb2.ioctl.function == ${fsctlValidateNegotiateInfo} && smb2.flags.response == 1`;
      const answers = await decode(file, password, filter, ["smb2.nt_status"]);
      expect(answers.length > 0, "the client's question was not answered");
      expect(
        answers.every((frame) => frame["smb2.nt_status"].every((status) => Number(status) === 0)),
        "it was refused",
      );
    });
  }
  if (dialect === "SMB3_11") {
    await report.check(`${name}.negotiate-contexts`, async () => {
      const fields = [
        "smb2.negotiate_context.type",
        "smb2.negotiate_context.hash_algorithm",
        "smb2.negotiate_context.cipher_id",
      ] as const;
      const frames = await decode(file, password, "smb2.cmd == 0 && smb2.flags.response == 1", fields);
      const last = frames[frames.length - 1];
      const types = last?.["smb2.negotiate_context.type"].map(Number) ?? [];
      expect(types.includes(1), "no preauthentication integrity context");
      expect(types.includes(2), "no encryption context");
      expect(new Set(types).size === types.length, `a context is sent twice: ${types}`);
      expect(last?.["smb2.negotiate_context.hash_algorithm"].map(Number)[0] === 1, "the hash is not SHA-512");
      const cipher = last?.["smb2.negotiate_context.cipher_id"].map(Number) ?? [];
      expect(cipher.length === 1 && [1, 2, 3, 4].includes(cipher[0] ?? 0), `one cipher expected: ${cipher}`);
    });
  }
}

export const tsharkSuite = {
  name: "tshark",
  tools: ["tshark", "smbclient"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir, args } = context;
    const share = join(workDir, "share");
    mkdirSync(share);
    await writeRandomFile(join(workDir, "data.bin"), copiedBytes);
    writeFileSync(join(workDir, "note.txt"), "the content of a named stream\n");
    const server = await startServer(context.serverKind, {
      shares: [{ name: "data", path: share }],
      workDir: join(workDir, "server"),
    });
    const keep = args[0] === "--keep" ? args[1] : undefined;
    try {
      for (const dialect of dialects) {
        for (const protection of protections(dialect)) {
          const name = `tshark.${dialect}.${protection}`;
          const file = join(workDir, `${dialect}-${protection}.pcap`);
          const recorded = await report.check(`${name}.conversation`, () =>
            converse(server, file, dialect, protection, workDir),
          );
          if (recorded) await inspect(report, name, file, dialect, protection, server.account.password);
          if (keep !== undefined) copyFileSync(file, join(keep, `${dialect}-${protection}.pcap`));
        }
      }
      if (context.serverKind === "tessera") {
        const file = join(workDir, "odx.pcap");
        await checkOffload(report, server, share, file);
        if (keep !== undefined) copyFileSync(file, join(keep, "odx.pcap"));
      }
      await report.check("tshark.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
    }
  },
};
