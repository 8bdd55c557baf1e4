// SPDX-License-Identifier: Apache-2.0

/**
 * The C library of the process. Functions of this folder take and return plain numbers: a result below zero is a negated
 * error number. Memory is handed over by address, from buffers that live as long as the module, so that a call makes no
 * garbage; buffers of callers stay referenced for as long as the call lasts.
 */

import koffi from "koffi";

const libc = koffi.load(null);

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

/** Binds a function of the C library. */
export function bind<A extends readonly (number | bigint)[]>(
  name: string,
  result: CType,
  parameters: readonly CType[],
): NativeFunction<A> {
  return libc.func(name, koffiType(result), parameters.map(koffiType)) as unknown as NativeFunction<A>;
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

export function scratch(size: number): Scratch {
  const buffer = Buffer.allocUnsafeSlow(size);
  return { buffer, address: addressOf(buffer) };
}

type SystemCall = "openat2" | "getdents64" | "getxattrat" | "setxattrat" | "listxattrat" | "removexattrat";

const systemCalls: Record<string, Record<SystemCall, number>> = {
  x64: {
    openat2: 437,
    getdents64: 217,
    setxattrat: 463,
    getxattrat: 464,
    listxattrat: 465,
    removexattrat: 466,
  },
  arm64: {
    openat2: 437,
    getdents64: 61,
    setxattrat: 463,
    getxattrat: 464,
    listxattrat: 465,
    removexattrat: 466,
  },
};

/** The number of a system call that the C library has no function for. */
export function systemCallNumber(name: SystemCall): number {
  const table = systemCalls[process.arch];
  if (process.platform !== "linux" || table === undefined) {
    throw new Error(`the POSIX volume runs on Linux on x64 and arm64, not on ${process.platform} ${process.arch}`);
  }
  return table[name];
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
