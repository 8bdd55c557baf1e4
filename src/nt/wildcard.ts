// SPDX-License-Identifier: Apache-2.0

import { foldName, isForbidden, MAXIMUM_COMPONENT } from "./names.ts";
import { NtStatus, SmbError } from "./status.ts";

export type NameMatcher = (name: string) => boolean;

const STAR = 0x2a;
const QUESTION_MARK = 0x3f;
const DOS_STAR = 0x3c;
const DOS_QM = 0x3e;
const DOS_DOT = 0x22;
const DOT = 0x2e;

function isWildcard(unit: number): boolean {
  return unit === STAR || unit === QUESTION_MARK || unit === DOS_STAR || unit === DOS_QM || unit === DOS_DOT;
}

/** Whether `pattern` holds a wildcard (MS-FSA 2.1.4.3). */
export function hasWildcard(pattern: string): boolean {
  for (let index = 0; index < pattern.length; index++) {
    if (isWildcard(pattern.charCodeAt(index))) return true;
  }
  return false;
}

/** Whether `pattern` is a name but for wildcards, `.` and `..` among them (MS-FSA 2.1.5.6.3). */
export function isValidPattern(pattern: string): boolean {
  if (pattern.length === 0 || pattern.length > MAXIMUM_COMPONENT) return false;
  for (let index = 0; index < pattern.length; index++) {
    const unit = pattern.charCodeAt(index);
    if (isForbidden(unit) && !isWildcard(unit)) return false;
  }
  return true;
}

/**
 * Matches by following all ways through the pattern at once: the time is bounded by the product of both lengths, whatever
 * the pattern. A state is the number of pattern units that are behind; states are found, and kept, in ascending order.
 */
function simulate(pattern: string): NameMatcher {
  const end = pattern.length;
  let current = new Uint16Array(end + 1);
  let next = new Uint16Array(end + 1);

  /** Whether the rest of the pattern matches the end of the name. */
  const finishes = (from: number): boolean => {
    for (let at = from; at < end; at++) {
      const unit = pattern.charCodeAt(at);
      if (unit !== STAR && unit !== DOS_STAR && unit !== DOS_QM && unit !== DOS_DOT) return false;
    }
    return true;
  };

  return (name) => {
    if (name === "") return false;
    const folded = foldName(name);
    const lastDot = folded.lastIndexOf(".");
    let count = 1;
    current[0] = 0;
    for (let index = 0; index < folded.length && count > 0; index++) {
      const unit = folded.charCodeAt(index);
      let found = 0;
      const add = (state: number): void => {
        if (found === 0 || next[found - 1] !== state) next[found++] = state;
      };
      let reached = -1;
      for (let which = 0; which < count; which++) {
        // Steps that take no character lead upwards: a state below `reached` has been gone through on the way there.
        let state = current[which] ?? 0;
        if (state < reached) continue;
        for (; state < end; state++) {
          const wanted = pattern.charCodeAt(state);
          if (wanted === STAR || (wanted === DOS_STAR && (unit !== DOT || index !== lastDot))) {
            add(state);
            continue;
          }
          if (wanted === DOS_STAR || (wanted === DOS_QM && unit === DOT)) continue;
          if (
            wanted === unit ||
            wanted === QUESTION_MARK ||
            wanted === DOS_QM ||
            (wanted === DOS_DOT && unit === DOT)
          ) {
            add(state + 1);
          }
          state++;
          break;
        }
        reached = state;
      }
      const spare = current;
      current = next;
      next = spare;
      count = found;
    }
    for (let which = 0; which < count; which++) {
      if (finishes(current[which] ?? end)) return true;
    }
    return false;
  };
}

/**
 * Compiles a search pattern (MS-FSA 2.1.4.4): `*`, `?`, DOS_STAR `<`, DOS_QM `>`, DOS_DOT `"`; without regard to case.
 * The matcher is not reentrant, and answers in time bounded by pattern length × name length.
 * @throws SmbError OBJECT_NAME_INVALID the pattern is longer than a name can be
 */
export function compilePattern(pattern: string): NameMatcher {
  if (pattern.length > MAXIMUM_COMPONENT) throw new SmbError(NtStatus.OBJECT_NAME_INVALID);
  if (pattern === "*" || pattern === "*.*") return (name) => name !== "";
  const folded = foldName(pattern);
  if (!hasWildcard(folded)) return (name) => name.length === folded.length && foldName(name) === folded;
  const head = folded.slice(0, -1);
  if (folded.charCodeAt(folded.length - 1) === STAR && !hasWildcard(head)) {
    return (name) => name.length >= head.length && foldName(name.slice(0, head.length)) === head;
  }
  const tail = folded.slice(1);
  if (folded.charCodeAt(0) === STAR && !hasWildcard(tail)) {
    return (name) => name.length >= tail.length && foldName(name.slice(name.length - tail.length)) === tail;
  }
  return simulate(folded);
}
