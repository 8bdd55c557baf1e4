// SPDX-License-Identifier: Apache-2.0

/**
 * A value now, or later. Storage and handlers may answer at once, so that a warm request costs no turn of the event
 * loop; callers that care test with {@link isPromise} before they `await`.
 */
export type Awaitable<T> = T | Promise<T>;

export function isPromise<T>(value: Awaitable<T>): value is Promise<T> {
  return value instanceof Promise;
}

/** Applies `next` to a value that may still be on its way, without a turn of the event loop when it is there already. */
export function chain<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value);
}
