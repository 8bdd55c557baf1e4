// SPDX-License-Identifier: Apache-2.0

import { Command, CommanderError } from "commander";
import { UserFileError } from "../../auth/user-file.ts";
import { ConfigError, loadConfig } from "../config/load.ts";
import { describeConfig } from "../config/summary.ts";
import { createLog } from "../log.ts";
import { packageVersion } from "../package-version.ts";
import { StartupError, UsageError } from "../startup-error.ts";
import { loadTokenKeys } from "../token-keys.ts";
import { type ProbeCommandOptions, probeArray } from "./array-probe.ts";
import { type ArrayVolumeOptions, checkArray, type FormatOptions, formatArray, listArrays } from "./array-volumes.ts";
import { runService } from "./run-service.ts";
import { DEFAULT_CONFIG_FILE, parseUserOption, type ServeOptions, serveConfig } from "./serve-options.ts";
import { type StartOptions, start } from "./start.ts";
import { type AskOptions, showStats, showTokens } from "./stats.ts";
import { addUser, listUsers, removeUser, type UserAddOptions, type UserFileOptions } from "./user.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;

const collect = (value: string, earlier: readonly string[] = []): readonly string[] => [...earlier, value];

const examples = (...lines: readonly string[]) => `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;

async function serve(options: ServeOptions): Promise<void> {
  const users = (options.user ?? []).map(parseUserOption);
  const load = () => serveConfig(options);
  const config = await load();
  await runService({ config, users, log: createLog(config.server.logging), load });
}

async function checkConfig(file: string): Promise<void> {
  const config = await loadConfig(file);
  await loadTokenKeys(config.offload.keyFiles);
  process.stdout.write(`${file} is valid.\n${describeConfig(config)}`);
}

function addUserCommands(program: Command): void {
  const user = program
    .command("user")
    .description("keep the users of the server: names and password hashes in one file");
  const withFile = (command: Command) =>
    command
      .option(
        "--config <FILE>",
        `take the users file from this configuration (default: ${DEFAULT_CONFIG_FILE}, if it exists)`,
      )
      .option("--users-file <FILE>", "use this users file");
  withFile(user.command("add"))
    .description("add a user, or change a user's password; asks for the password, or reads it from standard input")
    .argument("<NAME>", "user name, without regard to case")
    .option("--password <PASSWORD>", "the password; others can see it on the command line")
    .option("--admin", "make the user a member of BUILTIN\\Administrators")
    .option("--no-admin", "make the user no member of BUILTIN\\Administrators")
    .addHelpText(
      "after",
      examples("tessera user add alice", "printf 'secret1\\n' | tessera user add alice --users-file ./users.json"),
    )
    .action((name: string, options: UserAddOptions) => addUser(name, options));
  withFile(user.command("remove"))
    .description("remove a user")
    .argument("<NAME>", "user name, without regard to case")
    .addHelpText("after", examples("tessera user remove alice"))
    .action((name: string, options: UserFileOptions) => removeUser(name, options));
  withFile(user.command("list"))
    .description("list the users with their SIDs")
    .addHelpText("after", examples("tessera user list --config /etc/tessera/tessera.yaml"))
    .action((options: UserFileOptions) => listUsers(options));
}

/** Commands that ask a running server. */
function addAskCommands(program: Command): void {
  const asking = (name: string) =>
    program
      .command(name)
      .option(
        "--config <FILE>",
        `ask the server that runs by this configuration (default: ${DEFAULT_CONFIG_FILE}, if it exists)`,
      )
      .option("--json", "print JSON: sizes in bytes, times in milliseconds");
  asking("stats")
    .description(
      "tell what a running server does: clients, data, copies on the server and why some were refused, tokens",
    )
    .addHelpText("after", examples("tessera stats", "tessera stats --config ./tessera.yaml --json"))
    .action((options: AskOptions) => showStats(options));
  asking("tokens")
    .description("list the tokens of offloaded copies that a running server holds: whose, for which file, for how long")
    .addHelpText(
      "after",
      "\nKIND: pinned, the data share their blocks with a file of the token's own; live, they are kept before the server\n" +
        "overwrites them, within offload.limits.preservedBytes, and a change past the server ends the token.\n" +
        examples("tessera tokens"),
    )
    .action((options: AskOptions) => showTokens(options));
}

function addArrayCommands(program: Command): void {
  const array = program.command("array").description("storage arrays: what they can do, and the volumes on their LUNs");
  const withConfig = (name: string) =>
    array
      .command(name)
      .option("--config <FILE>", `the configuration that names the array (default: ${DEFAULT_CONFIG_FILE})`);
  withConfig("format")
    .description("make an empty volume on the LUNs of an array, and its catalogue; no server may run on it")
    .argument("<NAME>", "name of the array in the configuration")
    .option("--label <TEXT>", "label of the volume (default: the name of the array)")
    .option("--allocation-unit <SIZE>", "4KiB to 16MiB, a power of two (default: 64KiB)")
    .option("--file <NAME>", "serve each LUN as one file, with what it holds; once for each LUN", collect)
    .option("--force", "overwrite LUNs that are not empty")
    .addHelpText(
      "after",
      examples("tessera array format san1", "tessera array format vms --file disk1.vhdx --file disk2.vhdx"),
    )
    .action((name: string, options: FormatOptions) => formatArray(name, options));
  withConfig("check")
    .description("look for contradictions in the catalogue of an array's volume; no server may run on it")
    .argument("<NAME>", "name of the array in the configuration")
    .addHelpText("after", examples("tessera array check san1"))
    .action((name: string, options: ArrayVolumeOptions) => checkArray(name, options));
  withConfig("list")
    .description("list the arrays of the configuration, and their volumes")
    .addHelpText("after", examples("tessera array list --config ./tessera.yaml"))
    .action((options: ArrayVolumeOptions) => listArrays(options));
  array
    .command("probe")
    .description("show what an array can do, and whether copies on it are offloaded (ODX)")
    .argument("<URL>", "iscsi://HOST:PORT/TARGET/LUN; without LUN, or without target, lists what there is")
    .option("--initiator-name <NAME>", "iSCSI name of this host, as the array knows it")
    .option("--chap-user <NAME>", "user name of this host for CHAP")
    .option("--chap-secret-file <FILE>", "file with the secret of this host in its first line")
    .option("--target-chap-user <NAME>", "user name with which the target proves itself (mutual CHAP)")
    .option("--target-chap-secret-file <FILE>", "file with the secret of the target in its first line")
    .option("--chap-algorithm <NAME>", "MD5, SHA1, SHA256 or SHA3-256 (default: MD5, which every target has)")
    .option("--digests <POLICY>", "CRC32C over headers and data: none, prefer or require (default: none)")
    .option("--json", "for programs")
    .addHelpText(
      "after",
      examples(
        "tessera array probe iscsi://array.example.com",
        "tessera array probe iscsi://192.0.2.10:3260/iqn.2026-01.com.example:array/0 --chap-user gw --chap-secret-file ./secret",
      ),
    )
    .action((url: string, options: ProbeCommandOptions) => probeArray(url, options));
}

function buildProgram(): Command {
  const program = new Command("tessera")
    .description("An SMB 2.0.2-3.1.1 file server. A copy of a file on the server never travels through the client.")
    .version(packageVersion(), "-V, --version")
    .showHelpAfterError("(--help tells more)")
    .exitOverride();
  program
    .command("serve")
    .description("serve shares by a configuration file, by options, or both")
    .option("--config <FILE>", `configuration file (default: ${DEFAULT_CONFIG_FILE}, unless --share is given)`)
    .option("--listen <HOST:PORT>", "address to listen on, in place of the configured ones; repeatable", collect)
    .option("--share <NAME=DIR>", "share a folder; repeatable", collect)
    .option("--user <NAME:PASSWORD>", "a user; repeatable; others can see it on the command line", collect)
    .option("--log-level <LEVEL>", "debug, info, warn, error or silent")
    .addHelpText(
      "after",
      examples(
        "tessera serve --listen 127.0.0.1:4455 --share data=/srv/data --user alice:secret1",
        "tessera serve --config /etc/tessera/tessera.yaml",
      ),
    )
    .action((options: ServeOptions) => serve(options));
  program
    .command("start")
    .description("serve one folder with a generated user, and print the commands that mount it")
    .option("--listen <HOST:PORT>", "address to listen on; repeatable (default: 127.0.0.1:4445)", collect)
    .option("--folder <DIR>", "the folder; created if it is missing", "share")
    .option("--log-level <LEVEL>", "debug, info, warn, error or silent", "warn")
    .addHelpText("after", examples("tessera start", "tessera start --folder ~/Public --listen 0.0.0.0:4445"))
    .action((options: Partial<StartOptions> & Pick<StartOptions, "folder" | "logLevel">) =>
      start({ ...options, listen: options.listen ?? ["127.0.0.1:4445"] }),
    );
  addUserCommands(program);
  addArrayCommands(program);
  addAskCommands(program);
  program
    .command("check-config")
    .description("check a configuration file, and name file, line and field of everything that is wrong")
    .argument("[FILE]", "configuration file", DEFAULT_CONFIG_FILE)
    .addHelpText("after", examples("tessera check-config ./tessera.yaml"))
    .action((file: string) => checkConfig(file));
  return program;
}

/** Runs a command line. Errors that the user can mend come out as plain messages. @returns the exit code */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync(args, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has said what is wrong; help and version end with 0.
      return error.exitCode === 0 ? 0 : EXIT_USAGE;
    }
    if (error instanceof ConfigError) {
      process.stderr.write(`tessera: the configuration is not valid.\n${error.message}\n`);
      return EXIT_FAILURE;
    }
    if (error instanceof StartupError || error instanceof UserFileError) {
      const hint = error instanceof StartupError && error.hint !== undefined ? `\n${error.hint}` : "";
      process.stderr.write(`tessera: ${error.message}${hint}\n`);
      return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
    }
    throw error;
  }
}
