// SPDX-License-Identifier: Apache-2.0

import type { Volume } from "../../src/vfs/volume.ts";

/** Where calls of a volume wait until a test lets them go on. */
export class Gate {
  /** Files, streams and cursors that have not been closed. */
  open = 0;
  readonly #held = new Set<string>();
  readonly #waiting: { readonly method: string; readonly go: () => void }[] = [];
  #arrivals: { readonly method: string; readonly resolve: () => void }[] = [];

  /** Calls that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Calls of this method wait from now on. Its work is done when it is let go. */
  hold(method: string): void {
    this.#held.add(method);
  }

  /** Lets one of the calls that wait go on; later ones are held all the same. */
  letGo(index: number): void {
    const [call] = this.#waiting.splice(index, 1);
    call?.go();
  }

  /** Resolves when a call of this method waits. */
  arrival(method: string): Promise<void> {
    if (this.#waiting.some((call) => call.method === method)) return Promise.resolve();
    return new Promise((resolve) => this.#arrivals.push({ method, resolve }));
  }

  /** Lets all calls go on, and holds none from now on. */
  release(): void {
    this.#held.clear();
    for (const { go } of this.#waiting.splice(0)) go();
  }

  pass<T>(method: string, work: () => T): T | Promise<T> {
    if (!this.#held.has(method)) return work();
    return new Promise<T>((resolve, reject) => {
      const go = () => {
        try {
          resolve(work());
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ method, go });
      for (const arrival of this.#arrivals) if (arrival.method === method) arrival.resolve();
      this.#arrivals = this.#arrivals.filter((arrival) => arrival.method !== method);
    });
  }
}

/** A volume that answers at once, made one whose calls wait at a gate. */
export function slowVolume(volume: Volume, gate: Gate): Volume {
  const originals = new WeakMap<object, object>();

  const wrapResult = (result: unknown): unknown => {
    if (typeof result !== "object" || result === null || Buffer.isBuffer(result)) return result;
    if ("file" in result && typeof result.file === "object" && result.file !== null) {
      return { ...result, file: wrap(result.file) };
    }
    return "close" in result && typeof result.close === "function" ? wrap(result) : result;
  };

  const wrap = <T extends object>(target: T): T => {
    gate.open += 1;
    let closed = false;
    const proxy = new Proxy(target, {
      get: (_, key) => {
        const member: unknown = Reflect.get(target, key, target);
        if (typeof member !== "function" || typeof key !== "string") return member;
        return (...values: readonly unknown[]): unknown => {
          if (key === "close" && !closed) {
            closed = true;
            gate.open -= 1;
          }
          const unwrapped = values.map((value) =>
            typeof value === "object" && value !== null ? (originals.get(value) ?? value) : value,
          );
          return gate.pass(key, () => wrapResult(Reflect.apply(member, target, unwrapped)));
        };
      },
    });
    originals.set(proxy, target);
    return proxy;
  };

  const wrapped = wrap(volume);
  gate.open = 0;
  return wrapped;
}
