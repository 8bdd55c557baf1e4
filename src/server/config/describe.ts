// SPDX-License-Identifier: Apache-2.0

import { z } from "zod";
import { suggest } from "./suggest.ts";

export interface DescribedIssue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  /** The problem is the key itself, not its value. */
  readonly atKey: boolean;
}

/** Looks through defaults and the like for what they are wrapped around. */
function unwrap(schema: unknown): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault || schema instanceof z.ZodOptional) {
    return unwrap(schema.unwrap());
  }
  return schema;
}

/** The keys that the schema knows at `path`. */
function knownKeys(root: unknown, path: readonly PropertyKey[]): readonly string[] {
  let schema = unwrap(root);
  for (const segment of path) {
    if (schema instanceof z.ZodObject) {
      schema = unwrap(schema.shape[String(segment)]);
    } else if (schema instanceof z.ZodArray) {
      schema = unwrap(schema.element);
    }
  }
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a group of keys",
};

function describeValue(value: unknown): string {
  if (value === null || value === undefined) {
    return "empty";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  return typeof value === "object"
    ? "a group of keys"
    : `${typeof value === "string" ? "the text" : "the value"} ${JSON.stringify(value)}`;
}

function valueAt(content: unknown, path: readonly PropertyKey[]): unknown {
  let value = content;
  for (const segment of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, segment) : undefined;
  }
  return value;
}

function hasKey(content: unknown, path: readonly PropertyKey[]): boolean {
  const parent = valueAt(content, path.slice(0, -1));
  const key = path.at(-1);
  return key === undefined || (typeof parent === "object" && parent !== null && Reflect.has(parent, key));
}

const quoteAll = (values: readonly unknown[]) => values.map((value) => String(value)).join(", ");

/** A problem that the schema found, in plain words. One issue about several unknown keys becomes several. */
export function describeIssue(issue: z.core.$ZodIssue, schema: unknown, content: unknown): readonly DescribedIssue[] {
  const { path } = issue;
  const one = (message: string): readonly DescribedIssue[] => [{ path, message, atKey: false }];
  if (issue.code !== "unrecognized_keys" && !hasKey(content, path)) {
    return one("is missing");
  }
  const value = valueAt(content, path);
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = knownKeys(schema, path);
      return issue.keys.map((key) => {
        const meant = suggest(key, known);
        const help = meant === undefined ? `known here: ${quoteAll(known)}` : `did you mean ${meant}?`;
        return { path: [...path, key], message: `is not a known key; ${help}`, atKey: true };
      });
    }
    case "invalid_type":
      return one(`must be ${TYPE_NAMES[issue.expected] ?? issue.expected}, but is ${describeValue(value)}`);
    case "invalid_value": {
      const meant = typeof value === "string" ? suggest(value, issue.values.map(String)) : undefined;
      const help = meant === undefined ? "" : `; did you mean ${meant}?`;
      return one(`must be one of ${quoteAll(issue.values)}, but is ${describeValue(value)}${help}`);
    }
    case "too_small":
      return one(
        issue.origin === "array" || issue.origin === "string"
          ? "must not be empty"
          : `must be at least ${issue.minimum}, but is ${describeValue(value)}`,
      );
    case "too_big":
      return one(
        issue.origin === "string"
          ? `must not be longer than ${issue.maximum} characters`
          : `must be at most ${issue.maximum}, but is ${describeValue(value)}`,
      );
    default:
      return one(issue.message);
  }
}
