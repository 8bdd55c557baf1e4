// SPDX-License-Identifier: Apache-2.0
/** rclone's smb backend (go-smb2): a tree copied both ways, checked, moved and deleted. */
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, run } from "../lib/process.ts";
import { expect, type SuiteContext } from "../lib/report.ts";
import { startServer } from "../lib/server.ts";
import { writeRandomFile } from "../lib/temp.ts";

/** 300 small files in 30 folders, one empty file, one of 20 MiB, names beyond ASCII. */
async function makeTree(folder: string): Promise<void> {
  for (let outer = 0; outer < 30; outer += 1) {
    const inner = join(folder, `folder ${outer % 5}`, `part-${outer}`);
    mkdirSync(inner, { recursive: true });
    for (let index = 0; index < 10; index += 1) {
      writeFileSync(join(inner, `document ${index}.txt`), `${outer}/${index}\n`.repeat(outer * 37 + index));
    }
  }
  writeFileSync(join(folder, "empty"), "");
  writeFileSync(join(folder, "übersicht – 概要.txt"), "names beyond ASCII\n");
  await writeRandomFile(join(folder, "large.bin"), 20 * 1024 * 1024 + 12_345);
}

export const rcloneSuite = {
  name: "rclone",
  tools: ["rclone"],
  run: async (context: SuiteContext): Promise<void> => {
    const { report, workDir } = context;
    const share = join(workDir, "share");
    const source = join(workDir, "source");
    const back = join(workDir, "back");
    for (const folder of [share, source, back]) mkdirSync(folder);
    await makeTree(source);
    const server = await startServer(context.serverKind, {
      shares: [{ name: "data", path: share }],
      workDir: join(workDir, "server"),
    });
    try {
      const obscured = (await must("rclone", ["obscure", server.account.password])).stdout.trim();
      const env = {
        RCLONE_CONFIG: join(workDir, "rclone.conf"),
        RCLONE_CONFIG_NAS_TYPE: "smb",
        RCLONE_CONFIG_NAS_HOST: "127.0.0.1",
        RCLONE_CONFIG_NAS_PORT: String(server.port),
        RCLONE_CONFIG_NAS_USER: server.account.name,
        RCLONE_CONFIG_NAS_PASS: obscured,
        RCLONE_RETRIES: "1",
        RCLONE_LOW_LEVEL_RETRIES: "1",
      };
      writeFileSync(env.RCLONE_CONFIG, "");
      const rclone = (...args: string[]) => must("rclone", args, { env, timeout: 120_000 });
      await report.check("rclone.lsd-shares", async () => {
        const { stdout } = await rclone("lsd", "nas:");
        expect(/\bdata$/m.test(stdout), `the share is not listed\n${stdout}`);
      });
      await report.check("rclone.copy-to", async () => {
        await rclone("copy", source, "nas:data/tree");
        await must("diff", ["-r", source, join(share, "tree")]);
      });
      await report.check("rclone.check", async () => {
        await rclone("check", "--download", source, "nas:data/tree");
      });
      await report.check("rclone.times-kept", async () => {
        const { output } = await rclone("copy", "-v", "--dry-run", source, "nas:data/tree");
        expect(!output.includes("Skipped copy"), `a second copy would copy again\n${output.slice(0, 2000)}`);
      });
      await report.check("rclone.copy-from", async () => {
        await rclone("copy", "nas:data/tree", back);
        await must("diff", ["-r", source, back]);
      });
      await report.check("rclone.move", async () => {
        await rclone("moveto", "nas:data/tree/large.bin", "nas:data/tree/moved/large.bin");
        expect(existsSync(join(share, "tree", "moved", "large.bin")), "the file did not arrive");
        expect(!existsSync(join(share, "tree", "large.bin")), "the file is still at its old place");
        await rclone("move", "nas:data/tree/folder 1", "nas:data/tree/renamed", "--delete-empty-src-dirs");
        await must("diff", ["-r", join(source, "folder 1"), join(share, "tree", "renamed")]);
      });
      await report.check("rclone.size", async () => {
        const { stdout } = await rclone("size", "nas:data/tree");
        expect(/Total objects: 303\b/.test(stdout), stdout);
      });
      await report.check("rclone.delete", async () => {
        await rclone("purge", "nas:data/tree");
        expect(!existsSync(join(share, "tree")), "the tree is still there");
      });
      await report.check("rclone.wrong-password-refused", async () => {
        const wrong = (await must("rclone", ["obscure", "not-the-password"])).stdout.trim();
        const result = await run("rclone", ["lsd", "nas:data"], { env: { ...env, RCLONE_CONFIG_NAS_PASS: wrong } });
        expect(result.status !== 0, "a wrong password was accepted");
      });
      await report.check("rclone.server-alive", () => expect(server.alive(), "the server died"));
    } finally {
      await server.stop();
    }
  },
};
