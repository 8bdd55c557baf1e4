// SPDX-License-Identifier: Apache-2.0

/**
 * Functions of the libraries that the process has loaded: the C library, and the OpenSSL of Node. They take and return plain
 * numbers. Memory is handed over by address, from buffers that live as long as the module, so that a call makes no garbage;
 * buffers of callers stay referenced for as long as the call lasts.
 */

import koffi from "koffi";

const process = koffi.load(null);

/** Types of parameters and results as koffi names them; `address` is a pointer held as a number. */
export type CType = "int" | "uint32" | "int64" | "address";

function koffiType(type: CType): string {
  return type === "address" ? "uint64" : type;
}

export interface NativeFunction<A extends readonly (number | bigint)[]> {
  (...args: A): number | bigint;
  /** Runs the call on a worker thread; the error number is that of the worker's call inside `done`. */
  async(...args: [...A, done: (error: Error | null, result: number | bigint) => void]): void;
}

/** Binds a function. @throws Error there is none of this name */
export function bind<A extends readonly (number | bigint)[]>(
  name: string,
  result: CType,
  parameters: readonly CType[],
): NativeFunction<A> {
  return process.func(name, koffiType(result), parameters.map(koffiType)) as unknown as NativeFunction<A>;
}

/** The result of a call that reports failure by -1 and `errno`: itself, or the negated error number. */
export function outcome(result: number | bigint): number {
  return result === -1 ? -koffi.errno() : Number(result);
}

/** The address of a buffer's memory. It stays valid for as long as the buffer is referenced. */
export function addressOf(buffer: ArrayBufferView): number {
  return Number(koffi.address(buffer));
}

/** A buffer that lives for ever, with its address. */
export interface Scratch {
  readonly buffer: Buffer;
  readonly address: number;
}

/** Keeps the memory also where only its address is. */
const scratches: Buffer[] = [];

export function scratch(size: number): Scratch {
  const buffer = Buffer.allocUnsafeSlow(size);
  scratches.push(buffer);
  return { buffer, address: addressOf(buffer) };
}

/** koffi refuses calls beyond its own queue, so we keep ours in front of it. */
const MAXIMUM_RUNNING = 64;

let running = 0;
const waiting: (() => void)[] = [];

/** Runs a call on koffi's worker threads; answers like {@link outcome}. `hold` stays referenced until the call is over. */
export function onWorker<A extends readonly (number | bigint)[]>(
  call: NativeFunction<A>,
  args: A,
  hold?: unknown,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const start = (): void => {
      running++;
      call.async(...args, (error, result) => {
        const value = error === null ? outcome(result) : 0;
        running--;
        waiting.shift()?.();
        if (error !== null) reject(error);
        else resolve(value);
        void hold;
      });
    };
    if (running < MAXIMUM_RUNNING) start();
    else waiting.push(start);
  });
}
