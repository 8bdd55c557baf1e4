// SPDX-License-Identifier: Apache-2.0

/** Picks one of `count` things that could happen next: 0 to `count` - 1. */
export type Choose = (count: number) => number;

/**
 * Runs a scenario again and again, until every sequence of choices has been made once. The scenario must do the same whenever
 * the same choices are made.
 * @param maximum runs; more are a mistake of the scenario
 * @returns how many runs it took
 */
export async function everyInterleaving(scenario: (choose: Choose) => Promise<void>, maximum = 2000): Promise<number> {
  /** The choices of a run, with the number of things to choose from. */
  let path: { choice: number; readonly count: number }[] = [];
  for (let runs = 1; ; runs++) {
    if (runs > maximum) throw new Error(`more than ${maximum} interleavings`);
    let at = 0;
    const choose: Choose = (count) => {
      const known = path[at++];
      if (known !== undefined) {
        if (known.count !== count) throw new Error("the scenario does not repeat itself");
        return known.choice;
      }
      path.push({ choice: 0, count });
      return 0;
    };
    try {
      await scenario(choose);
    } catch (error) {
      const choices = path.slice(0, at).map(({ choice }) => choice);
      throw new Error(`with the choices ${choices.join(", ")}: ${String(error)}`, { cause: error });
    }
    while (path.length > 0 && isLast(path[path.length - 1])) path = path.slice(0, -1);
    const last = path[path.length - 1];
    if (last === undefined) return runs;
    last.choice++;
  }
}

function isLast(step: { readonly choice: number; readonly count: number } | undefined): boolean {
  return step !== undefined && step.choice === step.count - 1;
}
