// SPDX-License-Identifier: Apache-2.0
/** Time as the array sees it; tests bring their own. */

export interface Clock {
  /** Milliseconds that never go back. */
  now(): number;
  /** Resolves after `ms` milliseconds, or at once when the signal is aborted. */
  delay(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  delay: (ms, signal) =>
    new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      if (signal?.aborted === true) done();
      else signal?.addEventListener("abort", done);
    }),
};
