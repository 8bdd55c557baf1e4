// SPDX-License-Identifier: Apache-2.0

import { readFile } from "node:fs/promises";
import path from "node:path";
import { isMap, isNode, isPair, isScalar, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { z } from "zod";
import { StartupError, systemErrorCode } from "../startup-error.ts";
import { describeIssue } from "./describe.ts";
import { type Config, configSchema } from "./schema.ts";

/** One thing that is wrong with a configuration. Line and column count from 1. */
export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Such as `shares[0].path`; empty where the YAML itself is broken. */
  readonly field: string;
  readonly message: string;
}

export class ConfigError extends StartupError {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.name = "ConfigError";
    this.problems = problems;
  }
}

export function formatProblem({ file, line, column, field, message }: ConfigProblem): string {
  return `${file}:${line}:${column}: ${field === "" ? "" : `${field} `}${message}`;
}

function formatField(segments: readonly PropertyKey[]): string {
  return segments
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`))
    .join("");
}

/** The node at `segments`, or the closest one above it: a field that is missing is reported where it should be. */
function closestNode(root: unknown, segments: readonly PropertyKey[], ofKey: boolean): Node | undefined {
  let node = isNode(root) ? root : undefined;
  for (const [index, segment] of segments.entries()) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(segment));
      if (!isPair(pair)) {
        return node;
      }
      const last = index === segments.length - 1;
      const next = (last && ofKey) || pair.value === null ? pair.key : pair.value;
      if (!isNode(next)) {
        return node;
      }
      node = next;
    } else if (node !== undefined && "items" in node && Array.isArray(node.items) && typeof segment === "number") {
      const item: unknown = node.items[segment];
      if (!isNode(item)) {
        return node;
      }
      node = item;
    } else {
      return node;
    }
  }
  return node;
}

/**
 * Checks the text of a configuration file.
 * @param file name shown in messages
 * @throws ConfigError with everything that is wrong, in the order of the file
 */
export function parseConfig(text: string, file: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: "1.2" });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map((error) => ({
        ...at(error.pos[0]),
        field: "",
        message: `is not valid YAML: ${error.message}`,
      })),
    );
  }
  let content: unknown;
  try {
    content = document.toJS() ?? {};
  } catch (error) {
    if (!(error instanceof ReferenceError)) {
      throw error;
    }
    let offset = 0;
    visit(document, {
      Alias(_, alias) {
        offset = alias.range?.[0] ?? 0;
        return alias.resolve(document) === undefined ? visit.BREAK : undefined;
      },
    });
    throw new ConfigError([{ ...at(offset), field: "", message: `is not valid YAML: ${error.message}` }]);
  }
  const parsed = configSchema.safeParse(content);
  if (parsed.success) {
    return parsed.data;
  }
  const problems = parsed.error.issues.flatMap((issue: z.core.$ZodIssue) =>
    describeIssue(issue, configSchema, content).map(({ path: segments, message, atKey }) => ({
      ...at(closestNode(document.contents, segments, atKey)?.range?.[0] ?? 0),
      field: formatField(segments),
      message,
    })),
  );
  problems.sort((a, b) => a.line - b.line || a.column - b.column);
  throw new ConfigError(problems);
}

/** Resolves the relative paths of a configuration against the folder of its file. */
function anchorPaths(config: Config, folder: string): Config {
  const anchor = (value: string | undefined) => (value === undefined ? undefined : path.resolve(folder, value));
  const { logging } = config.server;
  const toStream = logging.destination === "stderr" || logging.destination === "stdout";
  return {
    server: {
      ...config.server,
      stateDirectory: anchor(config.server.stateDirectory),
      usersFile: anchor(config.server.usersFile),
      logging: { ...logging, destination: toStream ? logging.destination : path.resolve(folder, logging.destination) },
    },
    offload: { ...config.offload, keyFiles: config.offload.keyFiles.map((file) => path.resolve(folder, file)) },
    arrays: config.arrays.map(({ chap, ...array }) => ({
      ...array,
      catalogue: path.resolve(folder, array.catalogue),
      chap: chap && {
        ...chap,
        secretFile: path.resolve(folder, chap.secretFile),
        targetSecretFile: anchor(chap.targetSecretFile),
      },
    })),
    shares: config.shares.map((share) => ({ ...share, path: anchor(share.path) })),
  };
}

/**
 * Reads a configuration file. Relative paths in it count from the folder that it lies in.
 * @throws ConfigError, StartupError when the file cannot be read
 */
export async function loadConfig(file: string): Promise<Config> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    switch (systemErrorCode(error)) {
      case "ENOENT":
        throw new StartupError(`The configuration file ${file} does not exist.`);
      case "EACCES":
        throw new StartupError(`The configuration file ${file} cannot be read: permission denied.`);
      case "EISDIR":
        throw new StartupError(`${file} is a folder, not a configuration file.`);
      default:
        throw error;
    }
  }
  return anchorPaths(parseConfig(text, file), path.dirname(path.resolve(file)));
}

/** The configuration of a server that is described by the command line alone: all defaults. */
export function defaultConfig(): Config {
  return configSchema.parse({});
}
